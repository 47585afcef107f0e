"""Tables to draw, and drawings taken apart."""

import re
from collections import Counter
from datetime import date
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from studyhub.report import figures
from studyhub.report.figures import Figure

SVG = "{http://www.w3.org/2000/svg}"
MARKUP = ["<script>alert(1)</script>", "$x$ & \\frac{1}{2}", "-->", "]]>", 'url(#a) "q"']
HOSTILE = [*MARKUP, "x" * 300, "模型 نموذج", "", "_hidden", "a\x00b\u202e"]
CLIMATES = ("cold", "arid", "temperate", "unknown")
MANY = [f"dhbv_adj_dynamic_beta_gamma_{i:02d}_capillary" for i in range(24)]


def tables(arms, count=12, seed=0):
    """Scores and facts of some basins."""
    rng = np.random.default_rng(seed)
    basins = [f"{i:08d}" for i in range(count)]
    facts = {
        "lat": rng.uniform(30, 48, count),
        "lon": rng.uniform(-120, -70, count),
        "climate": ["cold" if i % 3 else "arid" for i in range(count)],
    }
    parts = [
        {
            "arm": arm,
            "basin": basins,
            "kge": rng.uniform(0.3, 0.9, count),
            "flv": rng.normal(20, 40, count),
            "low_rmse": rng.gamma(1, 0.1, count),
        }
        for arm in arms
    ]
    return pd.concat(map(pd.DataFrame, parts), ignore_index=True), pd.DataFrame({"basin": basins} | facts)


def simulation(arms, days=120, basin="00000001"):
    dates = pd.date_range("2001-10-01", periods=days)
    flow = 2 + np.sin(np.arange(days) / 9)
    parts = [{"arm": arm, "basin": basin, "date": dates, "qobs": flow, "qsim": flow * (1 + 0.1 * i)} for i, arm in enumerate(arms)]
    return pd.concat(map(pd.DataFrame, parts), ignore_index=True)


def epochs(arms, validation=np.nan):
    rows = [(arm, 1, seed, n, 1 / n, f"loss_{i % 2}", validation) for i, arm in enumerate(arms) for seed in (1, 2) for n in (1, 2, 3)]
    return pd.DataFrame(rows, columns=["arm", "fold", "seed", "epoch", "loss", "loss_name", "validation"])


def basin_row(number, **known):
    """What the page of a data set gets to know of a basin."""
    first, last = date(1981, 1, 1), date(1990, 3, 31)
    observed = dict.fromkeys(range(1981, 1990), 365) | {1990: 90}
    days = {"start": date(1980, 10, 1), "end": date(1990, 9, 30), "first_observed": str(first), "last_observed": str(last)}
    days |= {"observed": observed, "observed_years": sum(observed.values()) / 365.25}
    place = {"gauge_lat": 40.0 + number % 20, "gauge_lon": -100.0 + number % 30, "area_km2": 12.5, "continent": "North America"}
    named = {"basin": f"{number:08d}", "name": f"River {number}", "climate_group": CLIMATES[number % 4], "dataset": "us", "flagged": []}
    return named | place | days | known


def data_facts(rows, **known):
    """What it gets to know of all basins together."""
    variables = {"prcp": {"unit": "mm/d", "missing_percent": 0.0}, "et_obs": {"unit": "mm/8d", "missing_percent": 87.5}}
    return {
        "folders": ["/data/us"],
        "source": "table",
        "settings": {"file": "<us>.yaml"},
        "basins": len(rows),
        "period": [date(1980, 10, 1), date(1990, 9, 30)],
        "megabytes": 1.25,
        "variables": variables,
        "attributes": ["area", "slope"],
        "groups": {"climate_group": dict(Counter(row["climate_group"] for row in rows)), "dataset": {"us": len(rows)}},
        "quality": {"spikes": {"flagged": 1, "passed": 2, "not checked": 0}},
        "left_out": {},
        "remark": "",
    } | known


def drawn(arms) -> list[Figure]:
    """Every kind of figure."""
    scores, basins = tables(arms)
    found = [
        figures.ecdf(scores, arms, "kge"),
        figures.boxes(scores, basins, arms, "kge"),
        figures.score_map(scores, basins, arms[0], "flv"),
        figures.difference_map(scores, basins, arms[-1], arms[0], "kge"),
        figures.hydrograph(simulation(arms), arms, "00000001", "hydrograph_best", "Best basin"),
        *figures.learning_curves(epochs(arms, 0.5), arms),
    ]
    return [figure for figure in found if figure is not None]


def parsed(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(figure.svg)


def texts(figure: Figure) -> list[str]:
    return ["".join(element.itertext()) for element in parsed(figure).iter(f"{SVG}text")]


def hovers(figure: Figure) -> list[str]:
    return [element.text or "" for element in parsed(figure).iter(f"{SVG}title")][1:]


def marks(figure: Figure) -> dict[str, str]:
    """Colours of the marks of a map, by what is told of them."""
    found = {}
    for group in parsed(figure).iter(f"{SVG}g"):
        told, use = group.find(f"{SVG}title"), group.find(f"{SVG}use")
        fill = re.search("fill: ([^;]*)", use.get("style", "")) if use is not None else None
        if told is not None and fill:
            found[told.text or ""] = fill[1]
    return found
