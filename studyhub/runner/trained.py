"""A trained model in its attempt's folder: what it is, its weights and its scales. No pickle."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studyhub.catalog import forcing_of
from studyhub.data.manifest import Manifest
from studyhub.data.scaling import Scaler
from studyhub.errors import DataError, StoreError
from studyhub.models.build import build
from studyhub.models.target import TargetScaler
from studyhub.models.transfer import transfer
from studyhub.runner.simulate import Network, Simulator
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.training import checkpoint

WEIGHTS, SCALES, TRIAL = "weights.npz", "scales.json", "trial.json"
SAME = 1e-6  # the same data have the same scales, but for rounding on another machine


def save(folder: Path, trial: Trial, simulator: Simulator, target: TargetScaler | None, data: Manifest) -> None:
    """Write all that `load` and `require_alike` need."""
    checkpoint.save(folder / WEIGHTS, simulator.network.state_dict())
    scales = {"inputs": simulator.scaler.state(), "target": None if target is None else target.state(), **_meaning(trial, data)}
    (folder / SCALES).write_text(json.dumps(scales))
    (folder / TRIAL).write_text(json.dumps(asdict(trial), default=str))


def load(folder: Path, device: str) -> tuple[Trial, Simulator]:
    """Read a trained model.

    Raises
    ------
    StoreError
        a file is missing or damaged
    """
    trial, scales, weights = parts(folder)
    with _readable(folder):
        scaler = Scaler.from_state(scales["inputs"])
        target = None if scales["target"] is None else TargetScaler.from_state(scales["target"])
        context = trial.split.warmup + 1 if trial.training.window == 1 else None
        network = build(trial.model, target, torch.Generator(), context=context)
        network.load_state_dict(weights)
    dtype = getattr(torch, trial.dtype)
    return trial, Simulator(trial.model, network.to(device, dtype).eval(), scaler, device, dtype)


def parts(folder: Path) -> tuple[Trial, dict[str, Any], dict[str, Tensor]]:
    """Trial, scales and weights of a trained model.

    Raises
    ------
    StoreError
        a file is missing or damaged
    """
    with _readable(folder):
        trial = _trial(json.loads((folder / TRIAL).read_text(encoding="utf-8")))
        scales = json.loads((folder / SCALES).read_text(encoding="utf-8"))
        return trial, scales, checkpoint.load(folder / WEIGHTS)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"{error.filename}: the trained model's file is required, there is none; train the trial again") from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise StoreError(f"{folder}: the trained model cannot be read ({error}); train the trial again") from None


def start_from(parent: Path, trial: Trial, network: Network, scaler: Scaler) -> None:
    """Copy the weights of a trained model into a child's network that has been drawn afresh.

    Raises
    ------
    DataError
        the two are different models, or the same numbers would mean different things to them
    StoreError
        a file of the parent is missing or damaged
    """
    of, scales, weights = parts(parent)
    with _readable(parent):
        learnt = Scaler.from_state(scales["inputs"])
    for theirs, ours in ((learnt.forcing, scaler.forcing), (learnt.attributes, scaler.attributes)):
        for name, scale in ours.items():
            if name in theirs and not np.allclose(theirs[name], scale, rtol=SAME, atol=SAME):
                said = [f"mean {mean:.6g} and standard deviation {std:.6g}" for mean, std in (theirs[name], scale)]
                why = f"`init_from`: the parent was shown {name} with {said[0]} in training, this trial has {said[1]}"
                raise DataError(f"{why}; parent and child must train on the same data: launch the study again")
    transfer(network, trial.model, weights, of.model)


def require_alike(folder: Path, trial: Trial, data: Manifest) -> None:
    """See that numbers mean in these data what they did in those that the model learnt from.

    Raises
    ------
    DataError
        a variable has another unit, or a category other names for its codes
    StoreError
        it is not known what they meant
    """
    learnt, here = json.loads((folder / SCALES).read_text(encoding="utf-8")), _meaning(trial, data)
    if not {"units", "codes"} <= set(learnt):
        raise StoreError(f"{folder / SCALES}: written by an earlier version, which kept no units; train the trial again")
    for name, unit in here["units"].items():
        if unit != learnt["units"][name]:
            raise DataError(f"it learnt with {name} in {learnt['units'][name]}, {data.folder} has it in {unit}; ingest again in that unit")
    for name in sorted({*here["codes"], *learnt["codes"]}):
        there, known = ((", ".join(said["codes"].get(name, ())) or "none") for said in (here, learnt))
        if there != known:
            raise DataError(f"it learnt with {known} as the categories of {name}, {data.folder} has {there}; train without that attribute")


def _meaning(trial: Trial, data: Manifest) -> dict[str, Any]:
    """Units of the variables and names of the categories that a model is shown; what the data lack is missing."""
    units = {name: data.units[name] for name in forcing_of(trial.model) if name in data.units}
    return {"units": units, "codes": {name: list(data.codes[name]) for name in trial.model.attributes if name in data.codes}}


def _trial(plain: dict[str, Any]) -> Trial:
    """Undo what JSON did to a trial: lists to tuples, texts to days."""
    split: dict[str, Any] = {key: _period(value) if isinstance(value, dict) else value for key, value in plain["split"].items()}
    parts = {"model": Model(**_tuples(plain["model"])), "training": Training(**_tuples(plain["training"])), "split": Split(**split)}
    return Trial(**(_tuples(plain) | parts))


def _period(plain: dict[str, str]) -> Period:
    return Period(date.fromisoformat(plain["start"]), date.fromisoformat(plain["end"]))


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
