from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import METRICS
from studyhub.report.collect import SCORES, SIMULATION
from studyhub.study.cells import Cell
from studyhub.study.leases import Lease
from studyhub.study.lists import Frozen
from studyhub.study.settings import Split
from studyhub.study.spec import read
from studyhub.study.splits import Fold
from studyhub.study.store import Store

DAYS = pd.date_range("1993-10-01", "1995-09-30")
PROVENANCE = {
    "commit": "0123456789abcdef",
    "dirty": True,
    "packages": {"torch": "2.13.0"},
    "host": "here",
    "device": "cpu",
    "dtype": "float32",
}
SOLVE = {"unit_days": 100, "iterations": 2.0, "unconverged": 3, "cut_days": 4, "residual": 0.9, "below_zero": 5, "backend": "cpu kernel"}
SOLVE |= {"balance": 3e-5}

Outcome = Callable[[Cell], str]
Folds = Mapping[str, tuple[str, ...]]


class Toy:
    """A small study in a store, its trials as they would be left by workers."""

    def __init__(self, home: Path):
        self.home, self.store = home, Store(home)
        self.cells: list[Cell] = []

    def write(
        self,
        arms: tuple[str, ...] = ("sequential", "implicit"),
        seeds: tuple[int, ...] = (1, 2),
        claims: tuple[tuple[str, str, str], ...] = (("implicit", "sequential", "kge"),),
        question: str = "Does the scheme matter?",
        basins: tuple[str, ...] = tuple(f"0{i:02d}" for i in range(12)),
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "toy",
        folds: Folds | None = None,
        left_out: tuple[Mapping[str, Any], ...] = (),
    ) -> "Toy":
        """Write the study; ``folds``, by name the basins that each tests, are kept as a launch keeps them."""
        lines = [
            f"question: {question!r}",
            "split: {train: [1986-10-01, 1991-09-30], test: [1993-10-01, 1995-09-30]}",
            "shared: {model: dpl}",
            "arms:",
            *(f"  {arm}: {{hidden_size: {8 + i}}}" for i, arm in enumerate(arms)),
            f"seeds: {list(seeds)}",
            "compare:",
            *(f"  - {{better: {better}, than: {than}, metric: {metric}}}" for better, than, metric in claims),
        ]
        path = self.home / "study.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        spec = read(path, name=name)
        self.name, self.arms, self.basins = name, arms, basins
        self.tested = dict(enumerate((folds or {}).values(), start=1))
        every = [(arm, fold, seed) for arm in arms for fold in self.tested or (1,) for seed in seeds]
        self.cells = [Cell(*cell, f"{index:016x}") for index, cell in enumerate(every)]
        if facts is None:
            facts = {b: {"gauge_lat": 40 + i, "gauge_lon": -70 - i, "climate_group": "cold"} for i, b in enumerate(basins)}
        data = {"source": "synthetic", "hash": "feed", "basins": facts}
        if folds is not None:
            data |= self._split(folds, spec.split, self.store.study_folder(name), left_out)
        self.store.write_study(name, spec.text(), self.cells, data)
        return self

    def _split(self, folds: Folds, split: Split, folder: Path, out: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
        made = []
        for number, (called, tested) in enumerate(folds.items(), start=1):
            train = tuple(basin for basin in self.basins if basin not in tested) if len(folds) > 1 else self.basins
            made.append(Fold(number, called, train, tested))
        lists = Frozen.of(made, split)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "split.csv").write_text(lists.to_csv(), encoding="utf-8")
        told = [{"number": f.number, "name": f.name, "train": len(f.train_basins), "test": len(f.test_basins)} for f in made]
        return {"split": {"kind": "pub", "hash": lists.hash, "folds": told, "left_out": [dict(left) for left in out]}}

    def end(self, outcome: Outcome = lambda cell: "finished", gain: float = 0.05, missing: tuple[str, ...] = ()) -> "Toy":
        """Let every trial end; later arms score ``gain`` better. ``outcome`` says how, "pending" and "running" too."""
        for cell in self.cells:
            state = outcome(cell)
            if state == "pending":
                continue
            lease = self.store.claim(cell.trial)
            assert lease is not None
            self._epochs(lease)
            match state:
                case "finished":
                    self._files(lease, cell, gain, missing)
                    lease.finish(self._result(cell) | {"state": "finished", "cause": None})
                case "diverged":
                    cause = {"during": "training", "epoch": 1, "basin": "000", "store": "SM", "day": "1990-05-01"}
                    lease.finish(self._result(cell) | {"state": "diverged", "cause": cause})
                case "failed":
                    lease.fail({"cause": "MemoryError: out of <memory>", "kind": "MemoryError", "traceback": []})
                case "running":
                    pass
        return self

    def _result(self, cell: Cell) -> dict[str, Any]:
        timing = {"seconds": 90.0, "seconds_per_update": 0.25, "peak_memory_mib": 1000.4, "parameters": 1234}
        return timing | {"seed": cell.seed, "data": "cafe", "provenance": PROVENANCE, "test_solve": SOLVE}

    def _epochs(self, lease: Lease) -> None:
        (lease.folder / "epochs").mkdir(parents=True, exist_ok=True)
        for number in (1, 2):
            pd.Series({"number": number, "of": 2, "loss": 1 / number, "validation": None, "seconds": 1.0, "updates": 4}).to_json(
                lease.folder / "epochs" / f"{number:04d}.json"
            )
            path = lease.folder / "epochs" / f"{number:04d}.json"
            path.write_text(path.read_text()[:-1] + ', "solve": null}')

    def _files(self, lease: Lease, cell: Cell, gain: float, missing: tuple[str, ...]) -> None:
        rng = np.random.default_rng(cell.seed)
        place = self.arms.index(cell.arm)
        quality = np.linspace(0.4, 0.8, len(self.basins)) + gain * place + rng.normal(0, 0.004, len(self.basins))
        tested = self.tested.get(cell.fold, self.basins)
        quality = quality[[self.basins.index(basin) for basin in tested]]
        table = pd.DataFrame({"basin": tested, "period": "test"} | dict.fromkeys(METRICS, quality) | {"days": len(DAYS)})
        table = table.assign(**{name: 1 - quality for name, metric in METRICS.items() if metric.direction != "larger"})
        table.loc[table["basin"].isin(missing), list(METRICS)] = np.nan
        table.to_parquet(lease.folder / SCORES, index=False)
        q = 1 + np.sin(np.arange(len(DAYS)) / 58)
        series = [pd.DataFrame({"basin": b, "date": DAYS, "qobs": q, "qsim": q * (0.9 + 0.05 * place)}) for b in tested]
        pd.concat(series).astype({"basin": "category"}).to_parquet(lease.folder / SIMULATION, index=False)


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


@pytest.fixture(scope="module")
def lasting_toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """One that all tests of a file share: they must not change it."""
    return Toy(tmp_path_factory.mktemp("toy"))
