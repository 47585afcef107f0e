import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from studyhub.cli import main
from studyhub.errors import DataError
from studyhub.report import drawn
from studyhub.report.downloads import CELLS, INSIDE, TOGETHER, File, files, links
from studyhub.report.drawing.boundaries import POINTS, read_boundaries
from studyhub.report.interactive import explorer, hydrographs
from studyhub.report.interactive.chart import Interactive
from studyhub.report.interactive.script import columns, json_block, policy, rounded, scripts
from studyhub.report.render import report


def given(path, name):
    page = path.read_text(encoding="utf-8")
    return json.loads(re.findall(rf'id="figure-{name}".*?<script type="application/json">(.*?)</script>', page, re.S)[0])["given"]


def test_numbers_keep_four_digits_and_nothing_is_lost_that_is_none():
    numbers = np.array([0.123456, -1234.56, 1.5e-7, 9.99999, 0.0, 123456.0, np.nan, np.inf, 1e300, 5e-324])
    found = rounded(numbers)
    assert found[:6] == [0.1235, -1235.0, 1.5e-07, 10.0, 0.0, 123500.0] and found[6:8] == [None, None]
    assert found[8] == pytest.approx(1e300) and found[9] == pytest.approx(0, abs=1e-300)
    table = pd.DataFrame({"day": pd.to_datetime(["2001-02-03", None]), "x": [1.23456, np.nan], "n": [1, 2], "name": ["a", None]})
    assert columns(table) == {"day": ["2001-02-03", None], "x": [1.235, None], "n": [1, 2], "name": ["a", None]}


def test_nothing_that_is_given_ends_its_script():
    hostile = "</script><script>alert(1)</script><!--\u2028\ud800"
    chart = Interactive("x", "X", "", {"title": hostile}, pd.DataFrame({hostile[:-1]: [hostile[:-1]]}))
    block = json_block(chart)
    assert "<" not in block and "\u2028" not in block and block.isascii()
    assert json.loads(block)["spec"] == {"title": hostile}


def test_a_page_runs_no_other_script_than_its_own():
    run = scripts([Interactive("x", "X", "", {}, pd.DataFrame())])
    assert len(run) == 2 and "vegaEmbed" in run[0] and all("</script" not in text and "\r" not in text for text in run)
    allowed = policy(run)
    assert allowed.count("'sha256-") == 2 and "unsafe-eval" not in allowed and "connect-src 'none'" in allowed
    assert "script-src 'sha256-" in allowed and len(scripts([])) == 1


def test_the_explorer_has_the_scores_that_the_tables_have(toy, tmp_path):
    page = report(toy.write(claims=(("implicit", "sequential", "flv"),)).end().store, "toy", tmp_path / "out")
    found = given(page, "explorer")
    assert [arm["name"] for arm in found["arms"]] == ["sequential", "implicit"] and found["start"]["metric"] == "flv"
    assert [found["arms"][found["start"][key]]["name"] for key in "ab"] == ["implicit", "sequential"]
    table = pd.read_csv(page.parent / "tables" / "basins.csv", dtype={"basin": "str"})
    assert set(found["basins"]) == set(table["basin"]) and len(found["lon"]) == len(found["basins"]) == 12
    of = table.loc[table["arm"] == "implicit"].set_index("basin")
    name = next(name for name in of.columns if name.startswith("kge ") or name == "kge")
    np.testing.assert_allclose(found["values"]["kge"][1], of.loc[found["basins"], name], rtol=6e-4)
    assert (np.array(found["judged"]["flv"]) >= 0).all()


