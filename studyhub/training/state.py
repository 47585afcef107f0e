"""Where a training stands after an epoch: all that it needs to go on as if it had never stopped."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from studyhub.models.simulation import Report
from studyhub.solvers.march import SolveReport


@dataclass(frozen=True)
class Epoch:
    """What an epoch brought.

    Parameters
    ----------
    number, of : this epoch, from 1, and how many there are to be
    loss : mean over the updates; NaN where there was none
    validation : score on the validation period, larger is better; None without one
    seconds : time of the updates, validation left out
    updates : steps taken; a batch without any observation takes none
    solve : how the water balance was solved, all updates together; None for a model without stores
    """

    number: int
    of: int
    loss: float
    validation: float | None
    seconds: float
    updates: int
    solve: Report | None


@dataclass(frozen=True)
class State:
    """The end of an epoch.

    Parameters
    ----------
    epochs : what each has brought so far
    weights : the model's ``state_dict()``
    optimizer : ``<position of a weight>.<name>`` -> what the optimiser has gathered for it
    generators : their states, in the order in which `training.loop.train` has them
    sampler : the sampler's ``position``
    kept : epoch with the best validation score so far, where such weights are to be kept; 0: none
    best : the weights of that epoch
    """

    epochs: tuple[Epoch, ...]
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    generators: tuple[Tensor, ...]
    sampler: Mapping[str, int]
    kept: int = 0
    best: Mapping[str, Tensor] = field(default_factory=dict)

    def arrays(self) -> dict[str, Tensor]:
        """All tensors under one name each; with `plain`, what `of` takes back."""
        generators = {str(number): state for number, state in enumerate(self.generators)}
        groups = {"weights": self.weights, "optimizer": self.optimizer, "generators": generators, "best": self.best}
        return {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}

    def plain(self) -> dict[str, Any]:
        """Everything else, in values that JSON knows (it must be let write NaN)."""
        return {"epochs": [asdict(epoch) for epoch in self.epochs], "sampler": dict(self.sampler), "kept": self.kept}

    @classmethod
    def of(cls, arrays: Mapping[str, Tensor], plain: Mapping[str, Any]) -> "State":
        groups: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}, "generators": {}, "best": {}}
        for key, value in arrays.items():
            group, name = key.split("/", 1)
            groups[group][name] = value
        generators = tuple(groups["generators"][str(number)] for number in range(len(groups["generators"])))
        epochs = tuple(_epoch(epoch) for epoch in plain["epochs"])
        return cls(epochs, groups["weights"], groups["optimizer"], generators, plain["sampler"], plain["kept"], groups["best"])


def _epoch(plain: Mapping[str, Any]) -> Epoch:
    solve = plain["solve"]
    return Epoch(**{**plain, "solve": None if solve is None else SolveReport(**solve)})
