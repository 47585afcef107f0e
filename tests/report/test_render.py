import re
import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest

from studyhub.cli import main
from studyhub.errors import StoreError
from studyhub.report.render import report


def text(path) -> str:
    return path.read_text(encoding="utf-8")


def test_every_table_and_figure_is_there_as_data(toy, tmp_path):
    page = report(toy.write().end().store, "toy", tmp_path / "out")
    tables, figures = ({path.name for path in (page.parent / name).iterdir()} for name in ("tables", "figures"))
    names = ("claims", "arms", "medians", "cost", "exploratory", "trials", "basins")
    assert {f"{name}.{kind}" for name in names for kind in ("csv", "tex")} <= tables
    assert len(figures) % 2 == 0
    stems = {name.removesuffix(".svg") for name in figures if name.endswith(".svg")}
    assert {"ecdf_nse", "ecdf_kge", "boxes_kge", "hydrograph_best", "hydrograph_median", "hydrograph_disagreeing"} <= stems
    assert {f"{stem}.csv" for stem in stems} <= {name for name in figures if name.endswith(".csv")}
    for stem in stems:
        ElementTree.parse(page.parent / "figures" / f"{stem}.svg")
        assert len(pd.read_csv(page.parent / "figures" / f"{stem}.csv")) > 0
    assert pd.read_csv(page.parent / "tables" / "claims.csv")["p_holm"][0] < 0.01


def test_the_page_opens_with_question_and_answer_and_needs_nothing_else(toy, tmp_path):
    page = text(report(toy.write().end().store, "toy", tmp_path / "out"))
    assert (
        page.index("<h1>Does the scheme matter?</h1>")
        < page.index("implicit beats sequential on 100 % of 12 basins, ΔKGE")
        < page.index("<h2")
    )
    assert re.findall(r'(?:src|href)="(?!data:|#|figures/|\$)[^"]*"', page.replace("xlink:href", "href")) == []
    assert re.findall(r'<script(?! type="application/json"| src=|>)', page) == [] and "http-equiv" in page
    assert len(re.findall(r'\bid="([^"]+)"', page)) == len(set(re.findall(r'\bid="([^"]+)"', page)))


def test_a_later_report_leaves_nothing_of_an_earlier_one(toy, tmp_path):
    page = report(toy.write().end().store, "toy", tmp_path / "out")
    (page.parent / "figures" / "mine.svg").write_text("<svg/>")
    toy.write(claims=())
    report(toy.store, "toy", tmp_path / "out")
    names = {path.name for path in (page.parent / "figures").iterdir()}
    assert "mine.svg" in names and "ecdf_kge.svg" in names
    assert not (page.parent / "tables" / "claims.csv").exists() and (page.parent / "tables" / "medians.csv").exists()


def test_files_that_are_not_of_a_report_are_never_replaced(toy, tmp_path):
    (tmp_path / "paper" / "figures").mkdir(parents=True)
    mine = tmp_path / "paper" / "figures" / "ecdf_kge.svg"
    mine.write_text("mine")
    with pytest.raises(StoreError, match=r"not of a report \(figures/ecdf_kge.svg\); name another folder with --out"):
        report(toy.write().end().store, "toy", tmp_path / "paper")
    assert mine.read_text() == "mine" and not (tmp_path / "paper" / "index.html").exists()


def test_biases_of_opposite_sign_do_not_cancel_anywhere(toy, tmp_path):
    toy.write(claims=(("sequential", "implicit", "flv"),)).end()
    for cell in toy.cells:
        path = toy.store.latest_attempt(cell.trial) / "scores.parquet"
        bias = 10.0 if cell.arm == "sequential" else 20.0 * (-1) ** cell.seed
        pd.read_parquet(path).assign(flv=bias).to_parquet(path)
    page = text(report(toy.store, "toy", tmp_path / "out"))
    assert "sequential beats implicit on 100 % of 12 basins, Δ|FLV| −10.0 percentage points" in page
    assert "sequential is better (12); red: implicit is better (0)" in page


def test_lost_trials_are_told_beside_the_answer(toy, tmp_path):
    toy.write(seeds=(1, 2, 3)).end(lambda cell: "diverged" if cell.arm == "implicit" and cell.seed > 1 else "finished")
    page = text(report(toy.store, "toy", tmp_path / "out"))
    assert "Mind that this judges implicit by 1 of its 3 trials (2 diverged)." in page


@pytest.mark.parametrize("state", ["diverged", "failed", "pending", "running"])
def test_a_study_without_scores_has_a_page_that_says_so(toy, tmp_path, state):
    page = text(report(toy.write().end(lambda cell: state).store, "toy", tmp_path / "out"))
    said = {"diverged": "All 4 trials diverged", "failed": "No trial has finished (4 failed)"}
    assert said.get(state, "No trial has finished yet") in page
    assert ("still running" in page) == (state == "running")
    assert 'id="unfinished"' in page and 'id="distributions"' not in page and 'id="table-medians"' not in page


def test_a_study_of_one_arm(toy, tmp_path):
    page = text(report(toy.write(arms=("only",), claims=()).end().store, "toy", tmp_path / "out"))
    assert "There is one arm, so nothing is compared." in page
    assert 'id="table-medians"' in page and 'id="table-claims"' not in page and "Not declared" not in page


def test_no_common_basins(toy, tmp_path):
    toy.write().end(lambda cell: "finished" if cell.arm == "implicit" else "pending")
    toy.basins = tuple(f"other-{i}" for i in range(5))
    toy.end(lambda cell: "finished" if cell.arm == "sequential" else "pending")
    page = text(report(toy.store, "toy", tmp_path / "out"))
    assert "no basin has a defined KGE of both implicit and sequential" in page
    assert "5 are on no map" in page and "medians_common" not in page


def test_without_coordinates_there_is_no_map_and_no_climate(toy, tmp_path):
    page = report(toy.write(facts={}).end().store, "toy", tmp_path / "out")
    assert "Coordinates are known of 0 basins; 12 are on no map." in text(page)
    assert not [path for path in (page.parent / "figures").iterdir() if path.name.startswith(("map_", "difference_", "boxes_"))]


def test_without_claims_pairs_are_explored_and_labelled_so(toy, tmp_path):
    page = text(report(toy.write(claims=()).end().store, "toy", tmp_path / "out"))
    assert "No claim was declared, so no test decides between them." in page
    assert "a place to find questions, not answers" in page and 'id="table-claims"' not in page


def test_the_verb_takes_a_name_or_a_folder(toy, tmp_path, capsys, monkeypatch):
    toy.write().end()
    assert main(["report", "toy", "--home", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "reports" / "toy" / "index.html")
    monkeypatch.chdir(tmp_path)
    assert main(["report", "studies/toy", "--out", "elsewhere"]) == 0
    assert (tmp_path / "elsewhere" / "index.html").exists()


def test_wrong_input_is_one_message(toy, tmp_path, capsys):
    toy.write().end()
    assert main(["report", "none", "--home", str(tmp_path)]) == 2
    assert "there is no study 'none'" in capsys.readouterr().err
    assert main(["report", "some/where", "--home", str(tmp_path)]) == 2
    assert "studies/NAME" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        report(toy.store, "toy", tmp_path / "file" / "out")