def test_what_a_page_holds_is_bounded_and_says_so(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "VALUES", 60)
    monkeypatch.setattr(hydrographs, "VALUES", 1000)
    monkeypatch.setattr(hydrographs, "MOST_ARMS", 2)
    monkeypatch.setattr(drawn, "MOST_ARMS", 2)
    toy.write(arms=("a", "b", "c"), claims=(("c", "a", "kge"),)).end()
    page = report(toy.store, "toy", tmp_path / "out")
    found, text = given(page, "explorer"), page.read_text()
    assert len(found["metrics"]) == 1 and found["metrics"][0]["key"] == "kge" and len(found["arms"]) == 3
    assert re.search(r"it has 1 of \d+ metrics here; the file below has all", text)
    flows = given(page, "hydrographs")
    assert len(flows["basins"]) == 3 and [arm["name"] for arm in flows["arms"]] == ["a", "c"]
    assert "Drawn are 2 of 3 arms, those of the claims first." in text
    assert {"nse", "kge"} <= set(pd.read_csv(page.parent / "figures" / "explorer.csv").columns)


def test_basins_are_grouped_by_thirds_of_what_is_known(toy, tmp_path):
    toy.write().end()
    table = pd.DataFrame({"basin": toy.basins, "aridity": np.arange(12.0), "p_mean": 1.0, "other": np.arange(12.0)})
    table.to_parquet(toy.store.study_folder("toy") / "basins.parquet")
    groups = {group["key"]: group for group in given(report(toy.store, "toy", tmp_path / "out"), "explorer")["groups"]}
    assert set(groups) == {"aridity"} and sorted(groups["aridity"]["codes"]) == [0] * 4 + [1] * 4 + [2] * 4


def test_hydrographs_keep_their_gaps(toy, tmp_path):
    toy.write().end()
    path = toy.store.latest_attempt(toy.cells[0].trial) / "simulation.parquet"
    days = pd.read_parquet(path)
    days.loc[days["date"].between("1994-01-01", "1994-01-31"), "qsim"] = np.nan
    days.to_parquet(path, index=False)
    basin = given(report(toy.store, "toy", tmp_path / "out"), "hydrographs")["basins"][0]
    assert basin["first"] == "1993-10-01" and len(basin["observed"]) == 730 and None not in basin["observed"]
    assert basin["simulated"][0][92:123] == [None] * 31 and basin["simulated"][0].count(None) == 31
    assert basin["simulated"][1].count(None) == 0


def test_small_files_are_in_the_page_and_large_ones_beside_it():
    found = {f"table-{i}": [File("CSV", f"tables/{i}.csv", "x" * size)] for i, size in enumerate((10, INSIDE, INSIDE + 1))}
    found |= {f"figure-{i}": [File("SVG", f"figures/{i}.svg", "y" * (INSIDE - 1))] for i in range(20)}
    address = {name: link[0]["href"] for name, link in links(found)}
    assert address["table-0"].startswith("data:text/csv") and address["table-2"] == "tables/2.csv"
    inside = [href for href in address.values() if href.startswith("data:")]
    assert TOGETHER - INSIDE < sum(map(len, inside)) * 0.75 <= TOGETHER * 1.01
    many = Interactive("x", "X", "", {}, pd.DataFrame({"a": np.arange(CELLS + 1)}))
    (file,) = files(many)
    assert file.path == "figures/x.parquet" and file.content[:4] == b"PAR1"


def test_the_same_store_gives_the_same_bytes(toy, tmp_path):
    """In other processes, with another order of what has none."""
    toy.write(seeds=(1, 2)).end(lambda cell: "diverged" if (cell.arm, cell.seed) == ("implicit", 2) else "finished")
    folders = {seed: tmp_path / f"out{seed}" for seed in ("1", "2")}
    run = [sys.executable, "-m", "studyhub.cli", "report", "toy", "--home", str(tmp_path), "--out"]
    running = [subprocess.Popen([*run, str(out)], env=os.environ | {"PYTHONHASHSEED": seed}) for seed, out in folders.items()]
    assert [process.wait() for process in running] == [0, 0]
    found = [
        {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()} for out in folders.values()
    ]
    assert len(found[0]) > 30 and list(found[0]) == list(found[1])
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []


