"""One trial: where data, model, training and evaluation meet. Knows nothing of schedulers, stores or trackers."""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studyhub.catalog import PHYSICS, RECIPES, variables
from studyhub.data.record import Record
from studyhub.data.shards import Shards
from studyhub.data.windows import Inputs, Sampler, Scaler
from studyhub.errors import DataError
from studyhub.models.build import build
from studyhub.models.dpl import DifferentiableModel
from studyhub.models.lstm import StreamflowLSTM
from studyhub.models.simulation import Simulation, joined
from studyhub.models.target import TargetScaler
from studyhub.runner import outputs
from studyhub.solvers.march import Diverged, SolveReport
from studyhub.study.provenance import provenance
from studyhub.study.settings import Period, Trial
from studyhub.training import checkpoint
from studyhub.training.loop import Epoch, TrainResult, train
from studyhub.training.losses import NonFiniteLoss

BASINS_AT_ONCE = 128  # simulated together; bounds memory over long test periods
FLUXES = ("et", "baseflow")

OnEpoch = Callable[[Epoch], bool | None]
Network = StreamflowLSTM | DifferentiableModel


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: ``state`` is "finished", "diverged" or "stopped"; ``result`` is plain values for the store."""

    state: str
    result: dict[str, Any] = field(default_factory=dict)


def run(trial: Trial, shards: Path, folder: Path, *, cpus: int, device: str, on_epoch: OnEpoch) -> Outcome:
    """Train and judge one model.

    Parameters
    ----------
    trial : what to train on what
    shards : folder of the basins
    folder : of this attempt, for its files: epochs as they happen; scores, simulation, parameters and weights at the end
    cpus : threads that torch and the kernels use, for the record
    device : "cpu" or "cuda"
    on_epoch : called after each epoch; returns True to stop

    Raises
    ------
    DataError
        the data are damaged or do not hold what the trial needs, or the loss is not a number (basin and day are named)
    """
    begun = time.perf_counter()
    stage = _Stage(trial, Shards.open(shards), device)
    try:
        trained = stage.train(folder, on_epoch)
        if trained.stopped:
            return Outcome("stopped")
        stage.save(folder)
        solve = stage.judge(folder)
    except Diverged as divergence:
        return Outcome("diverged", stage.summary(begun, cpus) | {"cause": stage.where(divergence)})
    return Outcome("finished", stage.summary(begun, cpus) | {"cause": None, "kept_epoch": trained.kept, "test_solve": solve})


class _Stage:
    """The parts of one trial, and what is needed to say where something went wrong."""

    def __init__(self, trial: Trial, shards: Shards, device: str):
        self.trial, self.shards, self.device = trial, shards, device
        if shards.hash((*trial.train_basins, *trial.test_basins), variables(trial.model)) != trial.data:
            raise DataError(f"{shards.manifest.folder}: the data have changed since the study was planned; launch it again")
        self.dtype = getattr(torch, trial.dtype)
        split, model = trial.split, trial.model
        self.epochs: list[Epoch] = []
        self.now: tuple[str, Period, tuple[str, ...], int] = ("training", split.train, trial.train_basins, 0)
        record = self._read(trial.train_basins, split.train)
        logged = RECIPES[model.recipe].logged
        self.scaler = Scaler.fit(record, split.train, trial.train_basins, model.forcing, model.attributes, logged)
        inputs = self._inputs(record)
        initial, draws = (torch.Generator().manual_seed(int(s)) for s in np.random.SeedSequence(trial.seed).generate_state(2))
        training = trial.training
        self.sampler = Sampler(inputs, split.warmup, training.window, training.batch, training.updates_per_epoch, draws)
        q = inputs.q[split.warmup :]
        target = TargetScaler.fit(model.recipe, q, inputs.attributes, self.scaler.attributes) if model.kind == "lstm" else None
        context = split.warmup + 1 if training.window == 1 else None
        self.model: Network = build(model, target, initial, context=context).to(self.device, self.dtype)
        self.target = target

    def train(self, folder: Path, on_epoch: OnEpoch) -> TrainResult:
        log = folder / "epochs"
        log.mkdir(parents=True, exist_ok=True)

        def record_epoch(epoch: Epoch) -> bool:
            self.epochs.append(epoch)
            content = {key: None if value != value else value for key, value in asdict(epoch).items()}  # JSON has no NaN
            (log / f"{epoch.number:04d}.json").write_text(json.dumps(content))
            return bool(on_epoch(epoch))

        validation = self.trial.split.validation
        validate = None if validation is None else lambda: self._validation_score(validation)
        try:
            return train(self.model, self.sampler, self.trial.training, on_epoch=record_epoch, validate=validate)
        except NonFiniteLoss as fault:
            raise DataError(self._explain(fault)) from None

    def save(self, folder: Path) -> None:
        """Write the weights, with the scales that whoever uses them needs."""
        checkpoint.save(folder / "weights.npz", self.model.state_dict())
        scales = {"inputs": self.scaler.state(), "target": None if self.target is None else self.target.state()}
        (folder / "scales.json").write_text(json.dumps(scales))

    def judge(self, folder: Path) -> dict[str, Any] | None:
        """Score the test period once and write what the model did there."""
        split = self.trial.split
        record = self._read(self.trial.test_basins, split.test.before(split.test_warmup))
        simulation = self._simulate("test", record, split.test, complete=True)
        outputs.write(folder, record.during(split.test), simulation)
        return asdict(simulation.solve) if isinstance(simulation.solve, SolveReport) else None

    def _validation_score(self, period: Period) -> float:
        """Median NSE over the training basins in the validation period."""
        record = self._read(self.trial.train_basins, period.before(self.trial.split.test_warmup))
        simulation = self._simulate("validation", record, period)
        scores = outputs.scores(record.during(period), simulation)["nse"]
        self.now = ("training", self.trial.split.train, self.trial.train_basins, 0)
        return float(np.nanmedian(scores)) if np.isfinite(scores).any() else float("nan")

    def _simulate(self, what: str, record: Record, period: Period, *, complete: bool = False) -> Simulation:
        inputs, warmup = self._inputs(record), len(record.dates) - period.days
        self.model.eval()
        wanted = {"outputs": FLUXES, "parameters": True} if complete and isinstance(self.model, DifferentiableModel) else {}
        parts = []
        with torch.no_grad():
            for first in range(0, len(record.basins), BASINS_AT_ONCE):
                some = slice(first, first + BASINS_AT_ONCE)
                self.now = (what, record.period, record.basins, first)
                forcing = None if inputs.forcing is None else inputs.forcing[:, some]
                parts.append(self.model(inputs.x[:, some], inputs.attributes[some], forcing, warmup, **wanted))
        self.model.train()
        return joined(parts)

    def _read(self, basins: tuple[str, ...], period: Period) -> Record:
        return self.shards.read(basins, variables(self.trial.model), period, self.trial.model.attributes)

    def _inputs(self, record: Record) -> Inputs:
        physics = None if self.trial.model.kind == "lstm" else PHYSICS[self.trial.model.physics].forcing
        return Inputs.build(record, self.scaler, self.trial.model.forcing, physics, self.device, self.dtype)

    def where(self, divergence: Diverged) -> dict[str, Any]:
        """Basin, store and day of a divergence."""
        what, period, basins, first = self.now
        if what == "training":
            batch = self.sampler.last
            basin, day = basins[int(batch.basin[divergence.basin])], int(batch.begin[divergence.basin]) + divergence.day
        else:
            basin, day = basins[first + divergence.basin], divergence.day
        epoch = len(self.epochs) + (what == "training")
        return {"during": what, "epoch": epoch, "basin": basin, "store": divergence.store, "day": self._date(period, day)}

    @staticmethod
    def _date(period: Period, day: int) -> str:
        return str(period.start + timedelta(days=day))

    def _explain(self, fault: NonFiniteLoss) -> str:
        place = ""
        if fault.sample is not None and fault.day is not None:
            batch, split = self.sampler.last, self.trial.split
            day = int(batch.begin[fault.sample]) + split.warmup + fault.day
            place = f" in basin {self.trial.train_basins[int(batch.basin[fault.sample])]} on {self._date(split.train, day)}"
        return (
            f"the {fault.what} is not a finite number{place}, in epoch {len(self.epochs) + 1}; "
            "look at that basin's forcing and discharge, or lower the learning rate"
        )

    def summary(self, begun: float, cpus: int) -> dict[str, Any]:
        updates, spent = sum(e.updates for e in self.epochs), sum(e.seconds for e in self.epochs)
        return {
            "epochs": len(self.epochs),
            "updates": updates,
            "seconds": time.perf_counter() - begun,
            "seconds_per_update": spent / updates if updates else None,
            "peak_memory_mib": _peak_memory(self.device),
            "cpus": cpus,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "seed": self.trial.seed,
            "data": self.trial.data,
            "provenance": provenance(device=self.device, dtype=self.trial.dtype),
        }


def _peak_memory(device: str) -> float:
    """Peak memory in MiB: of the GPU, or of this process (which may have run other trials before)."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
