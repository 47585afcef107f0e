import numpy as np
import pandas as pd
import pytest
from drawings import hovers, marks, texts

from studyhub.report import figures


def basins(count, groups):
    rng = np.random.default_rng(0)
    names = [f"b{i:05d}" for i in range(count)]
    of = [groups[i % len(groups)] for i in range(count)]
    told = [f"{name} in {group}" for name, group in zip(names, of, strict=True)]
    lat, lon = rng.uniform(-50, 70, count), rng.uniform(-170, 170, count)
    return pd.DataFrame({"basin": names, "lat": lat, "lon": lon, "group": of, "told": told})


def drawn(table, grey=()):
    keys = figures.looks(list(dict.fromkeys(table["group"])), grey)
    return figures.group_map(table, keys, "map_x", "Title", "Basins")


def test_every_basin_has_the_colour_of_its_group_in_the_legend():
    table = basins(30, ["a", "b", "c"])
    figure = drawn(table, grey=("c",))
    colours = {group: {marks(figure)[told] for told in rows["told"]} for group, rows in table.groupby("group")}
    assert all(len(found) == 1 for found in colours.values()) and len(set.union(*colours.values())) == 3
    assert colours["c"] == {"#b3bac1"}
    assert texts(figure)[-3:] == ["a (10)", "b (10)", "c (10)"]
    assert list(figure.data.columns) == ["basin", "lat_degrees", "lon_degrees", "group"]


def test_climates_keep_their_colours_whichever_are_there():
    both = figures.looks(["arid", "cold", "unknown"], ("unknown",))
    alone = figures.looks(["cold"])
    assert both["cold"] == alone["cold"] and both["arid"].colour != both["cold"].colour


@pytest.mark.parametrize("count", [10, 40])
def test_many_groups_differ_in_colour_or_in_shape(count):
    keys = figures.looks([f"fold {i}" for i in range(count)])
    assert len({(key.colour, key.mark) for key in keys.values()}) == count


def test_without_coordinates_there_is_no_map_and_some_without_are_counted():
    table = basins(4, ["a"])
    assert drawn(table.assign(lat=np.nan)) is None
    table.loc[2, "lat"] = np.nan
    figure = drawn(table)
    assert figure is not None and len(figure.data) == 3
    assert figure.caption == "Basins: 3 basins. Without coordinates: 1 basin."


def test_thousands_of_basins_make_a_small_drawing_that_still_shows_each():
    few, many = drawn(basins(1500, ["a", "b"])), drawn(basins(6830, ["a", "b"]))
    assert len(hovers(few)) == 1500 and hovers(many) == ["b: 3415 basins", "a: 3415 basins"]
    assert many.svg.count("<use ") >= 6830 and len(many.svg) < 600_000
