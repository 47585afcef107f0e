"""What is measured of a trial, as points of metrics: read from its files."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from studyhub.catalog import METRICS
from studyhub.study.epochs import Epoch

TEST, SEARCH = "test", "search"
SCORES, RUNGS = "scores.parquet", "rung-[0-9]*.parquet"

EPOCH = {"loss": "loss", "validation": "validation", "seconds": "epoch_seconds", "updates": "epoch_updates"}
SOLVE = {
    "iterations": "iterations_per_unit_day",
    "unconverged": "unconverged_unit_days",
    "cut_days": "cut_unit_days",
    "below_zero": "below_zero_unit_days",
    "residual": "worst_residual_in_tolerances",
    "balance": "water_balance_error_mm_per_day",
}
ENDING = ("seconds", "seconds_per_update", "peak_memory_mib")


@dataclass(frozen=True)
class Point:
    """One value of a metric. ``at`` is the time of its file, in ms since 1970: the same whenever it is read."""

    name: str
    value: float
    step: int
    at: int


def of_epoch(epoch: Epoch) -> tuple[Point, ...]:
    values = {name: epoch.content.get(key) for key, name in EPOCH.items()}
    values |= {name: (epoch.content.get("solve") or {}).get(key) for key, name in SOLVE.items()}
    return tuple(_points(values, epoch.number, epoch.at // 1_000_000))


def loss_of(epoch: Epoch) -> float | None:
    """Its loss; None where that is no number."""
    loss = epoch.content.get("loss")
    return float(loss) if is_number(loss) else None


def of_result(result: Mapping[str, Any], judged: str, at: int) -> tuple[Point, ...]:
    """Numbers of a whole trial; ``judged`` is what it was judged in, "test" or "search"."""
    values = {name: result.get(name) for name in ENDING}
    solve = result.get("test_solve") or {}
    values |= {f"{judged}_{name}": solve.get(key) for key, name in SOLVE.items()}
    return tuple(_points(values, 0, at))


def of_test(path: Path, at: int) -> tuple[tuple[Point, ...], str | None]:
    """Median of each metric over basins, and why there is none."""
    import pandas as pd

    try:
        scores = pd.read_parquet(path).query(f"period == '{TEST}'")
        medians = scores[[name for name in METRICS if name in scores.columns]].median()
        values = {f"{TEST}_{name}": value for name, value in medians.items()} | {"test_basins": len(set(scores["basin"]))}
    except (OSError, ValueError, KeyError, TypeError, NameError) as error:
        return (), unreadable(path, error)
    return tuple(_points(values, 0, at)), None


def of_search(
    attempts: Sequence[Path], scores: Path | None, epochs: int, objectives: Sequence[str]
) -> tuple[tuple[Point, ...], str | None]:
    """What a search has seen of a trial: its objectives at each rung and at its end, by epoch; and why there is none.

    Parameters
    ----------
    attempts : folders of its attempts; a later one may hold copies of an earlier one's rungs
    scores : its scores, if it has finished, after ``epochs``
    """
    from studyhub.runner.search_scores import judge, values

    rungs = {path.name: path for attempt in reversed(attempts) for path in attempt.glob(RUNGS)}
    looked = [(int(path.stem.rpartition("-")[2]), path) for path in rungs.values()] + ([] if scores is None else [(epochs, scores)])
    points, trouble = [], None
    for step, path in sorted(looked):
        try:
            found = values(judge(path, objectives), objectives) or [None] * len(objectives)
            named = {f"{SEARCH}_{name}": value for name, value in zip(objectives, found, strict=True)}
            points += _points(named, step, milliseconds(path) or 0)
        except (OSError, ValueError, KeyError, TypeError) as error:
            trouble = unreadable(path, error)
    return tuple(points), trouble


def unreadable(path: Path, error: Exception) -> str:
    return f"{path.name} cannot be read ({(str(error).splitlines() or [''])[0]})"


def milliseconds(path: Path) -> int | None:
    """When a file was written, since 1970."""
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return None


def _points(values: Mapping[str, Any], step: int, at: int) -> Iterator[Point]:
    for name, value in values.items():
        if is_number(value):
            yield Point(name, float(value), step, at)


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
