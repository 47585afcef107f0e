import re

import numpy as np
import pandas as pd
import pytest
from drawings import MANY, SVG, drawn, epochs, hovers, marks, parsed, simulation, tables, texts

from studyhub.report import figures


def test_ecdf_holds_the_shares_that_numpy_counts():
    scores, _ = tables(["a", "b"])
    scores.loc[3, "kge"] = np.nan
    data = figures.ecdf(scores, ["b", "a"], "kge").data
    assert list(data.columns) == ["arm", "basin", "kge", "share_of_basins"]
    assert list(dict.fromkeys(data["arm"])) == ["b", "a"]
    for arm, rows in data.groupby("arm"):
        known = scores.loc[scores["arm"] == arm, "kge"].dropna().to_numpy()
        np.testing.assert_array_equal(rows["kge"], np.sort(known))
        np.testing.assert_allclose(rows["share_of_basins"], [(known <= x).mean() for x in rows["kge"]])


def test_ecdf_line_lies_where_its_data_say():
    scores = pd.DataFrame({"arm": "a", "basin": list("wxyz"), "kge": [0.0, 0.5, 0.75, 1.0]})
    path = next(p for p in parsed(figures.ecdf(scores, ["a"], "kge")).iter(f"{SVG}path") if "#0072b2" in p.get("style", "").lower())
    x, y = np.array([float(n) for n in re.findall(r"-?[\d.]+", path.get("d", ""))]).reshape(-1, 2).T
    assert all((x[1:] == x[:-1]) | (y[1:] == y[:-1]))
    assert np.ptp(x) == pytest.approx((331.2 - 56), abs=0.1)
    np.testing.assert_allclose(np.unique(np.round((x - x.min()) / np.ptp(x), 2)), [0, 0.5, 0.75, 1])
    np.testing.assert_allclose(np.unique(np.round((y.max() - y) / np.ptp(y), 2)), [0, 0.25, 0.5, 0.75, 1])


def test_what_is_not_defined_or_not_in_view_is_counted():
    scores, _ = tables(["a", "b"], count=100)
    scores.loc[[0, 1, 100], "kge"] = [np.nan, -np.inf, np.nan]
    scores.loc[2, "kge"] = -80.0
    caption = figures.ecdf(scores, ["a", "b", "c"], "kge").caption
    assert "98 to 99 basins per arm" in caption
    assert "Not in view: 1 basin beyond the axis in at least one arm." in caption
    assert "3 scores (2 of a and 1 of b)" in caption
    assert "Without scores: c." in caption


@pytest.mark.parametrize(("tail", "first"), [(0.0, "0.5"), (0.1, "0.0"), (0.4, "−100")])
def test_axis_of_efficiencies_leaves_out_far_tails(tail, first):
    values = np.linspace(0.55, 0.9, 100)
    values[: int(100 * tail)] = {0.0: 0.6, 0.1: 0.2, 0.4: -80.0}[tail]
    values[99] = -1000.0 if tail < 0.4 else 0.9
    if tail == 0.4:
        values[40:60] = -60.0
    scores = pd.DataFrame({"arm": "a", "basin": [f"{i}" for i in range(100)], "kge": values})
    numbers = [text for text in texts(figures.ecdf(scores, ["a"], "kge")) if re.fullmatch(r"−?[\d.]+", text)]
    assert numbers[0] == first


def test_boxes_tell_what_lies_beyond_the_whiskers():
    values = [*np.linspace(0.5, 0.7, 20), 0.1, 0.87]
    scores = pd.DataFrame({"arm": "a", "basin": [f"{i}" for i in range(22)], "kge": values})
    basins = pd.DataFrame({"basin": scores["basin"], "climate": "cold"})
    figure = figures.boxes(scores, basins, ["a"], "kge")
    assert figure is not None
    low, high = np.quantile(values, [0.25, 0.75])
    far = [not low - 1.5 * (high - low) <= value <= high + 1.5 * (high - low) for value in values]
    assert list(figure.data["drawn_as"] == "point") == far and sum(far) == 2
    assert "n = 22" in " ".join(texts(figure))
    assert "basin 20, a: 0.1" in hovers(figure)


