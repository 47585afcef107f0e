import json
from urllib.parse import parse_qs, urlsplit

import pytest

from studyhub.report.drawing.groups import PALETTE
from studyhub.runner.members import members
from studyhub.runner.views import ARMS, CHARTS, FACTORS, PREFIX, SEARCH, TABLE, colour, link, views
from studyhub.study.cells import Cell
from studyhub.study.spec import StudySpec, read
from studyhub.study.store import settings_hash

STUDY = """\
question: Which?
split: {train: [1986-10-01, 1990-09-30], validation: [1991-10-01, 1992-09-30], test: [1993-10-01, 1994-09-30]}
arms:
  lstm: {model: lstm}
  sequential: {model: dpl, scheme: sequential}
  implicit: {model: dpl, scheme: implicit, warmup_gradients: true}
seeds: [1, 2]
compare: [{better: implicit, than: sequential, metric: low_rmse}]
"""


@pytest.fixture
def spec(tmp_path) -> StudySpec:
    (tmp_path / "study.yaml").write_text(STUDY)
    return read(tmp_path / "study.yaml")


def test_views_show_what_differs_and_the_scores_in_question(spec):
    shown = {tag.removeprefix(PREFIX): json.loads(text) for tag, text in views(spec).items()}
    assert set(shown) == {TABLE, CHARTS, ARMS, FACTORS}
    columns = shown[TABLE]["selectedColumns"]
    # An LSTM differs from the others in much that goes with it, and the gradients go with the scheme: one column each is enough.
    assert [column for column in columns if column.startswith("params.")] == ["params.`model`", "params.`scheme`", "params.`seed`"]
    assert [column for column in columns if "test_" in column] == ["metrics.`test_low_rmse`", "metrics.`test_kge`", "metrics.`test_nse`"]
    (parallel,) = shown[FACTORS]["compareRunCharts"]
    assert parallel["selectedParams"] == ["arm", "model", "scheme", "seed"]
    assert parallel["selectedMetrics"] == ["test_low_rmse", "test_kge", "test_nse"]
    charts = shown[CHARTS]
    sections = {section["uuid"] for section in charts["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in charts["compareRunCharts"]} == sections
    assert [chart["metricKey"] for chart in charts["compareRunCharts"]][:2] == ["loss", "validation"]
    assert all(view["runsHiddenMode"] == "SHOW_ALL" for view in shown.values())


FACTORIAL = """\
question: Which?
split: {train: [1986-10-01, 1990-09-30], test: [1993-10-01, 1994-09-30]}
shared: {model: dpl}
factors: {components: [1, 4], numerics: {adj: {scheme: implicit}, seq: {scheme: sequential}}}
search:
  parameters: {learning_rate: {low: 1.0e-4, high: 0.01, log: true}, hidden_size: {choices: [16, 32]}}
  budget: 2
  validation: {basins: 0.5}
  arms: [components=1+adj, components=1+seq]
seeds: [1, 2]
"""
SEARCHES = [
    {"arm": "components=1+adj", "fold": fold, "objectives": ["nse"], "trials": [{"params": {"learning_rate": 0.01, "hidden_size": "16"}}]}
    for fold in (1, 2)
]
OTHER = SEARCHES[0] | {"arm": "components=1+seq"}


def shown_of(tmp_path, searches: list[dict]) -> dict[str, dict]:
    (tmp_path / "study.yaml").write_text(FACTORIAL)
    tags = views(read(tmp_path / "study.yaml"), searches)
    return {tag.removeprefix(PREFIX): json.loads(text) for tag, text in tags.items()}


def test_factors_are_the_axes_where_there_are_any(tmp_path):
    """Not their keys beside them, not the arms that they make, and not what a search varies."""
    shown = shown_of(tmp_path, [])
    assert SEARCH not in shown and shown[TABLE]["searchFilter"] == ""
    (parallel,) = shown[FACTORS]["compareRunCharts"]
    assert parallel["selectedParams"] == ["factor.components", "factor.numerics", "seed"]
    assert shown[ARMS]["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "arm"}]
    assert {chart["type"] for chart in shown[ARMS]["compareRunCharts"]} == {"BAR"}


def test_a_search_has_a_view_and_the_others_leave_it_out(tmp_path):
    shown = shown_of(tmp_path, SEARCHES)
    assert {name: view["searchFilter"] for name, view in shown.items()} == {
        SEARCH: "tags.`search` = 'true'",
        **dict.fromkeys((TABLE, CHARTS, ARMS, FACTORS), "tags.`search` = 'false'"),
    }
    (both,) = shown_of(tmp_path, [SEARCHES[0], OTHER])[SEARCH]["compareRunCharts"]
    assert both["selectedParams"] == ["factor.numerics", "log10.learning_rate", "hidden_size"]
    (parallel,) = shown[SEARCH]["compareRunCharts"]
    assert parallel["selectedParams"] == ["fold", "log10.learning_rate", "hidden_size"]
    assert parallel["selectedMetrics"] == ["search_nse"]
    lacking = OTHER | {"trials": [{"params": {"learning_rate": 0.01}}]}
    (common,) = shown_of(tmp_path, [SEARCHES[0], lacking])[SEARCH]["compareRunCharts"]
    assert common["selectedParams"] == ["factor.numerics", "log10.learning_rate"], "MLflow draws no line for a run without it"


def test_what_was_drawn_stands_where_its_key_does(tmp_path):
    (tmp_path / "study.yaml").write_text(FACTORIAL)
    spec = read(tmp_path / "study.yaml")
    rows = [{"number": 0, "params": SEARCHES[0]["trials"][0]["params"], "trial": "a" * 16}]
    searches = [SEARCHES[0] | {"trials": rows, "seed": 3, "chosen": {"learning_rate": 0.002, "hidden_size": "32"}}]
    cells = [Cell(arm.name, fold, 1, f"{number}{fold}".rjust(16, "0")) for number, arm in enumerate(spec.arms) for fold in (1, 2)]
    found = members(spec, cells, searches)
    texts = {member.name: dict(member.params) for member in found.values()}
    assert texts["components=1+adj, fold 1, search 0"].items() >= {
        ("learning_rate", "0.01"), ("log10.learning_rate", "-2.0000"), ("hidden_size", "16"), ("seed", "3"), ("factor.numerics", "adj")
    }  # fmt: skip
    assert texts["components=1+adj, fold 1, seed 1"].items() >= {("learning_rate", "0.002"), ("hidden_size", "32"), ("seed", "1")}
    assert ("hidden_size", "32") not in texts["components=1+adj, fold 2, seed 1"].items(), "that fold's search has not chosen yet"
    assert found["a" * 16].objectives == ("nse",)


def test_links_name_experiment_and_view():
    address, _, fragment = link("http://127.0.0.1:5000", "12", CHARTS).partition("#")
    assert address == "http://127.0.0.1:5000/"
    assert urlsplit(fragment).path == "/experiments/12/runs"
    query = {key: value for key, (value,) in parse_qs(urlsplit(fragment).query).items()}
    assert query == {"compareRunsMode": "CHART", "workflowType": "machine_learning", "viewStateShareKey": CHARTS}


def test_arms_have_colours_however_many_there_are():
    assert len({colour(arm) for arm in range(12)}) == 12
    assert tuple(map(colour, range(12))) == PALETTE, "those of the report"
    assert colour(12) == colour(0)


def test_the_hash_of_a_study_is_of_what_it_says(spec):
    assert settings_hash(f"# resolved from elsewhere\n{STUDY}") == settings_hash(STUDY) != settings_hash(STUDY.replace("[1, 2]", "[1]"))
