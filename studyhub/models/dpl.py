"""Differentiable parameter learning: a network gives the parameters of a water-balance model and, where need be, of its routing.

dHBV and dHBV.adj are this model with the sequential and the implicit scheme. Feng et al. (2024); Song et al. (2024), Eqs. 21-26.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studyhub.models.lstm import Network
from studyhub.models.simulation import Simulation
from studyhub.physics.routing import MEMORY, ROUTE_A, ROUTE_B, route
from studyhub.physics.structure import Parameter, Physics
from studyhub.solvers.march import Marched, SolveReport, march
from studyhub.solvers.scheme import BALANCE

ROUTING = (ROUTE_A, ROUTE_B)
# Parameters of the scored days, fluxes of all days, how it was solved, stores of all days where they are wanted.
Solution = tuple[dict[str, Tensor], dict[str, Tensor], SolveReport, Tensor | None]


@dataclass(frozen=True)
class Solver:
    """How the water balance is solved; see ``solvers.march``."""

    scheme: str
    steps_per_day: int = 1
    raw: bool = False


class DifferentiableModel(nn.Module):
    """Network -> parameters -> water balance of ``components`` parallel parameter sets, mean of their fluxes -> routing.

    A physics that is not ``routed`` does the last step itself.

    Parameters
    ----------
    network : gives ``outputs(physics, components, fixed)`` numbers per basin and day
    dynamic : parameters that take a new value every day; all others are static
    fixed : parameters that are not learned, with their values in the parameter's unit
    warmup_gradients : whether training differentiates through the warm-up
    static_from : what day static parameters are read from in simulation: "last_warmup_day", so that no day depends on later weather, or
    "last_test_day"
    """

    def __init__(
        self,
        network: Network,
        physics: Physics,
        solver: Solver,
        *,
        components: int,
        dynamic: Sequence[str] = (),
        fixed: Sequence[tuple[str, float]] = (),
        warmup_gradients: bool = False,
        static_from: str = "last_warmup_day",
    ):
        super().__init__()
        self.network, self.physics, self.solver, self.components = network, physics, solver, components
        self.fixed, self.warmup_gradients, self.static_from = dict(fixed), warmup_gradients, static_from
        self.learned = [p for p in physics.parameters if p.name not in self.fixed]
        self.dynamic = tuple(p.name for p in self.learned if p.name in dynamic)

    @staticmethod
    def outputs(physics: Physics, components: int, fixed: Sequence[tuple[str, float]]) -> int:
        """Numbers per basin and day that the network gives: learned parameters x components, then those of the routing."""
        return (len(physics.parameters) - len(fixed)) * components + len(ROUTING if physics.routed else ())

    def forward(
        self,
        x: Tensor,
        attributes: Tensor,
        forcing: Tensor,
        warmup: int,
        outputs: Sequence[str] = (),
        *,
        parameters: bool = False,
        stores: bool = False,
    ) -> Simulation:
        """Simulate the days after the warm-up.

        In training, static parameters are read on the window's last day and the warm-up runs with the parameters of its own last day
        throughout. In evaluation they are read as ``static_from`` says, and dynamic parameters change daily from the first day of the
        warm-up on.

        Parameters
        ----------
        x : [time, basin, variable], scaled inputs of the network
        attributes : [basin, attribute], scaled
        forcing : [time, basin, variable], in the physics' order and units
        warmup : days before the first scored one
        outputs : further fluxes wanted beside discharge, such as "et"
        parameters : whether to return the parameters too: [basin, component], daily ones [time, basin, component], routing's [basin]
        stores : whether to return the stores of each day too, in evaluation

        Raises
        ------
        solvers.march.Diverged
            with the day counted from the first day of the warm-up
        """
        hidden, static = self._learned(x, attributes, warmup)
        if self.training:
            values, fluxes, report, path = self._in_training(hidden, static, forcing, warmup, ("qsim", *outputs))
        else:
            values, fluxes, report, path = self._in_evaluation(hidden, static, forcing, warmup, ("qsim", *outputs), stores)
        means = {name: flux.mean(-1) for name, flux in fluxes.items()}
        routing = self._routing(static)
        runoff = means.pop("qsim")
        discharge = _routed(runoff, routing, warmup)
        return Simulation(
            discharge,
            solve=report,
            fluxes={name: flux[warmup:] for name, flux in means.items()},
            parameters=values | routing if parameters else {},
            stores={} if path is None else dict(zip(self.physics.store_names, path[warmup:].mean(2).unbind(-1), strict=True)),
            runoff=runoff[warmup:],
        )

    def values(self, x: Tensor, attributes: Tensor, warmup: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parameters that a simulation uses, in their units; see `forward`.

        Returns
        -------
        of the water balance: [basin, component], daily ones [time, basin, component] from the first day of the warm-up on; of the routing:
        [basin]
        """
        hidden, static = self._learned(x, attributes, warmup)
        return self._values(static, hidden), self._routing(static)

    def discharge(self, forcing: Tensor, values: dict[str, Tensor], routing: dict[str, Tensor], warmup: int) -> Tensor:
        """Simulate basins with several sets of parameters each, the routing's the same in all: [window, basin, set], mm/d.

        Parameters
        ----------
        forcing : [time, basin, variable], in the physics' order and units
        values : [basin, set, component], daily ones [time, basin, set, component]
        routing : [basin]; empty for a physics that is not routed

        Raises
        ------
        solvers.march.Diverged
            its units are [basin, set x component]
        """
        sets = next(iter(values.values())).shape[-2]
        marched = self._march(forcing, {name: value.flatten(-2) for name, value in values.items()}, ("qsim",))
        means = marched.outputs["qsim"].unflatten(-1, (sets, -1)).mean(-1).flatten(1)
        return _routed(means, {name: value.repeat_interleave(sets) for name, value in routing.items()}, warmup).unflatten(1, (-1, sets))

    def _learned(self, x: Tensor, attributes: Tensor, warmup: int) -> tuple[Tensor, Tensor]:
        """What the network says on each day [time, basin, unit], and its outputs [basin, output] on the day of the static parameters."""
        hidden = self.network.features(x, attributes)
        static_day = x.shape[0] - 1 if self.training or self.static_from == "last_test_day" else warmup - 1
        return hidden, self.network.head(hidden[static_day])

    def _in_training(self, hidden: Tensor, static: Tensor, forcing: Tensor, warmup: int, outputs: Sequence[str]) -> Solution:
        warm_values = self._values(self.network.head(hidden[warmup - 1]), None)
        values = self._values(static, hidden[warmup:])
        with torch.set_grad_enabled(self.warmup_gradients and torch.is_grad_enabled()):
            warm = self._march(forcing[:warmup], warm_values, outputs)
        main = self._march(forcing[warmup:], values, outputs, warm.stores, first_day=warmup)
        return values, {name: torch.cat([warm.outputs[name], main.outputs[name]]) for name in outputs}, warm.report.then(main.report), None

    def _in_evaluation(
        self, hidden: Tensor, static: Tensor, forcing: Tensor, warmup: int, outputs: Sequence[str], stores: bool
    ) -> Solution:
        values = self._values(static, hidden)
        marched = self._march(forcing, values, (*outputs, *BALANCE), trajectory=stores)
        scored = {name: value[warmup:] if value.ndim == 3 else value for name, value in values.items()}
        return scored, {name: marched.outputs[name] for name in outputs}, marched.report, marched.trajectory

    def _values(self, static: Tensor, hidden: Tensor | None) -> dict[str, Tensor]:
        """Parameters in their units.

        [basin, component]; dynamic ones [time, basin, component] where ``hidden`` [time, basin, unit] is given.
        """
        n, values = self.components, {}
        for i, table in enumerate(self.learned):
            columns = slice(i * n, (i + 1) * n)
            if hidden is not None and table.name in self.dynamic:
                values[table.name] = _between(self._head(hidden, columns), table)
            else:
                values[table.name] = _between(static[:, columns], table)
        return values | {name: static.new_full((static.shape[0], n), value) for name, value in self.fixed.items()}

    def _routing(self, static: Tensor) -> dict[str, Tensor]:
        """Parameters of the routing, [basin] each; none where the physics has its own."""
        return {table.name: _between(static[:, i - len(ROUTING)], table) for i, table in enumerate(ROUTING)} if self.physics.routed else {}

    def _head(self, hidden: Tensor, columns: slice) -> Tensor:
        head = self.network.head
        return nn.functional.linear(hidden, head.weight[columns], head.bias[columns])

    def _march(
        self,
        forcing: Tensor,
        values: dict[str, Tensor],
        outputs: Sequence[str],
        stores: Tensor | None = None,
        first_day: int = 0,
        trajectory: bool = False,
    ) -> Marched:
        return march(
            self.physics,
            self.solver.scheme,
            forcing,
            values,
            outputs=outputs,
            stores=stores,
            steps_per_day=self.solver.steps_per_day,
            raw=self.solver.raw,
            first_day=first_day,
            trajectory=trajectory,
        )


def _routed(discharge: Tensor, routing: dict[str, Tensor], warmup: int) -> Tensor:
    """Discharge at the outlet [window, basin] from that of all days [time, basin], in mm/d."""
    if not routing:
        return discharge[warmup:]
    start = max(warmup - MEMORY, 0)
    return route(discharge[start:], *routing.values())[warmup - start :]


def _between(raw: Tensor, table: Parameter) -> Tensor:
    return table.low + torch.sigmoid(raw) * (table.high - table.low)
