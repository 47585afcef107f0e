"""A model with the scales of its inputs, let loose on any basins and days, some basins at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from studyhub.catalog import PHYSICS, TARGET, variables
from studyhub.data.record import Record
from studyhub.data.scaling import Scaler
from studyhub.data.shards import Shards
from studyhub.data.windows import Inputs
from studyhub.models.dpl import DifferentiableModel
from studyhub.models.lstm import StreamflowLSTM
from studyhub.models.simulation import Simulation
from studyhub.study.settings import Model, Period

BASINS_AT_ONCE = 128  # bounds memory over long periods
FLUXES = ("et", "baseflow")

Network = StreamflowLSTM | DifferentiableModel


def physics_forcing(model: Model) -> tuple[str, ...] | None:
    """Forcing that the water balance needs in its own units; None for a model without one."""
    return None if model.kind == "lstm" else PHYSICS[model.physics].forcing


def snow_stores(model: Model) -> tuple[str, ...]:
    """Stores of the water balance that hold the water in snow together; none for a model without them."""
    return PHYSICS[model.physics].snow if model.kind == "dpl" else ()


@dataclass
class Simulator:
    """Runs a model over basins and days.

    ``now`` says what it is at, for those who must say where something went wrong: the days with their warm-up, and the basins.
    """

    settings: Model
    network: Network
    scaler: Scaler
    device: str
    dtype: torch.dtype
    now: tuple[Period, tuple[str, ...]] | None = field(default=None, init=False)

    def inputs(self, record: Record) -> Inputs:
        return Inputs.build(record, self.scaler, self.settings.forcing, physics_forcing(self.settings), self.device, self.dtype)

    def blocks(
        self,
        shards: Shards,
        basins: Sequence[str],
        period: Period,
        warmup: int,
        *,
        complete: bool = False,
        stores: bool = False,
        at_once: int = BASINS_AT_ONCE,
    ) -> Iterator[tuple[Record, Simulation]]:
        """Simulate a period after its warm-up: the record of its days and the simulation, for some basins at a time.

        Parameters
        ----------
        complete : give fluxes and parameters too, where the model has a water balance
        stores : give its stores too
        """
        water = isinstance(self.network, DifferentiableModel)
        wanted: dict[str, Any] = {"outputs": FLUXES, "parameters": True} if complete and water else {}
        if stores and water:
            wanted["stores"] = True
        trains = self.network.training
        for first in range(0, len(basins), at_once):
            wants = [name for name in variables(self.settings) if name != TARGET or TARGET in shards.variables]
            record = shards.read(basins[first : first + at_once], wants, period.before(warmup), self.settings.attributes)
            self.now = (record.period, record.basins)
            inputs = self.inputs(record)
            self.network.eval()
            with torch.no_grad():
                simulation = self.network(inputs.x, inputs.attributes, inputs.forcing, warmup, **wanted)
            self.network.train(trains)
            yield record.during(period), simulation
        self.now = None
