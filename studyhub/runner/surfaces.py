"""Surfaces of a study: of which arms and basins, what is there already, and the file that they are kept in."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from studyhub.catalog import variables
from studyhub.data.shards import Shards
from studyhub.errors import DataError, StoreError
from studyhub.runner import trained
from studyhub.runner.simulate import Simulator
from studyhub.runner.surface import Progress, surface
from studyhub.study import remote
from studyhub.study.defaults import physics_of
from studyhub.study.files import temporary_name, writing
from studyhub.study.settings import Trial
from studyhub.study.store import Store
from studyhub.study.surface import FILE, Surface
from studyhub.study.wording import listed

if TYPE_CHECKING:
    from studyhub.report.collect import Results, Run

PLANE = ("x_parameter", "y_parameter", "metric")
COLUMNS = ["arm", "fold", "seed", "trial", "basin", *PLANE, "points", "reach", "x", "y", "dx", "dy", "score", "diverged"]


@dataclass(frozen=True)
class Mapped:
    """What has come of it.

    Parameters
    ----------
    computed : surfaces that were computed now
    surfaces, points, diverged : in the file, of what was asked for
    left_out : arm -> why nothing is known of it
    """

    path: Path
    computed: int
    surfaces: int
    points: int
    diverged: int
    left_out: dict[str, str]

    def __str__(self) -> str:
        """In words, one line."""
        told = f"{self.surfaces} surfaces of {self.points} points, {self.computed} of them computed now"
        return told + (f"; at {self.diverged} points a store has diverged" if self.diverged else "")


def map_surfaces(
    store: Store, results: "Results", shards: Shards, asked: Surface, *, device: str = "cpu", progress: Progress = lambda done, of: None
) -> Mapped:
    """Compute what is lacking, and write ``surfaces.parquet`` after each surface: so what is stopped goes on from there.

    Its columns: arm, fold, seed, trial, basin, metric, points, reach, and those of `surface`. One trial stands for an arm in a basin: the
    first finished one that is tested there. What the file holds stays as long as its trial is the study's; but of surfaces of the same
    parameters and metric only those with the same points, in basins that are asked for.

    Parameters
    ----------
    results : of the study
    asked : something without `Surface.problems`
    progress : called with points done and points in all, at most

    Raises
    ------
    StoreError
        no trial that could be looked at has finished; a file is missing or damaged, or cannot be written
    DataError
        a basin is asked for that is not tested, or the data have changed
    """
    arms = asked.able(results.spec.arms)
    finished = [arm for arm in arms if any(run.state == "finished" for run in results.of(arm))]
    left_out = {arm: f"no trial of `{arm}` has finished" for arm in arms if arm not in finished}
    if not finished:
        raise StoreError(
            f"a surface needs a finished trial; {'; '.join(left_out.values())}: launch the study, `studyhub status` says how it is"
        )
    basins = choose(results, asked, finished)
    runs = {(arm, basin): run for arm, basin in product(finished, basins) if (run := _run(results, arm, basin)) is not None}
    path = store.study_folder(results.spec.name) / FILE
    known = _kept(read(path), results, asked, basins)
    there = set(known.loc[_of_plane(known, asked), ["trial", "basin"]].itertuples(index=False, name=None))
    todo = [(place, run) for place, run in runs.items() if (run.cell.trial, place[1]) not in there]
    each, loaded = asked.points**2, _Loaded(store, shards, device)
    computed = 0
    for done, ((arm, basin), run) in enumerate(todo):
        trial, simulator = loaded.model(run)
        lacking = [name for name in asked.parameters if name not in physics_of(trial.model).parameter_names]
        if lacking:  # what a search has chosen
            left_out[arm] = f"`{arm}` has no {listed(lacking)}"
            continue
        rows = surface(trial, simulator, shards, basin, asked, lambda at, of, done=done: progress(done * each + at, len(todo) * each))
        cell = {"arm": arm, "fold": run.cell.fold, "seed": run.cell.seed, "trial": run.cell.trial, "basin": basin}
        rows = rows.assign(**cell, metric=asked.metric, points=asked.points, reach=asked.reach).reindex(columns=COLUMNS)
        known = pd.concat([known, rows], ignore_index=True) if len(known) else rows
        _write(known, path)
        computed += 1
        progress((done + 1) * each, len(todo) * each)
    if len(known):
        _write(known, path)
    shown = known.loc[_of_plane(known, asked)]
    count = len(shown[["arm", "basin"]].drop_duplicates())
    return Mapped(path, computed, count, len(shown), int(shown["diverged"].sum()), left_out)


def choose(results: "Results", asked: Surface, arms: Sequence[str]) -> tuple[str, ...]:
    """Basins to look at: those that were named; else as many as are wanted of those in which all arms have a score.

    Of several arms, the basins where the two of the first claim differ most, or else the first two; of one arm, from its best basin to its
    worst in equal steps.
    """
    if isinstance(asked.basins, tuple):
        asked.require_basins(results.scores["basin"].unique().tolist())
        return asked.basins
    table = results.scores.pivot_table(index="basin", columns="arm", values=asked.metric).reindex(columns=list(arms)).dropna()
    if table.empty:
        raise DataError(f"a surface needs a basin in which {listed(arms)} all have a score, there is none; name basins")
    claimed = [(claim.better, claim.than) for claim in results.spec.compare if {claim.better, claim.than} <= set(arms)]
    names = [str(basin) for basin in table.index]
    if len(arms) == 1:
        order = np.argsort(-table[arms[0]].to_numpy("float64"), kind="stable")
        steps = np.linspace(0, len(names) - 1, min(asked.basins, len(names))).round().astype(int)
        return tuple(names[order[step]] for step in steps)
    one, other = (claimed or [(arms[0], arms[1])])[0]
    apart = np.abs(table[one].to_numpy("float64") - table[other].to_numpy("float64"))
    return tuple(names[place] for place in np.argsort(-apart, kind="stable")[: asked.basins])


class _Loaded:
    """The model that was loaded last: basins of a trial follow each other."""

    def __init__(self, store: Store, shards: Shards, device: str):
        self._store, self._shards, self._device = store, shards, device
        self._last: tuple[str, tuple[Trial, Simulator]] | None = None

    def model(self, run: "Run") -> tuple[Trial, Simulator]:
        if self._last is None or self._last[0] != run.cell.trial:
            assert run.files is not None
            remote.pull_trials(self._store.home, [run.cell.trial], want=remote.ALL)
            trial, simulator = trained.load(run.files, self._device)
            if self._shards.hash((*trial.train_basins, *trial.test_basins), variables(trial.model)) != trial.data:
                raise DataError(f"{self._shards.manifest.folder}: the data have changed since `{run.cell.arm}` was trained; launch again")
            self._last = run.cell.trial, (trial, simulator)
        return self._last[1]


def _run(results: "Results", arm: str, basin: str) -> "Run | None":
    """The first finished trial of an arm that is tested in a basin."""
    tested = results.scores.loc[(results.scores["arm"] == arm) & (results.scores["basin"] == basin), "trial"]
    there = set(tested)
    return next((run for run in results.of(arm) if run.cell.trial in there), None)


def read(path: Path) -> pd.DataFrame:
    """Surfaces that there are; a file that cannot be read counts as none, for all in it can be computed again."""
    try:
        return pd.read_parquet(path, columns=COLUMNS)
    except (OSError, ValueError, KeyError):
        return pd.DataFrame(columns=COLUMNS)


def _of_plane(known: pd.DataFrame, asked: Surface) -> np.ndarray:
    same = zip(PLANE, (*asked.parameters, asked.metric), strict=True)
    return np.logical_and.reduce([(known[column] == value).to_numpy("bool") for column, value in same])


def _kept(known: pd.DataFrame, results: "Results", asked: Surface, basins: Sequence[str]) -> pd.DataFrame:
    """What stays of what there is."""
    cells = {(run.cell.arm, run.cell.trial) for run in results.runs}
    current = np.array([place in cells for place in zip(known["arm"], known["trial"], strict=True)], dtype=bool)
    alike = known["basin"].isin(list(basins)) & (known["points"] == asked.points) & (known["reach"] == asked.reach)
    return known.iloc[np.flatnonzero(current & (~_of_plane(known, asked) | alike.to_numpy("bool")))]


def _write(table: pd.DataFrame, path: Path) -> None:
    temporary = path.with_name(temporary_name(path.name))
    with writing(path):
        try:
            table.to_parquet(temporary, index=False)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
