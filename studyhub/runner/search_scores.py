"""How well configurations do: losses per basin and their medians, ranks among all of a search, and which of them go on at a rung."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from studyhub.catalog import IDEALS, METRICS
from studyhub.errors import StoreError
from studyhub.runner.outputs import SCORES
from studyhub.stats.signed_rank import p_value
from studyhub.study.leases import attempt_name
from studyhub.study.store import Store

RUNG = "rung-{:04}.parquet"
# Failures that come of a configuration. Others come of machines and data, and say nothing of it: such a trial is run again.
OF_CONFIGURATION = ("memory", "code", "loss")

LEVEL = 0.05  # one-sided, at each rung anew: what decides here is only how much is spent on a configuration


@dataclass(frozen=True)
class Judged:
    """A trial at one of its rungs, or at its end.

    Parameters
    ----------
    medians : of each objective's loss over basins; smaller is better, infinite is of no use
    losses : basin x objective; None for a trial that has none, since it diverged or failed
    """

    medians: tuple[float, ...]
    losses: pd.DataFrame | None = None

    @property
    def usable(self) -> bool:
        return all(map(math.isfinite, self.medians))


def look(store: Store, trial: str, until: int | None, objectives: Sequence[str], *, stands: bool) -> Judged | None:
    """Find how a trial did at the epoch ``until``, or at its end; None where it has yet to come there.

    A trial that another study has trained to its end may have left no scores at the rung: it is judged by its end.

    Parameters
    ----------
    stands : whether a failure that came of the configuration counts as the worst result
    """
    if until is not None:
        for path in sorted(store.trial_folder(trial).glob(f"attempt-*/{RUNG.format(until)}")):
            with suppress(OSError, ValueError, KeyError):  # it was being written when its process was killed
                return judge(path, objectives)
    standing = store.look(trial)
    if standing.result:
        return (
            worst(objectives)
            if standing.state == "diverged"
            else _final(store.trial_folder(trial) / attempt_name(standing.attempt), objectives)
        )
    of_configuration = standing.state == "failed" and standing.failure.get("kind") in OF_CONFIGURATION
    return worst(objectives) if stands and of_configuration else None


def _final(folder: Path, objectives: Sequence[str]) -> Judged:
    try:
        return judge(folder / SCORES, objectives)
    except (OSError, ValueError, KeyError) as error:
        cause = (str(error).splitlines() or [""])[0]
        raise StoreError(f"{folder / SCORES}: cannot be read ({cause}); remove {folder.parent} and launch the study again") from None


def judge(path: Path, objectives: Sequence[str]) -> Judged:
    """Read a table of scores: basin, metrics, and the observed ``days`` they are from.

    A basin without observed days says nothing. Where a metric is not defined though there are days, nothing could be worse.
    """
    table = pd.read_parquet(path, columns=["basin", "days", *objectives]).query("days > 0")
    columns = {name: _loss(name, table[name].to_numpy(dtype=np.float64)) for name in objectives}
    medians = tuple(float(np.median(column)) if column.size else math.inf for column in columns.values())
    return Judged(medians, pd.DataFrame(columns, index=list(table["basin"])))


def worst(objectives: Sequence[str]) -> Judged:
    """A trial that diverged or failed."""
    return Judged((math.inf,) * len(objectives))


def _loss(metric: str, scores: np.ndarray) -> np.ndarray:
    direction = METRICS[metric].direction
    loss = np.abs(scores - IDEALS[direction]) if direction in IDEALS else -scores if direction == "larger" else scores
    return np.nan_to_num(loss, nan=math.inf, posinf=math.inf, neginf=-math.inf)


def values(judged: Judged, objectives: Sequence[str]) -> list[float] | None:
    """Medians as a table shows them: in the metric's own sense, of distances where nearest to zero or one is best; None where of no use."""
    if not judged.usable:
        return None
    return [-loss if METRICS[name].direction == "larger" else loss for name, loss in zip(objectives, judged.medians, strict=True)]


def ranks(standings: Sequence[tuple[int, Judged]]) -> list[list[float]]:
    """Rank of each trial in each objective, from 0; those that came farther stand before those that were left at an earlier rung.

    Parameters
    ----------
    standings : of each trial the place of its last rung, and how it did there
    """
    columns = []
    for objective in range(len(standings[0][1].medians) if standings else 0):
        keys = [(0, -place, judged.medians[objective]) if judged.usable else (1, 0, 0.0) for place, judged in standings]
        places = {key: place for place, key in enumerate(sorted(set(keys)))}
        columns.append([float(places[key]) for key in keys])
    return [list(row) for row in zip(*columns, strict=True)]


def ordered(judged: Mapping[int, Judged]) -> list[int]:
    """Numbers of the trials that are of use, best first: by the sum of ranks, equals by number.

    The first one is on the Pareto front: whatever is better in one objective and worse in none has a smaller sum.
    """
    usable = [number for number in sorted(judged) if judged[number].usable]
    sums = map(sum, ranks([(0, judged[number]) for number in usable]))
    return [number for _, number in sorted(zip(sums, usable, strict=True))]


def better_half(batch: Mapping[int, Judged]) -> list[int]:
    """Successive halving (Jamieson and Talwalkar, 2016): the better half of a batch, rounded up, without what is of no use."""
    return sorted(ordered(batch)[: math.ceil(len(batch) / 2)])


def not_clearly_worse(batch: Mapping[int, Judged], earlier: Mapping[int, Judged]) -> list[int]:
    """Those of a batch that the signed-rank test over basins does not find worse than the best so far.

    Parameters
    ----------
    earlier : trials of earlier batches at the same rung
    """
    everyone = {**earlier, **batch}
    best = ordered(everyone)[:1]
    return [number for number in sorted(batch) if batch[number].usable and not any(_worse(batch[number], everyone[b]) for b in best)]


def _worse(trial: Judged, best: Judged) -> bool:
    """Tell whether a trial is clearly worse in every objective."""
    assert trial.losses is not None and best.losses is not None
    mine, its = trial.losses.align(best.losses, join="inner", axis=0)
    return all(_p_of_worse(mine[name].to_numpy(), its[name].to_numpy()) < LEVEL for name in mine.columns)


def _p_of_worse(mine: np.ndarray, its: np.ndarray) -> float:
    same = mine == its
    differences = np.where(same, 0.0, mine - np.where(same, 0.0, its))
    # The test looks at ranks only: what is infinitely far may be just farther than all others.
    limit = 1 + np.abs(differences[np.isfinite(differences)]).max(initial=0.0)
    found = p_value(np.clip(differences, -limit, limit), "greater")
    return 1.0 if found is None else found.p