def test_boxes_of_few_basins_are_points_and_strangers_are_counted():
    scores, basins = tables(["a", "b"], count=6)
    basins.loc[0, "climate"] = None
    figure = figures.boxes(scores, basins, ["a", "b"], "low_rmse")
    assert figure is not None
    assert set(figure.data["drawn_as"]) == {"point"}
    assert "low_rmse_mm_d" in figure.data and list(dict.fromkeys(figure.data["climate"])) == ["arid", "cold"]
    assert "Without a climate group: 1 basin." in figure.caption


def test_map_shows_every_basin_with_its_score_and_marks_what_is_not_defined():
    scores, basins = tables(["a", "b"])
    scores.loc[2, "kge"] = np.nan
    basins.loc[3, "lat"] = np.nan
    figure = figures.score_map(scores, basins, "a", "kge")
    assert figure is not None
    assert list(figure.data.columns) == ["basin", "lat_degrees", "lon_degrees", "kge"]
    expected = scores[scores["arm"] == "a"].set_index("basin")["kge"].drop("00000003")
    pd.testing.assert_series_equal(figure.data.set_index("basin")["kge"].sort_index(), expected, check_dtype=False, check_index_type=False)
    assert marks(figure)["basin 00000002: KGE not defined"] == "none" and len(marks(figure)) == 11
    assert "in 10 basins" in figure.caption
    assert "Hollow: not defined in 1 basin. Without coordinates: 1 basin." in figure.caption


@pytest.mark.parametrize("metric", ["kge", "low_rmse", "flv"])
def test_difference_is_blue_where_the_first_arm_is_better(metric):
    a, b = {"kge": (0.9, 0.5), "low_rmse": (0.1, 0.4), "flv": (-10.0, 40.0)}[metric]
    scores = pd.DataFrame({"arm": ["a", "b"] * 2, "basin": ["1", "1", "2", "2"], metric: [a, b, b, a]})
    basins = pd.DataFrame({"basin": ["1", "2"], "lat": [40.0, 41.0], "lon": [-80.0, -81.0]})
    figure = figures.difference_map(scores, basins, "a", "b", metric)
    assert figure is not None
    difference = figure.data.set_index("basin").iloc[:, -1]
    wanted = abs(a) - abs(b) if metric == "flv" else a - b
    np.testing.assert_allclose(difference.loc[["1", "2"]], [wanted, -wanted])
    assert "a is better (1); red: b is better (1)" in figure.caption
    red = {text[6]: int(fill[1:3], 16) > int(fill[5:7], 16) for text, fill in marks(figure).items()}
    assert red == {"1": False, "2": True}
    ends = [text for text in texts(figure) if "better" in text]
    assert ends == (["← b better", "a better →"] if metric == "kge" else ["← a better", "b better →"])


def test_one_far_value_does_not_shift_the_middle_of_the_colours():
    scores = pd.DataFrame({"arm": ["a"] * 40 + ["b"] * 40, "basin": [f"{i}" for i in range(40)] * 2, "kge": 0.5})
    scores.loc[:39, "kge"] += np.linspace(-0.1, 0.1, 40)
    basins = pd.DataFrame({"basin": [f"{i}" for i in range(40)], "lat": np.linspace(40, 45, 40), "lon": np.linspace(-90, -80, 40)})
    colours = []
    for far in (0.5, -9.0):
        scores.loc[0, "kge"] = far
        figure = figures.difference_map(scores, basins, "a", "b", "kge")
        assert figure is not None
        colours.append({text.split(":")[0]: fill for text, fill in marks(figure).items()})
        below, above = (colours[-1][basin] for basin in ("basin 19", "basin 20"))  # to either side of zero
        assert int(below[1:3], 16) > int(below[5:7], 16) and int(above[1:3], 16) < int(above[5:7], 16)
    assert len(colours[0]) == 40
    assert all(colours[0][f"basin {i}"] == colours[1][f"basin {i}"] for i in range(1, 40))


