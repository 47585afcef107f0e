"""From records to tensors, and drawing batches of windows by indexing alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studyhub.catalog import TARGET
from studyhub.data.record import Record, require_complete
from studyhub.data.scaling import Scaler
from studyhub.errors import DataError

COVERED = 0.99  # chance that a basin's day is drawn in an epoch


@dataclass(frozen=True)
class Inputs:
    """What a model needs of a record, on one device. In memory the days of a basin lie together.

    Parameters
    ----------
    x : scaled forcing of the networks [time, basin, forcing]
    attributes : scaled [basin, attribute]
    forcing : forcing of the physics in its own units [time, basin, forcing], None for a model without physics
    q : observed discharge, mm/d, NaN where missing, or where the record has none [time, basin]
    """

    x: Tensor
    attributes: Tensor
    forcing: Tensor | None
    q: Tensor

    @classmethod
    def build(
        cls,
        record: Record,
        scaler: Scaler,
        forcing_names: Sequence[str],
        physics_forcing: Sequence[str] | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "Inputs":
        """Scale a record and put it on the device.

        Raises
        ------
        DataError
            A day of forcing is missing: basin, variable and date are named.
        """
        require_complete(record, (*forcing_names, *(physics_forcing or ())))
        shape = (len(record.basins), len(record.dates))
        observed = record.series.get(TARGET)
        observed = np.full(shape, np.nan, dtype=np.float32) if observed is None else np.ascontiguousarray(observed)
        physics = None
        if physics_forcing is not None:
            stacked = np.stack([record.variable(name) for name in physics_forcing], axis=-1)
            physics = torch.as_tensor(stacked, dtype=dtype, device=device).transpose(0, 1)
        return cls(
            x=torch.as_tensor(scaler.scale_forcing(record, forcing_names), dtype=dtype, device=device).transpose(0, 1),
            attributes=torch.as_tensor(scaler.scale_attributes(record), dtype=dtype, device=device),
            forcing=physics,
            q=torch.as_tensor(observed, dtype=dtype, device=device).transpose(0, 1),
        )


@dataclass(frozen=True)
class Batch:
    """Windows of days; W = warm-up + window.

    Parameters
    ----------
    x : scaled forcing [W, sample, forcing]
    attributes : scaled [sample, attribute]
    forcing : forcing of the physics [W, sample, forcing] or None
    q : observed discharge of the scored days, mm/d [window, sample]
    basin : which basin of the inputs each sample is [sample]
    begin : on which day of the inputs each sample's warm-up begins [sample]
    """

    x: Tensor
    attributes: Tensor
    forcing: Tensor | None
    q: Tensor
    basin: Tensor
    begin: Tensor


class Sampler:
    """Draws batches: basins with replacement, the begin of each window uniform over all windows that fit (its last day included).

    Parameters
    ----------
    inputs : training basins and days
    warmup, window : days before the scored days, and scored days
    batch : samples of a batch, at most the basins there are
    updates_per_epoch : None for `epoch_length`
    generator : on the CPU, so that a seed draws the same windows on every device

    ``last`` is the batch drawn last, for those who must say where something went wrong.
    """

    last: Batch

    def __init__(self, inputs: Inputs, warmup: int, window: int, batch: int, updates_per_epoch: int | None, generator: torch.Generator):
        days, basins, _ = inputs.x.shape
        if basins < 1 or window < 1 or days < warmup + window:
            raise DataError(
                f"training needs at least one basin and {warmup} warm-up + {window} scored days, got {basins} basins and {days} days; "
                "lengthen the training period or shorten warm-up or window"
            )
        self.inputs, self.warmup, self.window, self.batch = inputs, warmup, window, min(batch, basins)
        self.updates_per_epoch = updates_per_epoch or epoch_length(self.batch, window, basins, days, warmup)
        self._generator = generator

    @property
    def q(self) -> Tensor:
        """Discharge of all basins and days, mm/d [time, basin]."""
        return self.inputs.q

    @property
    def position(self) -> dict[str, int]:
        """What decides the batches to come, beside the generator: nothing."""
        return {}

    def go_to(self, position: Mapping[str, int]) -> None:
        assert not position, f"a sampler of one group has no position, got {position}"

    def draw(self) -> Batch:
        days, basins, _ = self.inputs.x.shape
        begins = days - self.warmup - self.window + 1
        basin = torch.randint(basins, (self.batch,), generator=self._generator).to(self.q.device, non_blocking=True)
        begin = torch.randint(begins, (self.batch,), generator=self._generator).to(self.q.device, non_blocking=True)
        whole = self.warmup + self.window
        self.last = Batch(
            x=_windows(self.inputs.x, basin, begin, whole),
            attributes=self.inputs.attributes[basin],
            forcing=None if self.inputs.forcing is None else _windows(self.inputs.forcing, basin, begin, whole),
            q=_windows(self.inputs.q[..., None], basin, begin + self.warmup, self.window)[..., 0],
            basin=basin,
            begin=begin,
        )
        return self.last


def epoch_length(batch: int, window: int, basins: int, days: int, warmup: int) -> int:
    """Return the updates after which a basin's day has been drawn with a chance of 99 %, at least 1.

    ceil(ln 0.01 / ln(1 - batch window / basins / (days - warmup))), as in both papers' programs.
    """
    share = batch * window / basins / (days - warmup)
    return 1 if share >= 1 else max(1, math.ceil(math.log(1 - COVERED) / math.log(1 - share)))


def _windows(values: Tensor, basin: Tensor, begin: Tensor, days: int) -> Tensor:
    """Windows of ``days`` days of [time, basin, variable] as [days, sample, variable]; a sample's ``begin`` is a day of its ``basin``."""
    # A basin's days lie one after the other in memory: a window is one piece of it, and taking pieces is the fastest there is.
    flat = values.transpose(0, 1).contiguous().flatten()
    (time, _, width), size = values.shape, days * values.shape[2]
    return flat.unfold(0, size, 1)[(basin * time + begin) * width].view(-1, days, width).transpose(0, 1).contiguous()
