import json
from urllib.parse import parse_qs, urlsplit

import pytest

from studyhub.report.drawing.groups import PALETTE
from studyhub.runner.views import CHARTS, FACTORS, PREFIX, TABLE, colour, link, views
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
    assert set(shown) == {TABLE, CHARTS, FACTORS}
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
