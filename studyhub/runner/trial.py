"""One trial: where data, model, training and evaluation meet. Knows nothing of schedulers, stores or trackers."""

import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studyhub.catalog import RECIPES, variables
from studyhub.data.decoded import share
from studyhub.data.manifest import Where
from studyhub.data.record import Record
from studyhub.data.scaling import Scaler
from studyhub.data.shards import Shards
from studyhub.data.stream import StreamingSampler
from studyhub.data.windows import Inputs, Sampler
from studyhub.errors import DataError, LossError
from studyhub.evaluation.metrics import score
from studyhub.models.build import build
from studyhub.models.target import TargetScaler
from studyhub.runner import outputs, resume, trained
from studyhub.runner.judged import Observed
from studyhub.runner.simulate import BASINS_AT_ONCE, Simulator, physics_forcing, snow_stores
from studyhub.solvers.march import Diverged, SolveReport
from studyhub.study.provenance import provenance
from studyhub.study.settings import Period, Trial
from studyhub.training.loop import Epoch, TrainResult, train
from studyhub.training.losses import NonFiniteLoss
from studyhub.training.state import State

OnEpoch = Callable[[Epoch], bool | None]
Keep = Callable[[State, bool], None]


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: ``state`` is "finished", "diverged" or "stopped"; ``result`` is plain values for the store."""

    state: str
    result: dict[str, Any] = field(default_factory=dict)


def run(
    trial: Trial,
    shards: Where,
    folder: Path,
    *,
    cpus: int,
    device: str,
    on_epoch: OnEpoch,
    before: Path | None = None,
    parent: Path | None = None,
    until: int | None = None,
) -> Outcome:
    """Train and judge one model.

    Parameters
    ----------
    trial : what to train on what
    shards : folder of the basins, or several
    folder : of this attempt, for its files: epochs and a checkpoint as they happen; scores, simulation, parameters and weights at the end
    cpus : threads that torch and the kernels use, for the record
    device : "cpu" or "cuda"
    on_epoch : called after each epoch; returns True to stop
    before : folder of an earlier attempt at this trial, from whose checkpoint it goes on: on a CPU, to bitwise the same end
    parent : folder of the finished attempt whose weights it starts from, for a trial that has a parent
    until : a rung: train to this epoch, score as at the end into ``rung-0004.parquet``, and stop with ``{"rung": 4}``, the checkpoint kept;
        the last epoch is no rung

    Raises
    ------
    DataError
        the data are damaged or do not hold what the trial needs; as a LossError, the loss is not a number (basin and day are named)
    StoreError
        the checkpoint or a file of the parent cannot be read
    """
    until = None if until is None or until >= trial.training.epochs else until
    earlier = None if before is None else resume.read(before, trial)
    assert earlier is None or until is None or earlier.epoch <= until, f"{before} is at epoch {earlier.epoch}, behind the rung {until}"
    (folder / resume.EPOCHS).mkdir(parents=True, exist_ok=True)
    if before is not None and earlier is not None:
        resume.inherit(before, earlier.state, folder)
    if until is not None and (folder / resume.rung_name(until)).exists():
        return Outcome("stopped", {"rung": until})
    keep = resume.Keeper(folder, trial, 0.0 if earlier is None else earlier.seconds)
    stage = _Stage(trial, Shards.open(shards, trial.fill), device)
    try:
        if earlier is None and trial.parent is not None:
            assert parent is not None, f"the trial starts from {trial.parent}, but it is not said where that is"
            trained.start_from(parent, trial, stage.simulator.network, stage.scaler)
        weights = stage.train(folder, on_epoch, keep, earlier, until)
        if weights.stopped:
            return Outcome("stopped")
        if until is not None:
            stage.rung(folder / resume.rung_name(until))
            return Outcome("stopped", {"rung": until})
        trained.save(folder, trial, stage.simulator, stage.target, stage.shards.manifest)
        solve = stage.judge(folder)
    except Diverged as divergence:
        return Outcome("diverged", stage.summary(keep.seconds, cpus) | {"cause": stage.where(divergence)})
    finally:
        stage.close()
    return Outcome("finished", stage.summary(keep.seconds, cpus) | {"cause": None, "kept_epoch": weights.kept, "test_solve": solve})


class _Stage:
    """The parts of one trial, and what is needed to say where something went wrong."""

    def __init__(self, trial: Trial, shards: Shards, device: str):
        self.trial, self.device = trial, device
        if shards.hash((*trial.train_basins, *trial.test_basins), variables(trial.model)) != trial.data:
            raise DataError(f"{shards.manifest.folder}: the data have changed since the study was planned; launch it again")
        self.shards = share(shards, trial)
        if device != "cpu":
            torch.cuda.init()
            torch.cuda.reset_peak_memory_stats()
        self.dtype = getattr(torch, trial.dtype)
        split, model, training = trial.split, trial.model, trial.training
        self.epochs: list[Epoch] = []
        self.during = "training"
        self.generators = [torch.Generator().manual_seed(int(s)) for s in np.random.SeedSequence(trial.seed).generate_state(2)]
        initial, draws = self.generators
        self.scaler, q, attributes, inputs = self._training_data()
        observed, scales = q[split.warmup :], self.scaler.attributes
        self.target = TargetScaler.fit(model.recipe, observed, attributes, scales) if model.kind == "lstm" else None
        context = split.warmup + 1 if training.window == 1 else None
        network = build(model, self.target, initial, context=context).to(self.device, self.dtype)
        self.simulator = Simulator(model, network, self.scaler, self.device, self.dtype)
        windows = (split.warmup, training.window, training.batch, training.updates_per_epoch, draws)
        if inputs is not None:
            self.sampler: Sampler | StreamingSampler = Sampler(inputs, *windows)
        else:
            self.sampler = StreamingSampler(self._group, q, training.resident or 1, *windows)

    def _training_data(self) -> tuple[Scaler, torch.Tensor, torch.Tensor, Inputs | None]:
        """Scales; discharge [time, basin] and scaled attributes [basin, attribute]; inputs, if all basins may stay."""
        trial, model = self.trial, self.trial.model
        logged = RECIPES[model.recipe].logged
        if self._all_resident:
            record = self._read(trial.train_basins, trial.split.train)
            scaler = Scaler.fit(record, trial.split.train, trial.train_basins, model.forcing, model.attributes, logged)
            inputs = self._inputs(scaler, record)
            return scaler, inputs.q, inputs.attributes, inputs
        kept: list[Record] = []

        def parts() -> Iterator[Record]:
            for first in range(0, len(trial.train_basins), BASINS_AT_ONCE):
                part = self._read(trial.train_basins[first : first + BASINS_AT_ONCE], trial.split.train)
                yield part
                kept.append(replace(part, series={"qobs": part.variable("qobs")}))

        scaler = Scaler.fit(parts(), trial.split.train, trial.train_basins, model.forcing, model.attributes, logged)
        q = np.concatenate([part.variable("qobs") for part in kept]).T
        attributes = np.concatenate([scaler.scale_attributes(part) for part in kept])
        there = {"dtype": self.dtype, "device": self.device}
        return scaler, torch.as_tensor(np.ascontiguousarray(q), **there), torch.as_tensor(attributes, **there), None

    @property
    def _all_resident(self) -> bool:
        resident = self.trial.training.resident
        return resident is None or resident >= len(self.trial.train_basins)

    def _group(self, members: Sequence[int]) -> Inputs:
        return self._inputs(self.scaler, self._read(tuple(self.trial.train_basins[i] for i in members), self.trial.split.train))

    def close(self) -> None:
        if isinstance(self.sampler, StreamingSampler):
            self.sampler.close()

    def train(self, folder: Path, on_epoch: OnEpoch, keep: Keep, earlier: resume.Before | None, until: int | None) -> TrainResult:
        before = None if earlier is None else earlier.state
        self.epochs = [] if before is None else list(before.epochs)

        def record_epoch(epoch: Epoch) -> bool:
            self.epochs.append(epoch)
            resume.write_epoch(folder, epoch)
            return bool(on_epoch(epoch))

        validation = self.trial.split.validation
        validate = None if validation is None else lambda: self._validation_score(validation)
        try:
            return train(
                self.simulator.network,
                self.sampler,
                self.trial.training,
                generators=self.generators,
                on_epoch=record_epoch,
                validate=validate,
                keep=keep,
                before=before,
                until=until,
            )
        except NonFiniteLoss as fault:
            raise LossError(self._explain(fault)) from None
        finally:
            self.close()  # the test needs the memory

    def rung(self, path: Path) -> None:
        """Score the test period as it would be scored at the end; no score where a store diverges there, which later epochs may mend."""
        split, basins = self.trial.split, self.trial.test_basins
        self.during, parts = "test", []
        try:
            for record, simulation in self.simulator.blocks(self.shards, basins, split.test, split.test_warmup):
                parts.append(outputs.table_of(record.basins, outputs.scores(record, simulation)))
        except Diverged:
            nothing = np.full((len(basins), 1), np.nan)
            parts = [outputs.table_of(basins, score(nothing, nothing))]
        outputs.write_table(path, parts)

    def judge(self, folder: Path) -> dict[str, Any] | None:
        """Score the test period once and write what the model did there."""
        split, basins = self.trial.split, self.trial.test_basins
        self.during, solve = "test", None
        snow = snow_stores(self.trial.model) if "swe_obs" in self.shards.variables else ()  # stores cost memory
        with outputs.Outputs(folder, basins) as files:
            blocks = self.simulator.blocks(self.shards, basins, split.test, split.test_warmup, complete=True, stores=bool(snow))
            for record, simulation in blocks:
                files.add(record, simulation, Observed.read(self.shards, record.basins, split.test, split.train), snow)
                if simulation.solve is not None:
                    solve = simulation.solve if solve is None else solve.then(simulation.solve)
        return asdict(solve) if isinstance(solve, SolveReport) else None

    def _validation_score(self, period: Period) -> float:
        """Median NSE over the training basins in the validation period."""
        self.during, scores = "validation", []
        for record, simulation in self.simulator.blocks(self.shards, self.trial.train_basins, period, self.trial.split.test_warmup):
            scores.append(outputs.efficiency(record, simulation))
        self.during = "training"
        every = np.concatenate(scores)
        return float(np.nanmedian(every)) if np.isfinite(every).any() else float("nan")

    def _read(self, basins: tuple[str, ...], period: Period) -> Record:
        return self.shards.read(basins, variables(self.trial.model), period, self.trial.model.attributes)

    def _inputs(self, scaler: Scaler, record: Record) -> Inputs:
        model = self.trial.model
        return Inputs.build(record, scaler, model.forcing, physics_forcing(model), self.device, self.dtype)

    def where(self, divergence: Diverged) -> dict[str, Any]:
        """Basin, store and day of a divergence."""
        now = self.simulator.now
        if now is None:
            batch, period = self.sampler.last, self.trial.split.train
            basin = self.trial.train_basins[int(batch.basin[divergence.basin])]
            day = int(batch.begin[divergence.basin]) + divergence.day
        else:
            period, basins = now
            basin, day = basins[divergence.basin], divergence.day
        epoch = len(self.epochs) + (self.during != "test")
        return {"during": self.during, "epoch": epoch, "basin": basin, "store": divergence.store, "day": self._date(period, day)}

    @staticmethod
    def _date(period: Period, day: int) -> str:
        return str(period.start + timedelta(days=day))

    def _explain(self, fault: NonFiniteLoss) -> str:
        place = ""
        if fault.sample is not None and fault.day is not None:
            batch, split = self.sampler.last, self.trial.split
            day = int(batch.begin[fault.sample]) + split.warmup + fault.day
            place = f" in basin {self.trial.train_basins[int(batch.basin[fault.sample])]} on {self._date(split.train, day)}"
            place += f" (its most unusual input: {self._unusual(fault.sample)})"
        return (
            f"the {fault.what} is not a finite number{place}, in epoch {len(self.epochs) + 1}; "
            "look at that basin's forcing and discharge, or lower the learning rate"
        )

    def _unusual(self, sample: int) -> str:
        """Variable and day of the input of a sample that lies farthest from the mean of the training."""
        x = self.sampler.last.x[:, sample].nan_to_num(torch.inf).abs()
        day, column = divmod(int(x.argmax()), x.shape[1])
        when = self._date(self.trial.split.train, int(self.sampler.last.begin[sample]) + day)
        return f"{self.trial.model.forcing[column]} on {when}, {float(x[day, column]):.1f} standard deviations from the mean"

    def summary(self, seconds: float, cpus: int) -> dict[str, Any]:
        updates, spent = sum(e.updates for e in self.epochs), sum(e.seconds for e in self.epochs)
        return {
            "epochs": len(self.epochs),
            "updates": updates,
            "seconds": seconds,
            "seconds_per_update": spent / updates if updates else None,
            "peak_memory_mib": _peak_memory(self.device),
            "cpus": cpus,
            "parameters": sum(p.numel() for p in self.simulator.network.parameters()),
            "seed": self.trial.seed,
            "data": self.trial.data,
            "provenance": provenance(device=self.device, dtype=self.trial.dtype),
        }


def _peak_memory(device: str) -> float:
    """Peak memory in MiB: of the GPU, or of this process (which may have run other trials before)."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
