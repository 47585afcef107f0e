"""Studies whose trials are written by hand, and an MLflow database to mirror them into."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from studyhub.catalog import METRICS
from studyhub.study.cells import Cell
from studyhub.study.leases import Lease
from studyhub.study.spec import StudySpec, read
from studyhub.study.store import Store

STUDY = """\
question: Do <two> LSTMs differ?
data: {reader: synthetic, basins: 4, years: 6}
split: {train: [1986-10-01, 1988-09-30], test: [1990-10-01, 1991-09-30], warmup: 100, test_warmup: 200}
shared: {model: lstm, hidden_size: 4, forcing: [prcp, tmean, pet], attributes: [p_mean]}
training: {epochs: 3, batch: 4, window: 100, updates_per_epoch: 2}
arms:
  small: {}
  large: {hidden_size: 6}
  hybrid: {model: dpl, scheme: implicit, may_diverge: true}
seeds: [1, 2]
compare: [{better: large, than: small, metric: kge}]
"""
SOLVE = {"unit_days": 100, "iterations": 1.5, "unconverged": 2, "cut_days": 0, "residual": 0.5, "below_zero": 0, "backend": "cpu kernel"}
PROVENANCE = {
    "commit": "0123abc",
    "dirty": True,
    "packages": {"torch": "2.13.0", "ray": "2.60.0"},
    "host": "node1",
    "cpus": 8,
    "device": "cpu",
    "dtype": "float32",
}


@dataclass
class Home:
    """A home with one study, ``two``, unless another is made."""

    folder: Path
    text: str = STUDY

    @property
    def store(self) -> Store:
        return Store(self.folder)

    def make(self, name: str = "two", *changes: tuple[str, str], data: dict[str, Any] | None = None) -> list[Cell]:
        """Write a study, with some of its text replaced; an arm's trials keep their ids whatever it is called."""
        text = self.text
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        spec, numbers = self._read(name, text), {arm.settings: number for number, arm in enumerate(self._read("two", self.text).arms, 1)}
        cells = [Cell(arm.name, 1, seed, f"{numbers.setdefault(arm.settings, 90):08}{seed:08}") for arm in spec.arms for seed in spec.seeds]
        self.store.write_study(name, spec.text(), cells, data)
        return cells

    def _read(self, name: str, text: str) -> StudySpec:
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return read(path, name=name)

    def begin(self, cell: Cell) -> Lease:
        lease = self.store.claim(cell.trial)
        assert lease is not None
        (lease.folder / "epochs").mkdir()
        return lease

    def epoch(self, lease: Lease, number: int, loss: float | None = None, solve: dict[str, Any] | None = None) -> None:
        content = {"number": number, "of": 3, "loss": 1 / number if loss is None else loss, "validation": None}
        content |= {"seconds": 0.25, "updates": 2, "solve": solve}
        (lease.folder / "epochs" / f"{number:04}.json").write_text(json.dumps(content))

    def finish(self, lease: Lease, state: str = "finished", **result: Any) -> None:
        if state == "finished":
            scores = {name: [0.1 * number, 0.2 * number, 0.9] for number, name in enumerate(METRICS, start=1)}
            table = pd.DataFrame({"basin": ["01", "02", "03"], "period": "test"} | scores | {"days": 10})
            table.to_parquet(lease.folder / "scores.parquet", index=False)
        told = {"seconds": 12.5, "seconds_per_update": 0.5, "peak_memory_mib": 100.0, "data": "d" * 16, "provenance": PROVENANCE}
        assert lease.finish({"state": state, "cause": None, "test_solve": SOLVE} | told | result)

    def run(self, cell: Cell, epochs: int = 3, state: str = "finished", **result: Any) -> Lease:
        """A whole trial."""
        lease = self.begin(cell)
        for number in range(1, epochs + 1):
            self.epoch(lease, number)
        self.finish(lease, state, **result)
        return lease

    def search(self, arm: str, drawn: list[dict[str, Any]], name: str = "two", chosen: dict[str, Any] | None = None) -> list[Cell]:
        """Write a search of an arm, and return its trials as if they were cells."""
        trials = [f"{arm.encode().hex():0<10}"[:10] + f"{number:06}" for number in range(len(drawn))]
        rows = [
            {"number": number, "params": params, "trial": trial, "values": None, "state": "pending", "epochs": None}
            for number, (params, trial) in enumerate(zip(drawn, trials, strict=True))
        ]
        entry = {"arm": arm, "fold": 1, "done": chosen is not None, "chosen": chosen, "note": None, "budget": 4, "objectives": ["nse"]}
        path = self.store.study_folder(name) / "searches.json"
        path.write_text(json.dumps([entry | {"seed": 7, "trials": rows}]))
        return [Cell(arm, 1, 7, trial) for trial in trials]

    def rung(self, cell: Cell, epoch: int, nse: float) -> Lease:
        """Train to a rung and be judged there."""
        lease = self.begin(cell)
        table = pd.DataFrame({"basin": ["01", "02", "03"], "period": "test"} | dict.fromkeys(METRICS, 0.0) | {"nse": nse, "days": 10})
        table.to_parquet(lease.folder / f"rung-{epoch:04}.parquet", index=False)
        lease.release({"rung": epoch})
        return lease

    def kill(self, lease: Lease) -> None:
        """Let the process that holds the trial be dead."""
        path = lease.trial_folder / f"lease-{lease.number:03}.json"
        record = json.loads(path.read_text()) | {"started": "0"}
        path.write_text(json.dumps(record))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """A database of MLflow's with nothing in it: to make one takes seconds."""
    from studyhub.runner.mirror import connect
    from studyhub.runner.tracking import Tracking

    folder = tmp_path_factory.mktemp("mlflow")
    tracking = Tracking.of(folder)
    connect(tracking)
    return folder / "mlflow.db"


@pytest.fixture
def new_home(tmp_path, empty_database, monkeypatch) -> Callable[..., Home]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def new(name: str = "home") -> Home:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        shutil.copy(empty_database, folder / "mlflow.db")
        return Home(folder)

    return new


@pytest.fixture
def home(new_home) -> Home:
    return new_home()
