"""How a score changes where two parameters are moved away from what a trained model has learned; nothing is trained again.

The surfaces of Figs. 8 and A3 of Song et al. (2024), doi:10.5194/hess-28-3051-2024. How the values of several components and days are moved
is not said there; here one offset is added to all of them:

    p'(component, day) = min(max(p(component, day) + d (high - low), low), high)

with d, a share of the parameter's range, the same for all components and days. All else stays as it was learned: the other parameters, the
routing, the warm-up before the test. A point is called by the mean of p' over components and the days of the test.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from studyhub.catalog import TARGET, variables
from studyhub.data.shards import Shards
from studyhub.evaluation import metrics
from studyhub.models.dpl import DifferentiableModel
from studyhub.physics.structure import Parameter
from studyhub.runner.simulate import Simulator
from studyhub.solvers.march import Diverged
from studyhub.study.settings import Trial
from studyhub.study.surface import Surface

AT_ONCE = 2**25  # numbers of what is marched together: 128 MiB in float32
ALIKE = 1e-5  # share of the range; a mean that moves less is that of values which lie at their bound already

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Moved:
    """A parameter of one basin at each of its offsets.

    Parameters
    ----------
    offsets : as shares of the parameter's range, in rising order, 0 among them [offset]
    means : over components and the days of the test, in the parameter's unit [offset]
    """

    table: Parameter
    values: Tensor
    offsets: np.ndarray
    means: np.ndarray

    @classmethod
    def of(cls, table: Parameter, values: Tensor, warmup: int, asked: Surface) -> "Moved":
        """All offsets that are asked for, but for those beyond which every value lies at its bound.

        Parameters
        ----------
        values : as learned, [1, component], or from the first day of the warm-up on [time, 1, component]
        """
        every = np.linspace(-asked.reach, asked.reach, asked.points)
        every[asked.points // 2] = 0.0
        judged = values[warmup:] if values.ndim == 3 else values
        means = np.array([moved(judged, table, torch.tensor([d]).to(values)).double().mean().item() for d in every])
        moves = np.abs(np.diff(means)) > ALIKE * (table.high - table.low)
        middle = asked.points // 2
        below, above = (int(np.cumprod(side).sum()) for side in (moves[:middle][::-1], moves[middle:]))
        kept = slice(middle - below, middle + above + 1)
        return cls(table, values, every[kept], means[kept])


def moved(values: Tensor, table: Parameter, offsets: Tensor) -> Tensor:
    """Values [..., component] by each offset [set]: [..., set, component]. A fixed value that lies beyond a bound is not moved back."""
    values = values.unsqueeze(-2)
    low, high = values.clamp(max=table.low), values.clamp(min=table.high)
    return (values + offsets[:, None] * (table.high - table.low)).clamp(low, high)


def surface(
    trial: Trial, simulator: Simulator, shards: Shards, basin: str, asked: Surface, progress: Progress = lambda done, of: None
) -> pd.DataFrame:
    """Score every point in a basin.

    Columns: x_parameter, y_parameter, x, y (mean values, in their units), dx, dy (offsets, as shares of the ranges), score, diverged. A
    score is NaN where a store diverges, and where the metric is not defined. Days are those of the trial's test, after its warm-up.

    Parameters
    ----------
    progress : called with points done and points in all
    """
    network, warmup = simulator.network, trial.split.test_warmup
    assert isinstance(network, DifferentiableModel), f"{trial.model.kind} has no parameters to move"
    wanted = dict.fromkeys((*variables(trial.model), TARGET))
    record = shards.read([basin], tuple(wanted), trial.split.test.before(warmup), trial.model.attributes)
    observed = record.during(trial.split.test).variable(TARGET)
    inputs = simulator.inputs(record)
    assert inputs.forcing is not None
    network.eval()
    with torch.no_grad():
        values, routing = network.values(inputs.x, inputs.attributes, warmup)
        tables = {table.name: table for table in network.physics.parameters}
        x, y = (Moved.of(tables[name], values[name], warmup, asked) for name in asked.parameters)
        at = np.array([(i, j) for i in range(len(x.offsets)) for j in range(len(y.offsets))])
        parts, lost = [], []
        for some in _batches(at, values, len(inputs.forcing)):
            sets = {name: value.unsqueeze(-2).expand(*value.shape[:-1], len(some), -1) for name, value in values.items()}
            for moving, places in ((x, some[:, 0]), (y, some[:, 1])):
                offsets = torch.as_tensor(moving.offsets[places]).to(moving.values)
                sets[moving.table.name] = moved(moving.values, moving.table, offsets)
            discharge, diverged = _simulate(network, inputs.forcing, sets, routing, warmup)
            parts.append(getattr(metrics, asked.metric)(discharge, np.broadcast_to(observed, discharge.shape)))
            lost.append(diverged)
            progress(sum(map(len, parts)), len(at))
    return pd.DataFrame(
        {
            "x_parameter": asked.parameters[0],
            "y_parameter": asked.parameters[1],
            "x": x.means[at[:, 0]],
            "y": y.means[at[:, 1]],
            "dx": x.offsets[at[:, 0]],
            "dy": y.offsets[at[:, 1]],
            "score": np.concatenate(parts),
            "diverged": np.concatenate(lost),
        }
    )


def _batches(at: np.ndarray, values: dict[str, Tensor], days: int) -> list[np.ndarray]:
    """Points in parts that fit into memory: discharge of every component and day, what routing makes of it, and each daily parameter."""
    components = next(iter(values.values())).shape[-1]
    each = days * components * (2 + sum(value.ndim == 3 for value in values.values()))
    return np.array_split(at, -(-len(at) * each // AT_ONCE))


def _simulate(
    network: DifferentiableModel, forcing: Tensor, sets: dict[str, Tensor], routing: dict[str, Tensor], warmup: int
) -> tuple[np.ndarray, np.ndarray]:
    """Discharge [set, day] in mm/d, NaN where a store of some component has diverged, and which sets [set] these are.

    A march ends where a store diverges: those sets are taken out, and the others marched again.
    """
    count, components = next(iter(sets.values())).shape[-2:]
    alive = np.arange(count)
    discharge = np.full((count, len(forcing) - warmup), np.nan)
    while len(alive):
        try:
            chosen = {name: value[..., alive, :] for name, value in sets.items()} if len(alive) < count else sets
            found = network.discharge(forcing, chosen, routing, warmup)
            discharge[alive] = found[:, 0].T.double().cpu().numpy()
            break
        except Diverged as divergence:
            assert divergence.units is not None
            alive = alive[~divergence.units.reshape(len(alive), components).any(axis=1)]
    return discharge, ~np.isin(np.arange(count), alive)
