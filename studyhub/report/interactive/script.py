"""The scripts that a page brings along, and what they are given. A page allows these scripts by their hashes and no other one."""

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studyhub.errors import StudyhubError
from studyhub.report.interactive.chart import Interactive
from studyhub.study.files import make_folder, write_texts

DIGITS = 4  # of the numbers that a page holds


def scripts(charts: Sequence[Interactive]) -> list[str]:
    """Texts of the scripts of a page: Vega where it has charts, and our own."""
    drivers = sorted({chart.driver for chart in charts} - {"chart"})
    own = ["tables", *(["vega", *drivers, "start"] if charts else [])]
    texts = [files("studyhub.report").joinpath("templates", f"{name}.js").read_text(encoding="utf-8") for name in own]
    run = f'\n(() => {{\n"use strict";\n{"".join(texts)}}})();\n'
    return [vega(), run] if charts else [run]


@cache
def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which leaves ``vegaEmbed`` behind and no other name."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "studyhub" / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, ValueError):  # a damaged one is made anew
        return kept.read_text(encoding="utf-8")
    import vl_convert  # 80 MB, and it takes seconds to put the script together: once for each version

    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # A script ends at the first of these words, even inside a string.
    text = "\n(() => {" + text.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "") + "})();\n"
    with suppress(OSError, StudyhubError):
        make_folder(kept.parent)
        write_texts({kept: text})
    return text


def policy(run: Sequence[str]) -> str:
    """What the page may do: show itself, and run these scripts."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in run)
    allowed = f"script-src {hashes}; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {allowed}; connect-src 'none'; base-uri 'none'; form-action 'none'"


def json_block(chart: Interactive) -> str:
    """What a chart's driver is given, as JSON that may stand inside a script element: nothing in it can end that."""
    given = {"spec": chart.spec, "given": chart.given if chart.driver != "chart" else columns(chart.data)}
    return json.dumps(given, separators=(",", ":"), allow_nan=False, default=_plain).replace("<", "\\u003c")


def columns(data: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns of a table, ready for JSON: dates as days, numbers to four digits, what is missing as None."""
    return {str(name): values(data.loc[:, name]) for name in data.columns}


def values(column: pd.Series) -> list[Any]:
    """A column, ready for JSON.

    >>> values(pd.Series([1234.567, float("nan"), 0.0012345]))
    [1235.0, None, 0.001234]
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return [None if day == "NaT" else day for day in column.to_numpy("datetime64[D]").astype(str).tolist()]
    if not pd.api.types.is_float_dtype(column):
        return [None if value is None or value != value else value for value in column.tolist()]
    return rounded(column.to_numpy("float64"))


def rounded(numbers: np.ndarray, digits: int = DIGITS) -> list[float | None]:
    """Significant digits of each number; None for what is not finite."""
    there = np.isfinite(numbers)
    sizes = np.abs(np.where(there & (numbers != 0), numbers, 1.0))
    places = np.clip(digits - 1 - np.floor(np.log10(sizes)), -300, 300)
    # Divide by a power of ten rather than multiply by its inverse: so the nearest double is found, which is short in JSON.
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    found = (np.round(np.where(there, numbers, 0.0) * up / down) * down / up).astype(object)
    found[~there] = None
    return found.tolist()


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else str(value)
