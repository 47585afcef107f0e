"""Training on more basins than fit into memory: groups of them in turn, the next one read while the present one trains."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import torch
from torch import Tensor

from studyhub.data.windows import Batch, Inputs, Sampler, epoch_length


class StreamingSampler:
    """Draws as `Sampler` does, from one group of basins after the other.

    Each epoch cuts the basins anew into random groups of about equal size and gives each group its share of the updates; where there are
    more groups than updates, the groups of one cut last for several epochs, with one update each. So every basin is seen as often as if all
    were in memory; but basins of one update come from one group. At most two groups are in memory.

    Parameters
    ----------
    load : basins by their positions -> their inputs, on the training's device; called in a second thread
    q : discharge of all basins, mm/d [time, basin], on the training's device
    resident : basins of a group, at most
    warmup, window, batch, updates_per_epoch, generator : as in `Sampler`

    ``last`` is the batch drawn last; its basins are counted among all.
    """

    last: Batch

    def __init__(
        self,
        load: Callable[[Sequence[int]], Inputs],
        q: Tensor,
        resident: int,
        warmup: int,
        window: int,
        batch: int,
        updates_per_epoch: int | None,
        generator: torch.Generator,
    ):
        days, basins = q.shape
        self.q, self.warmup, self.window = q, warmup, window
        self.batch = min(batch, basins, resident)
        self.updates_per_epoch = updates_per_epoch or epoch_length(self.batch, window, basins, days, warmup)
        self._load, self._generator = load, generator
        self._groups = -(-basins // resident)
        self._round = max(self.updates_per_epoch, self._groups)  # updates from one cut into groups to the next
        # Known before their round begins, so that its first group can be read ahead.
        self._order_seed = int(torch.randint(2**31, (1,), generator=generator))
        self._drawn = 0
        self._pool = ThreadPoolExecutor(1, "basins")
        self._ahead: Future[tuple[Tensor, Inputs]] | None = None
        self._members = torch.empty(0)
        self._sampler: Sampler | None = None

    @property
    def position(self) -> dict[str, int]:
        """What decides the groups and batches to come, beside the generator."""
        return {"order_seed": self._order_seed, "drawn": self._drawn}

    def go_to(self, position: Mapping[str, int]) -> None:
        """Go on from where a sampler of the same basins was. Nothing has been drawn yet."""
        assert not self._drawn, "it has drawn already"
        self._order_seed, self._drawn = position["order_seed"], position["drawn"]

    def draw(self) -> Batch:
        turn, before = ((self._drawn - back) * self._groups // self._round for back in (0, 1))
        if turn != before or self._sampler is None:  # none yet amid a group that another sampler began
            self._turn_to(turn)
        assert self._sampler is not None
        self._drawn += 1
        drawn = self._sampler.draw()
        self.last = replace(drawn, basin=self._members[drawn.basin])
        return self.last

    def close(self) -> None:
        """Forget all basins, also those that are being read."""
        self._pool.shutdown()
        self._sampler = self._ahead = None

    def _turn_to(self, turn: int) -> None:
        self._sampler = None  # its memory is free before the next group's is taken
        ready = self._ahead or self._pool.submit(self._read, turn)
        self._members, inputs = ready.result()
        self._ahead = self._pool.submit(self._read, turn + 1)
        self._sampler = Sampler(inputs, self.warmup, self.window, self.batch, self.updates_per_epoch, self._generator)

    def _read(self, turn: int) -> tuple[Tensor, Inputs]:
        number, group = divmod(turn, self._groups)
        order = torch.randperm(self.q.shape[1], generator=torch.Generator().manual_seed(self._order_seed + number))
        members = order.tensor_split(self._groups)[group].sort().values
        return members.to(self.q.device), self._load(members.tolist())
