"""How MLflow's web app shows a study at first: columns and charts, kept as the app itself keeps a view that is shared by a link.

Without it the table shows neither scores nor factors, and the charts ten runs at most.
"""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from studyhub.study.describe import differences
from studyhub.study.spec import StudySpec

PREFIX = "mlflow.sharedViewState."
TABLE, CHARTS, FACTORS = "studyhub-table", "studyhub-charts", "studyhub-factors"
LONGEST = 5000  # characters of an experiment's tag
SCORES = ("kge", "nse")  # the last one gives the lines their colours
# Those of the report's figures (Okabe and Ito's), for as many arms as they last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MODE = {TABLE: "TABLE", CHARTS: "CHART", FACTORS: "CHART"}
FACETS = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": True,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "modelVersionFilter": "All Runs",
    "datasetsFilter": [],
}
LINE = {
    "lineSmoothness": 0,
    "xAxisScaleType": "linear",
    "scaleType": "linear",
    "range": {},
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}


def views(spec: StudySpec) -> dict[str, str]:
    """Tags of a study's experiment that hold its views."""
    factors = [*_factors(spec), *(["seed"] if len(spec.seeds) > 1 else [])]
    scores = [f"test_{name}" for name in dict.fromkeys((*(claim.metric for claim in spec.compare), *SCORES))]
    columns = [f"metrics.`{name}`" for name in (*scores, "seconds_per_update")]
    columns += [f"params.`{name}`" for name in factors] + ["tags.`state`"]
    shown = FACETS | {"selectedColumns": columns, "runsHiddenMode": "SHOW_ALL"}
    lines = ["loss"] if spec.split.validation is None else ["loss", "validation"]
    charts = [_chart("LINE", "Learning", metricKey=name, selectedMetricKeys=[name], **LINE) for name in lines]
    charts += [_chart("BAR", "Test: medians over basins", metricKey=name) for name in scores]
    parallel = _chart("PARALLEL", "Factors", selectedParams=["arm", *factors], selectedMetrics=scores, showAllRuns=True)
    found = {TABLE: shown, CHARTS: shown | _sections(charts, 2), FACTORS: shown | _sections([parallel], 1)}
    texts = {PREFIX + name: json.dumps(view, separators=(",", ":")) for name, view in found.items()}
    return {tag: text for tag, text in texts.items() if len(text) <= LONGEST}


def _factors(spec: StudySpec) -> list[str]:
    """Keys in which arms differ; of those that tell the same arms apart (an optimizer and its rate, say) the first alone."""
    keys, rows = differences(spec.arms)
    first: dict[tuple[int, ...], str] = {}
    for key, column in zip(keys, list(zip(*rows, strict=True))[1:], strict=True):
        first.setdefault(tuple(column.index(level) for level in column), key)
    return list(first.values())


def colour(arm: int) -> str:
    """Colour of a study's arm, by its place among them."""
    return COLOURS[arm % len(COLOURS)]


def link(server: str, experiment: str, view: str) -> str:
    """Address of a view in the web app at ``server``."""
    query = urlencode({"compareRunsMode": MODE[view], "workflowType": "machine_learning", "viewStateShareKey": view})
    return f"{server}/#/experiments/{quote(experiment)}/runs?{query}"


def _chart(kind: str, section: str, **keys: Any) -> dict[str, Any]:
    name = keys.get("metricKey", section)
    common = {"type": kind, "uuid": f"{kind}-{name}", "metricSectionId": section, "runsCountToCompare": 100}
    return common | {"deleted": False, "isGenerated": False, "displayName": name} | keys


def _sections(charts: Sequence[dict[str, Any]], columns: int) -> dict[str, Any]:
    names = dict.fromkeys(chart["metricSectionId"] for chart in charts)
    sections = [
        {"uuid": name, "name": name, "display": True, "isReordered": False, "columns": columns, "cardHeight": 400} for name in names
    ]
    return {"compareRunCharts": list(charts), "compareRunSections": sections}