SQUARE = [[-75, 40], [-70, 40], [-70, 45], [-75, 45], [-75, 40]]
SHAPES = {
    "area": ({"type": "Polygon", "coordinates": [SQUARE]}, 1),
    "areas": ({"type": "MultiPolygon", "coordinates": [[SQUARE, SQUARE], [SQUARE]]}, 3),
    "line": ({"type": "Feature", "properties": None, "geometry": {"type": "LineString", "coordinates": SQUARE}}, 1),
    "several": ({"type": "GeometryCollection", "geometries": [{"type": "MultiLineString", "coordinates": [SQUARE, SQUARE]}]}, 2),
    "height": ({"type": "LineString", "coordinates": [[0, 0, 10], [1, 1, 20]]}, 1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_boundaries_are_read_from_any_shape(tmp_path, name):
    shape, count = SHAPES[name]
    collection = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}, {"type": "Feature", "geometry": {"type": "Point", "coordinates": [0, 0]}}]}  # fmt: skip # noqa: E501
    collection["features"].append(shape if shape["type"] == "Feature" else {"type": "Feature", "geometry": shape})
    for i, content in enumerate((shape, collection)):
        (tmp_path / f"{i}.json").write_text(json.dumps(content))
        assert len(read_boundaries(tmp_path / f"{i}.json")) == count


BAD = {
    "no json": "<kml/>",
    "not a map": "[1, 2]",
    "no geometry": '{"type": "FeatureCollection", "features": []}',
    "words": '{"type": "LineString", "coordinates": [["a", "b"], ["c", "d"]]}',
    "metres": '{"type": "LineString", "coordinates": [[500000, 5000000], [500001, 5000001]]}',
    "infinite": '{"type": "LineString", "coordinates": [[1e999, 0], [0, 0]]}',
    "topology": '{"type": "Topology", "arcs": []}',
    "deep": '{"type": "GeometryCollection", "geometries": [' * 100 + "]}" * 100,
    "very deep": "[" * 100_000,
    "bytes": "\x00\x01",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_of_boundaries_is_one_message(tmp_path, name):
    (tmp_path / "bad.geojson").write_text(BAD[name])
    with pytest.raises(DataError, match=r"bad\.geojson: .*GeoJSON of lines or areas in degrees"):
        read_boundaries(tmp_path / "bad.geojson")
    with pytest.raises(DataError, match="cannot be read"):
        read_boundaries(tmp_path / "none.geojson")


def figure(path):
    return path.read_text(encoding="utf-8")


def test_boundaries_are_thinned_out_and_drawn_behind_every_map(toy, tmp_path):
    turn = np.linspace(0, 2 * np.pi, 200_000)
    circle = np.column_stack([-75 + 8 * np.cos(turn), 45 + 6 * np.sin(turn)])
    (tmp_path / "x.geojson").write_text(json.dumps({"type": "LineString", "coordinates": circle.tolist()}))
    assert 500 < sum(map(len, read_boundaries(tmp_path / "x.geojson"))) <= POINTS
    toy.write(folds={"all": tuple(f"0{i:02d}" for i in range(12))}).end()
    plain = report(toy.store, "toy", tmp_path / "plain").parent / "figures"
    lined = report(toy.store, "toy", tmp_path / "lined", tmp_path / "x.geojson")
    maps = [path.name for path in plain.glob("*.svg") if path.name.startswith(("map_", "difference_"))]
    assert {"map_split.svg", "map_kge_implicit.svg"} < set(maps)
    assert all(figure(lined.parent / "figures" / name).count("<path") > figure(plain / name).count("<path") for name in maps)
    assert len(given(lined, "explorer")["lines"]) == 1


def test_the_verb_draws_boundaries(toy, tmp_path, capsys):
    toy.write().end()
    (tmp_path / "x.geojson").write_text(json.dumps(SHAPES["area"][0]))
    asked = ["report", "toy", "--home", str(tmp_path), "--boundaries"]
    assert main([*asked, str(tmp_path / "x.geojson")]) == 0
    assert main([*asked, str(tmp_path / "none.geojson")]) == 2
    assert "none.geojson: cannot be read" in capsys.readouterr().err