def test_hydrograph_holds_its_days_in_the_colours_of_all_arms():
    days = simulation(["a", "c"])
    days.loc[5, "qsim"], days.loc[120 + 7, "qsim"] = np.inf, 1e6
    figure = figures.hydrograph(days, ["a", "b", "c"], "00000001", "hydrograph_best", "Best basin")
    assert list(figure.data.columns) == ["arm", "basin", "date", "qobs_mm_d", "qsim_mm_d"] and len(figure.data) == 240
    assert np.isnan(figure.data.loc[5, "qsim_mm_d"]) and figure.data.loc[127, "qsim_mm_d"] == 1e6
    assert "2001-10-01 to 2002-01-28" in figure.caption and "Cut off above the axis: c, up to 1e+06 mm/d." in figure.caption
    assert figures.colours(["a", "b", "c"])["c"].lower() in figure.svg and figures.colours(["a", "b", "c"])["b"].lower() not in figure.svg


def test_a_line_breaks_where_days_are_missing():
    days = simulation(["a"], days=30)
    whole, holed = (figures.hydrograph(rows, ["a"], "00000001", "h", "h") for rows in (days, days.drop(index=range(10, 15))))
    lines = [[p.get("d", "").count("M") for p in parsed(f).iter(f"{SVG}path") if "#0072b2" in p.get("style", "")] for f in (whole, holed)]
    assert max(lines[0]) == 1 and max(lines[1]) == 2


def test_losses_of_different_names_have_figures_of_their_own():
    found = figures.learning_curves(epochs(["a", "b", "c"]), ["a", "b", "c"])
    assert [figure.name for figure in found] == ["learning_loss_0", "learning_loss_1"]
    assert set(found[0].data["arm"]) == {"a", "c"} and "validation" not in found[0].data
    assert hovers(found[1]) == ["b, fold 1, seed 1", "b, fold 1, seed 2"]
    assert figures.learning_curves(epochs(["a"], 0.5), ["a"])[-1].name == "learning_validation"
    assert figures.learning_curves(epochs([]), ["a"]) == []


@pytest.mark.parametrize("arms", [["only"], MANY[:7], MANY], ids=["one", "seven", "many"])
def test_any_number_of_arms_has_its_lines_and_labels(arms):
    curve, boxes = drawn(arms)[:2]
    assert len(curve.data) == 12 * len(arms) and len(boxes.data) == 12 * len(arms)
    lines = {re.sub(r"clip.*", "", p.get("style", "")) for p in parsed(curve).iter(f"{SVG}path") if "fill: none" in p.get("style", "")}
    assert len(lines) >= len(arms)
    assert len(figures.colours(arms)) == len(arms)


def test_one_basin_is_drawn():
    scores, basins = tables(["a", "b"], count=1)
    found = [
        figures.ecdf(scores, ["a", "b"], "kge"),
        figures.boxes(scores, basins, ["a", "b"], "kge"),
        figures.score_map(scores, basins, "a", "kge"),
        figures.difference_map(scores, basins, "a", "b", "flv"),
    ]
    assert [len(figure.data) for figure in found if figure] == [2, 2, 1, 1]


def test_scores_that_are_all_missing_give_an_empty_curve_and_no_more():
    scores, basins = tables(["a", "b"])
    scores["kge"] = np.nan
    curve = figures.ecdf(scores, ["a", "b"], "kge")
    assert "No scores to show" in texts(curve) and len(curve.data) == 0 and "no basin" in curve.caption
    assert figures.boxes(scores, basins, ["a", "b"], "kge") is None
    assert figures.score_map(scores, basins, "a", "kge") is None
    assert figures.difference_map(scores, basins, "a", "b", "kge") is None


def test_without_places_or_climates_there_is_no_map_and_no_box():
    scores, basins = tables(["a", "b"])
    for facts in (basins[["basin"]], basins.assign(lat=np.nan, climate=None), basins.assign(lat=999.0, climate=None)):
        assert figures.score_map(scores, facts, "a", "kge") is None
        assert figures.difference_map(scores, facts, "a", "b", "kge") is None
        assert figures.boxes(scores, facts, ["a", "b"], "kge") is None


def test_maps_of_one_table_share_their_colours():
    scores, basins = tables(["a", "b"], count=30)
    scores["low_rmse"] = np.where(scores["arm"] == "a", 0.1, 0.4) * np.linspace(0.5, 1, len(scores))
    ticks = [texts(figures.score_map(scores, basins, arm, "low_rmse"))[-8:] for arm in ("a", "b")]
    assert ticks[0] == ticks[1]
    alone = figures.score_map(scores[scores["arm"] == "a"], basins, "a", "low_rmse")
    assert texts(alone)[-8:] != ticks[0]
