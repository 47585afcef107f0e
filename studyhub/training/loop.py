"""The training loop: draw, simulate, compare, step. No files and no scheduler: what it finds goes to ``on_epoch`` and into the result."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from studyhub.models.simulation import Report, Simulation
from studyhub.study.settings import Training
from studyhub.training import losses
from studyhub.training.losses import NonFiniteLoss
from studyhub.training.memory import keep_freed_memory
from studyhub.training.optimizer import optimizer
from studyhub.training.state import Epoch, State


class Batch(Protocol):
    """What a model is shown at once; see `studyhub.data.windows.Batch`."""

    @property
    def x(self) -> Tensor: ...
    @property
    def attributes(self) -> Tensor: ...
    @property
    def forcing(self) -> Tensor | None: ...
    @property
    def q(self) -> Tensor: ...
    @property
    def basin(self) -> Tensor: ...


class Sampler(Protocol):
    """Where batches come from; see `studyhub.data.windows.Sampler`."""

    warmup: int
    updates_per_epoch: int

    @property
    def q(self) -> Tensor:
        """Discharge of all training basins and days, mm/d [time, basin], on the training's device."""
        ...

    @property
    def position(self) -> dict[str, int]:
        """What decides the batches to come, beside the generator."""
        ...

    def go_to(self, position: Mapping[str, int]) -> None:
        """Go on from where a sampler was that draws from the same basins. Nothing has been drawn yet."""
        ...

    def draw(self) -> Batch: ...


