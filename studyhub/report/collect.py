"""What a study has brought so far, read from its folder and its trials' files alone."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from studyhub.catalog import METRICS
from studyhub.errors import DataError
from studyhub.report import kept
from studyhub.report.drawing.boundaries import Lines
from studyhub.report.rescored import completed
from studyhub.study.cells import Cell
from studyhub.study.epochs import read_epochs
from studyhub.study.files import make_folder, read_json, writing
from studyhub.study.leases import attempt_name
from studyhub.study.lists import Frozen
from studyhub.study.spec import Arm, StudySpec, read
from studyhub.study.standing import Standing
from studyhub.study.status import cause, look
from studyhub.study.store import Store, claim_text

SCORES, SIMULATION, LISTS, MIRROR = "scores.parquet", "simulation.parquet", "split.csv", "mirror.json"
CELL_COLUMNS = {"trial": "str", "arm": "str", "fold": "int64", "seed": "int64"}
COLUMNS = CELL_COLUMNS | {"basin": "str", "period": "str"} | dict.fromkeys(METRICS, "float64") | {"days": "int64"}
FACTS = {
    "gauge_lat": "lat",
    "gauge_lon": "lon",
    "climate_group": "climate",
    "continent": "continent",
    "huc_02": "huc_02",
    "dataset": "dataset",
}


@dataclass(frozen=True)
class Run:
    """A cell and how its trial stands.

    Parameters
    ----------
    cause : why it diverged or failed
    result : what its ``result.json`` says; empty until the trial ends
    files : folder of its latest attempt
    epochs : what each epoch brought, in their order
    """

    cell: Cell
    state: str
    cause: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    files: Path | None = None
    epochs: tuple[Mapping[str, Any], ...] = ()

    @property
    def has_days(self) -> bool:
        """Whether its simulated days are here: one that came out of an archive may be without."""
        return self.state == "finished" and self.files is not None and (self.files / SIMULATION).exists()


@dataclass(frozen=True)
class Results:
    """A study and its trials.

    Parameters
    ----------
    spec : the study as it was last launched
    runs : its cells, in the plan's order
    scores : one row per cell, basin and period, of finished trials; columns as ``COLUMNS``
    basins : what is known of each basin: basin, lat, lon, climate, continent, huc_02, dataset; missing is NaN or None
    data : source and content hash of the data, and how they were split
    text : the study file as it was resolved, with remarks on where it came from
    declared : claim -> whether it came after results
    lists : basins and periods of each fold; None where they were not kept
    searches : what each search has tried and chosen, as `Store.searches` gives it
    mlflow : where its runs were written to MLflow last, as `studyhub.runner.mirroring` notes it; None where they were not
    folder : of the study
    boundaries : lines behind its maps
    """

    spec: StudySpec
    runs: tuple[Run, ...]
    scores: pd.DataFrame
    basins: pd.DataFrame
    data: Mapping[str, Any]
    text: str = ""
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Frozen | None = None
    searches: Sequence[Mapping[str, Any]] = ()
    mlflow: str | None = None
    folder: Path | None = None
    boundaries: Lines = ()

    def late(self, better: str, than: str, metric: str) -> bool | None:
        """Tell whether a claim was declared when both arms had results already; None where nobody has noted it."""
        return self.declared.get(claim_text(better, than, metric), {}).get("after_results")

    @property
    def arms(self) -> list[str]:
        return [arm.name for arm in self.spec.arms]

    @cached_property
    def scored_arms(self) -> list[str]:
        """Arms with at least one finished trial, in the study's order."""
        there = set(self.scores["arm"].unique())
        return [arm for arm in self.arms if arm in there]

    @property
    def test_period(self) -> str:
        """Days that arms are judged on, in words."""
        return str(self.spec.split.test)

    def comparable(self) -> list[list[str]]:
        """Scored arms in groups, the largest first; those of a group are judged on the same data and days."""
        return [self.scored_arms]

    def states(self) -> dict[str, Counter[str]]:
        """Count the cells of each arm by state."""
        counts: dict[str, Counter[str]] = {}
        for run in self.runs:
            counts.setdefault(run.cell.arm, Counter())[run.state] += 1
        return counts

    def of(self, arm: str) -> list[Run]:
        return [run for run in self.runs if run.cell.arm == arm]

    def epochs(self) -> pd.DataFrame:
        """What each epoch brought: arm, fold, seed, epoch, loss, loss_name, validation."""
        names = {arm.name: arm.training.loss for arm in self.spec.arms if isinstance(arm, Arm)}
        columns = ("arm", "fold", "seed", "epoch", "loss", "loss_name", "validation")
        rows = [
            (run.cell.arm, run.cell.fold, run.cell.seed, epoch["number"], epoch["loss"], names.get(run.cell.arm), epoch["validation"])
            for run in self.runs
            for epoch in run.epochs
        ]
        table = pd.DataFrame(rows, columns=columns)
        return table.astype({"loss": "float64", "validation": "float64"})

    def simulation(self, basins: Iterable[str], arms: Iterable[str] | None = None) -> pd.DataFrame:
        """Test period of some basins by the first finished trial that holds them, of each scored arm or of some ``arms``.

        Columns arm, basin, date, qobs, qsim (mm/d), seed.
        """
        wanted, parts, of = set(basins), [], self.scored_arms if arms is None else set(arms)
        for arm in (arm for arm in self.scored_arms if arm in of):
            left = set(wanted)
            for run in (run for run in self.of(arm) if run.has_days and left):
                part = _series(run, left)
                left -= set(part["basin"].unique())
                parts.append(part.assign(arm=arm, seed=run.cell.seed))
        columns = ["arm", "basin", "date", "qobs", "qsim", "seed"]
        return pd.concat(parts, ignore_index=True).filter(columns) if parts else pd.DataFrame(columns=columns)

    def signatures(self) -> pd.DataFrame:
        """Return signatures of each arm, means over its finished trials: arm, basin, `catalog.SIGNATURES`, each also as ``<name>_obs``."""
        return kept.signatures(self._finished())

    def parameters(self) -> pd.DataFrame:
        """Return what each arm with a water balance has learned: arm, basin, parameter, mean, low, high, daily.

        Means over components, days, and finished trials; the range is the widest of any trial. Arm, basin and parameter are categories.
        """
        return kept.parameters(self._finished())

    def benchmarks(self) -> pd.DataFrame:
        """Return metrics of discharge of what needs no model: basin, benchmark ("climatology" or "mean"), metrics."""
        return kept.benchmarks(self._finished())

    def attributes(self) -> pd.DataFrame:
        """Return everything that is known of the study's basins: basin, then facts and attributes; no rows where that was not kept."""
        return kept.attributes(self.folder)

    def _finished(self) -> Iterator[tuple[str, Path]]:
        """Arm and files of each finished trial, arms in the study's order."""
        for arm in self.arms:
            yield from ((arm, run.files) for run in self.of(arm) if run.state == "finished" and run.files is not None)


