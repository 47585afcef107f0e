"""Quality of the data of a basin by named checks with thresholds. Nothing is dropped or mended: findings go to ``quality.parquet``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from studyhub.data.quality_checks import ALL, CHECKS, YEARS, Check
from studyhub.data.quality_measures import NONE, Days, Measured
from studyhub.data.record import UNITS, Basin

Verdict = Literal["passed", "flagged", "not checked"]
VERDICTS: tuple[Verdict, ...] = ("flagged", "passed", "not checked")


@dataclass(frozen=True)
class Finding:
    """What a check found in one variable of a basin. ``value`` is None where it is not defined."""

    basin: str
    check: str
    variable: str
    value: float | None
    unit: str
    threshold: float
    verdict: Verdict
    note: str


def check(basin: Basin, units: Mapping[str, str] = UNITS, *, years: float = YEARS) -> list[Finding]:
    """Ask every check of one basin; findings in the order of `CHECKS`, then of the variables.

    Parameters
    ----------
    basin : as it will be written
    units : unit of each of its variables; a variable in another unit than the catalog's is not checked
    years : threshold of "short_record", yr
    """
    days = Days(basin, units)
    found = []
    for asked in CHECKS.values():
        threshold = float(years) if asked.name == "short_record" else float(asked.threshold)
        for variable in _variables(asked, basin):
            value, note = _measure(asked, days, variable)
            beyond = value > threshold if asked.side == "above" else value < threshold
            verdict = "not checked" if np.isnan(value) else "flagged" if beyond else "passed"
            shown = None if np.isnan(value) else float(value)
            found.append(Finding(basin.name, asked.name, variable, shown, asked.unit, threshold, verdict, note))
    return found


def summary(findings: Iterable[Finding]) -> dict[str, dict[Verdict, int]]:
    """Number of basins by check and verdict: flagged in one variable is flagged, passed in one and flagged in none is passed."""
    worst: dict[str, dict[str, int]] = {name: {} for name in CHECKS}
    for finding in findings:
        basins = worst[finding.check]
        basins[finding.basin] = min(basins.get(finding.basin, len(VERDICTS)), VERDICTS.index(finding.verdict))
    return {name: {verdict: list(basins.values()).count(i) for i, verdict in enumerate(VERDICTS)} for name, basins in worst.items()}


SCHEMA = pa.schema(
    [
        ("basin", pa.string()),
        ("check", pa.string()),
        ("variable", pa.string()),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("threshold", pa.float64()),
        ("verdict", pa.string()),
        ("note", pa.string()),
    ]
)


def table(findings: Sequence[Finding]) -> pa.Table:
    """Return the findings as ``quality.parquet`` holds them, one a row."""
    return pa.table({name: [getattr(finding, name) for finding in findings] for name in SCHEMA.names}, schema=SCHEMA)


def _variables(asked: Check, basin: Basin) -> tuple[str, ...]:
    """Those to ask about; the only one of a check even where the basin lacks it, so that the check is never missing from a table."""
    here = tuple(name for name in asked.applies if name in basin.series or name == ALL)
    return here or asked.applies[:1]


def _measure(asked: Check, days: Days, variable: str) -> Measured:
    for name in (variable, *asked.needs):
        if name == ALL:
            continue
        if name not in days.series:
            return NONE, f"no {name}"
        if days.units.get(name, UNITS[name]) != UNITS[name]:
            return NONE, f"{name} is in {days.units[name]}, {UNITS[name]} is required"
        if not len(days.series[name]):
            return NONE, "no day"
    return asked.measure(days, variable)
