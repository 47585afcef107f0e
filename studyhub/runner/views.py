"""How MLflow's web app shows a study at first: columns and charts, kept as the app itself keeps a view that is shared by a link.

Without it the table shows neither scores nor factors, and the charts ten runs at most.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from studyhub.runner.members import MEANINGLESS, axis_of, factor_texts
from studyhub.study.arms import Arm
from studyhub.study.describe import differences
from studyhub.study.external import ExternalArm
from studyhub.study.spec import StudySpec

PREFIX = "mlflow.sharedViewState."
TABLE, CHARTS, ARMS, FACTORS, SEARCH = (f"studyhub-{name}" for name in ("table", "charts", "arms", "factors", "search"))
LONGEST = 5000  # characters of an experiment's tag
SCORES = ("kge", "nse")  # the last one gives the lines their colours
# Those of the report's figures: Okabe and Ito's, then some of Tol's muted ones, for as many arms as they last.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"),
    *("#882255", "#999933", "#332288", "#44AA99", "#661100", "#F0A6B8"),
)
BY_ARM = {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": "arm"}]}
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


def views(spec: StudySpec, searches: Sequence[Mapping[str, Any]] = ()) -> dict[str, str]:
    """Tags of a study's experiment that hold its views; trials of ``searches`` have one of their own, and are left out of the others."""
    factors = [*_factors(spec), *(["seed"] if len(spec.seeds) > 1 else [])]
    scores = [f"test_{name}" for name in dict.fromkeys((*(claim.metric for claim in spec.compare), *SCORES))]
    columns = [f"metrics.`{name}`" for name in (*scores, "seconds_per_update")]
    columns += [f"params.`{name}`" for name in factors] + ["tags.`state`"]
    shown = FACETS | {"selectedColumns": columns, "runsHiddenMode": "SHOW_ALL"} | _filter(False if searches else None)
    lines = ["loss"] if spec.split.validation is None else ["loss", "validation"]
    curves = [_chart("LINE", "Learning", metricKey=name, selectedMetricKeys=[name], **LINE) for name in lines]
    bars = [_chart("BAR", "Test: medians over basins", metricKey=name) for name in scores]
    found = {TABLE: shown, CHARTS: shown | _sections([*curves, *bars], 2)}
    # Without curves: MLflow gives groups colours of its own, and several the same.
    found[ARMS] = shown | _sections(bars, 2) | {"groupBy": BY_ARM, "useGroupedValuesInCharts": True}
    found[FACTORS] = shown | _parallel("Factors", dict.fromkeys((*_apart(spec.arms), *factors)), scores)
    if searches:
        found[SEARCH] = _search(spec, searches)
    texts = {PREFIX + name: json.dumps(view, separators=(",", ":")) for name, view in found.items()}
    return {tag: text for tag, text in texts.items() if len(text) <= LONGEST}


def _apart(arms: Sequence[Arm | ExternalArm]) -> list[str]:
    """Axes that tell arms apart: their factors if these do, since MLflow cuts long names to a few letters; else their names."""
    columns = _factor_columns(arms)
    told = set(zip(*columns.values(), strict=True))
    return [name for name, column in columns.items() if len(set(column)) > 1] if len(told) == len(arms) > 1 else ["arm"]


def _factor_columns(arms: Sequence[Arm | ExternalArm]) -> dict[str, tuple[str, ...]]:
    """Each factor, and its label in each arm."""
    labels = [factor_texts(arm) for arm in arms]
    return {name: tuple(its.get(name, MEANINGLESS) for its in labels) for name in dict.fromkeys(name for its in labels for name in its)}


def _search(spec: StudySpec, searches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was drawn, beside what came of it."""
    keys = dict.fromkeys((entry["arm"], key) for entry in searches for row in entry["trials"] for key in row["params"])
    drawn = dict.fromkeys(axis_of(spec, arm, key) for arm, key in keys)
    scores = [f"search_{name}" for name in dict.fromkeys(name for entry in searches for name in entry["objectives"])]
    searched = [arm for arm in spec.arms if arm.name in {entry["arm"] for entry in searches}]
    folds = ["fold"] if len({entry["fold"] for entry in searches}) > 1 else []
    names = [*(_apart(searched) if len(searched) > 1 else []), *folds, *drawn]
    # MLflow draws no line for a run that lacks one of the axes: those are left out that not every training has.
    rows = [row["params"] for entry in searches for row in entry["trials"]]
    partly = {axis_of(spec, arm, key) for arm, key in keys if any(key not in row for row in rows)}
    columns = [f"metrics.`{name}`" for name in scores] + [f"params.`{name}`" for name in names] + ["tags.`state`"]
    shown = FACETS | {"selectedColumns": columns, "runsHiddenMode": "SHOW_ALL"} | _filter(True)
    return shown | _parallel("Search", [name for name in names if name not in partly], scores)


def _filter(search: bool | None) -> dict[str, str]:
    return {} if search is None else {"searchFilter": f"tags.`search` = '{str(search).lower()}'"}


def _parallel(section: str, params: Iterable[str], metrics: Sequence[str]) -> dict[str, Any]:
    chart = _chart("PARALLEL", section, selectedParams=list(params), selectedMetrics=list(metrics), showAllRuns=True)
    return _sections([chart], 1)


def _factors(spec: StudySpec) -> list[str]:
    """Factors and keys in which arms differ, but for what is searched.

    Of those that tell the same arms apart (an optimizer and its rate, say) the first alone.
    """
    keys, rows = differences(spec.arms)
    searched = {domain.key for arm in spec.arms if isinstance(arm, Arm) and arm.searched for domain in arm.searched.domains}
    columns: dict[str, tuple[str, ...]] = _factor_columns(spec.arms)
    columns |= dict(zip(keys, list(zip(*rows, strict=True))[1:], strict=True))
    first: dict[tuple[int, ...], str] = {}
    for name, column in columns.items():
        if len(set(column)) > 1 and name not in searched:
            first.setdefault(tuple(column.index(level) for level in column), name)
    return list(first.values())


def colour(arm: int) -> str:
    """Colour of a study's arm, by its place among them."""
    return COLOURS[arm % len(COLOURS)]


def link(server: str, experiment: str, view: str) -> str:
    """Address of a view in the web app at ``server``."""
    query = urlencode(
        {"compareRunsMode": "TABLE" if view == TABLE else "CHART", "workflowType": "machine_learning", "viewStateShareKey": view}
    )
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