class Scaled(Protocol):
    """A model whose simulations have a ``target``."""

    def scale(self, q: Tensor, attributes: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class TrainResult:
    """``kept`` is the epoch that the model's weights are from; ``stopped`` says that ``on_epoch`` ended the training before its time."""

    epochs: tuple[Epoch, ...]
    kept: int
    stopped: bool


def train(
    model: nn.Module,
    sampler: Sampler,
    settings: Training,
    *,
    generators: Sequence[torch.Generator] = (),
    on_epoch: Callable[[Epoch], bool | None] | None = None,
    validate: Callable[[], float] | None = None,
    keep: Callable[[State, bool], None] | None = None,
    before: State | None = None,
    until: int | None = None,
) -> TrainResult:
    """Train a model in place.

    Equal models, samplers and settings end in bitwise equal weights on one CPU with as many threads, whether the training goes through
    or stops after any epoch and goes on from its state.

    Parameters
    ----------
    model : ``model(x, attributes, forcing, warmup) -> Simulation``, and ``model.scale(q, attributes)`` where simulations have a ``target``
    sampler : where batches come from
    generators : those that model and sampler draw from, for ``keep`` and ``before``
    on_epoch : called after each epoch; True stops
    validate : the score after each epoch, larger is better; called in evaluation mode, without gradients; ``checkpoint: best`` needs it
    keep : called after each epoch, and after ``on_epoch``, with the state to go on from (its tensors are those in use: to be copied or
        written at once) and whether the training ends here
    before : the state to go on from; model, sampler and generators are those that a training begins with
    until : the last epoch for now; None: that of the settings

    Raises
    ------
    NonFiniteLoss
        instead of the step that would have spoilt the weights
    """
    keeps_best = settings.checkpoint == "best"
    if keeps_best and validate is None:
        raise ValueError("checkpoint best needs a validation score: give a validation period or choose checkpoint last")
    if sampler.q.device.type == "cpu":
        keep_freed_memory()
    updater = _Updater(model, sampler, settings, generators)
    epochs: list[Epoch] = []
    score, kept, best, stopped = -math.inf, 0, {}, False
    if before is not None:
        updater.go_on(before)
        epochs, kept, best = list(before.epochs), before.kept, before.best
        score = cast(float, epochs[kept - 1].validation) if kept else score
    last = settings.epochs if until is None else until
    for number in range(len(epochs) + 1, last + 1):
        loss, seconds, updates, solve = updater.epoch(number)
        found = None if validate is None else _score(model, validate)
        epochs.append(Epoch(number, settings.epochs, loss, found, seconds, updates, solve))
        if keeps_best and found is not None and found > score:  # never true of NaN
            score, kept, best = found, number, {name: value.detach().clone() for name, value in model.state_dict().items()}
        stopped = on_epoch is not None and bool(on_epoch(epochs[-1])) and number < last
        if keep is not None:
            keep(updater.state(tuple(epochs), kept, best), stopped or number == last)
        if stopped:
            break
    if kept:
        model.load_state_dict(best)
    model.eval()
    return TrainResult(tuple(epochs), kept or len(epochs), stopped)


def learning_rate(steps: Sequence[tuple[int, float]], epoch: int) -> float:
    """Rate of the last (first epoch, rate) step begun by ``epoch``, counted from 1."""
    return max((step for step in steps if step[0] <= epoch), default=min(steps))[1]


class _Updater:
    def __init__(self, model: nn.Module, sampler: Sampler, settings: Training, generators: Sequence[torch.Generator]):
        self.model, self.sampler, self.settings, self.generators = model, sampler, settings, generators
        self.weights = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
        rate = learning_rate(settings.learning_rate, 1)
        self.optimizer = optimizer(settings.optimizer, [value for _, value in self.weights], rate)
        self.sigma = _deviations(sampler.q)

    def state(self, epochs: tuple[Epoch, ...], kept: int, best: Mapping[str, Tensor]) -> State:
        """Where the training stands, with what each epoch brought and the weights that are the best so far."""
        gathered = {f"{i}.{name}": value for i, of in self.optimizer.state_dict()["state"].items() for name, value in of.items()}
        draws = tuple(generator.get_state() for generator in self.generators)
        return State(epochs, self.model.state_dict(), gathered, draws, self.sampler.position, kept, best)

    def go_on(self, before: State) -> None:
        self.model.load_state_dict(before.weights)
        gathered: dict[int, dict[str, Tensor]] = {}
        for key, value in before.optimizer.items():
            i, name = key.split(".", 1)
            gathered.setdefault(int(i), {})[name] = value.clone()  # the optimiser goes on in the same memory
        self.optimizer.load_state_dict({"state": gathered, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.sampler.go_to(before.sampler)
        for generator, state in zip(self.generators, before.generators, strict=True):
            generator.set_state(state)

    def epoch(self, number: int) -> tuple[float, float, int, Report | None]:
        """Mean loss, seconds, steps taken, and how the water balance was solved."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings.learning_rate, number)
        self.model.train()
        begun, found, solve = time.perf_counter(), [], None
        for _ in range(self.sampler.updates_per_epoch):
            batch = self.sampler.draw()
            simulation: Simulation = self.model(batch.x, batch.attributes, batch.forcing, self.sampler.warmup)
            if simulation.solve is not None:
                solve = simulation.solve if solve is None else solve.then(simulation.solve)
            loss = self._step(simulation, batch)
            if loss is not None:
                found.append(loss)
        mean = sum(found) / len(found) if found else math.nan
        return mean, time.perf_counter() - begun, len(found), solve

    def _step(self, simulation: Simulation, batch: Batch) -> float | None:
        """Return the loss of one step; None, and no step, where nothing was observed: optimisers move even on a gradient of zeros."""
        what, sim, obs = self._compared(simulation, batch)
        loss = self._loss(sim, obs, batch)
        found = (~obs.isnan()).any(), sim.isfinite().all(), loss.detach()
        # One transfer for all three, since on a GPU each one waits for the device.
        observed, simulated, value = torch.stack([one.double() for one in found]).tolist()
        if not simulated or not math.isfinite(value):
            raise _cause(what, sim, obs)
        if not observed:
            return None
        self.optimizer.zero_grad()
        loss.backward()
        self._check_gradients()
        self.optimizer.step()
        return value

    def _compared(self, simulation: Simulation, batch: Batch) -> tuple[str, Tensor, Tensor]:
        """What is compared with what: discharge, or for a network with a target of its own, that (Eq. 35's root takes discharge only)."""
        if simulation.target is None or self.settings.loss == "rmse_log":
            return "discharge", simulation.discharge, batch.q
        return "target", simulation.target, cast(Scaled, self.model).scale(batch.q, batch.attributes)

    def _loss(self, sim: Tensor, obs: Tensor, batch: Batch) -> Tensor:
        match self.settings.loss:
            case "rmse_log":
                return losses.rmse_log(sim, obs, self.settings.loss_weight)
            case "rmse":
                return losses.rmse(sim, obs)
            case "nse":
                return losses.nse(sim, obs, self.sigma[batch.basin])
            case other:
                raise ValueError(f"a loss is rmse_log, rmse or nse, got {other!r}")

    def _check_gradients(self) -> None:
        """Clip them, and refuse those that would spoil the weights."""
        gradients = [value.grad for _, value in self.weights if value.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not norm.isfinite():
            wrong = [name for name, value in self.weights if value.grad is not None and not value.grad.isfinite().all()]
            raise NonFiniteLoss(f"gradient of {wrong[0]}" if wrong else "norm of the gradients")
        if self.settings.gradient_norm is not None:
            torch.nn.utils.clip_grads_with_norm_([value for _, value in self.weights], self.settings.gradient_norm, norm)


def _score(model: nn.Module, validate: Callable[[], float]) -> float:
    model.eval()
    with torch.no_grad():
        return validate()


def _cause(what: str, sim: Tensor, obs: Tensor) -> NonFiniteLoss:
    """Name the first value that is not finite, by day: a simulated one, else an observed one; else the loss itself has overflowed."""
    for name, wrong in ((what, ~sim.isfinite()), ("observation", obs.isinf())):
        if wrong.any():
            day, sample = wrong.nonzero()[0].tolist()
            return NonFiniteLoss(name, sample, day)
    return NonFiniteLoss("loss")


def _deviations(q: Tensor) -> Tensor:
    """Standard deviation over the observed days of [time, basin], as [basin]; 0 where nothing was observed."""
    seen = ~q.isnan()
    count = seen.sum(0).clamp(min=1)
    q = q.nan_to_num(nan=0.0)
    anomaly = torch.where(seen, q - q.sum(0) / count, 0.0)
    return (anomaly.square().sum(0) / count).sqrt()