def collect(store: Store, name: str) -> Results:
    """Read a study and all that its trials have left so far.

    Raises
    ------
    StoreError, SpecError
        There is no such study, or its files cannot be read.
    DataError
        The scores of a finished trial cannot be read.
    """
    study = store.read_study(name)
    spec = read(store.study_folder(name) / "spec.yaml", name=name)
    looks = look(store, study.cells)
    runs = tuple(_run(store.trial_folder(cell.trial), cell, *found) for cell, found in zip(study.cells, looks, strict=True))
    basins = _basins(study.data.get("basins") or {})
    lists, declared, mlflow = _lists(store.study_folder(name)), store.declared(name), _mlflow(store.study_folder(name))
    return Results(
        spec,
        runs,
        scores(runs),
        basins,
        study.data,
        study.spec_text,
        declared,
        lists,
        store.searches(name),
        mlflow,
        store.study_folder(name),
    )


def scores(runs: Iterable[Run]) -> pd.DataFrame:
    """Scores of all finished trials, one row per cell, basin and period."""
    parts = [_scores(run) for run in runs if run.state == "finished"]
    empty = pd.DataFrame({column: pd.Series(dtype=dtype) for column, dtype in COLUMNS.items()})
    return pd.concat(parts, ignore_index=True) if parts else empty


def write_scores(results: Results, folder: Path) -> Path:
    """Write ``scores.parquet`` into the study's folder, whole or not at all."""
    path = make_folder(folder) / SCORES
    temporary = path.with_name(f".{SCORES}.{os.getpid()}")
    with writing(path):
        try:
            results.scores.to_parquet(temporary, index=False)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def _lists(folder: Path) -> Frozen | None:
    """Lists of a study that has any; damaged ones are none, for scores do not depend on them."""
    try:
        return Frozen.from_csv(folder / LISTS)
    except DataError:
        return None


def _mlflow(folder: Path) -> str | None:
    try:
        found = (read_json(folder / MIRROR) or {}).get("mlflow")
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def _run(folder: Path, cell: Cell, state: str, standing: Standing) -> Run:
    files = folder / attempt_name(standing.attempt) if standing.attempt else None
    epochs = tuple(epoch.content for epoch in read_epochs(folder, standing.attempt))
    return Run(cell, state, cause(standing), standing.result, files, epochs)


def _scores(run: Run) -> pd.DataFrame:
    path = _file(run, SCORES)
    cell = run.cell
    try:
        table = completed(pd.read_parquet(path), path.with_name(SIMULATION))
        table = table.assign(trial=cell.trial, arm=cell.arm, fold=cell.fold, seed=cell.seed)
        return pd.DataFrame({column: table[column].astype(dtype) for column, dtype in COLUMNS.items()})
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from None


def _series(run: Run, basins: set[str]) -> pd.DataFrame:
    path = _file(run, SIMULATION)
    try:
        return kept.days(path, basins, ("date", "qobs", "qsim"))
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from None


def _file(run: Run, name: str) -> Path:
    if run.files is None:
        raise DataError(f"trial {run.cell.trial} has no files; launch the study again")
    return run.files / name


def _unreadable(path: Path, error: Exception) -> DataError:
    first = (str(error).splitlines() or [""])[0]
    return DataError(f"{path}: cannot be read ({first}); remove {path.parent.parent} and launch again to repeat this trial")


def _basins(facts: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    rows = [{"basin": basin} | {short: known.get(name) for name, short in FACTS.items()} for basin, known in facts.items()]
    table = pd.DataFrame(rows, columns=["basin", *FACTS.values()])
    return table.assign(lat=[_number(value) for value in table["lat"]], lon=[_number(value) for value in table["lon"]])


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
