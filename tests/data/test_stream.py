"""Training on groups of basins in turn: the same windows, every basin as often, two groups in memory at most."""

import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from studyhub.data.stream import StreamingSampler
from studyhub.data.windows import Inputs, Sampler
from studyhub.errors import DataError

DAYS, BASINS, WARMUP, WINDOW = 40, 23, 5, 10
Q = torch.arange(DAYS * BASINS, dtype=torch.float32).view(DAYS, BASINS)  # a value says its day and basin


class Disk:
    """Basins on a slow disk; counts who is in memory."""

    def __init__(self, pause: float = 0.0, broken: int | None = None):
        self.pause, self.broken, self.reads, self.threads = pause, broken, [], set()

    def __call__(self, members):
        self.reads.append(tuple(members))
        self.threads.add(threading.current_thread())
        time.sleep(self.pause)
        if self.broken in members:
            raise DataError("basins-001.parquet: damaged shard")
        q = Q[:, list(members)]
        return Inputs(torch.stack([q, -q], dim=-1), q[:2].T.contiguous(), q[..., None].expand(-1, -1, 3).contiguous(), q)


def streaming(disk, resident=5, batch=4, updates=20, seed=0, **options):
    return StreamingSampler(disk, Q, resident, WARMUP, WINDOW, batch, updates, torch.Generator().manual_seed(seed), **options)


def drawn(sampler, count):
    found = [sampler.draw() for _ in range(count)]
    sampler.close()
    return found


def test_batches_hold_what_they_say():
    for batch in drawn(streaming(Disk()), 60):
        rows = batch.begin + WARMUP + torch.arange(WINDOW)[:, None]
        assert torch.equal(batch.q, Q[rows, batch.basin])
        whole = Q[batch.begin + torch.arange(WARMUP + WINDOW)[:, None], batch.basin]
        assert torch.equal(batch.x[..., 0], whole) and torch.equal(batch.forcing[..., 2], whole)
        assert torch.equal(batch.attributes, Q[:2].T[batch.basin])


def test_every_basin_is_drawn_as_often():
    counts = Counter(int(b) for batch in drawn(streaming(Disk(), updates=50), 2000) for b in batch.basin)
    assert set(counts) == set(range(BASINS))
    expected = 2000 * 4 / BASINS
    assert all(abs(count - expected) < 6 * np.sqrt(expected) for count in counts.values())


def test_groups_are_new_in_each_epoch_and_hold_all_basins():
    disk = Disk()
    drawn(streaming(disk, updates=10), 31)
    epochs = [disk.reads[first : first + 5] for first in (0, 5, 10)]
    assert all(sorted(b for group in epoch for b in group) == list(range(BASINS)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert all(list(group) == sorted(group) for epoch in epochs for group in epoch)  # files are read in their order


def test_the_next_group_is_read_while_the_present_one_trains():
    disk = Disk(pause=0.05)
    sampler = streaming(disk, updates=10)
    sampler.draw()
    time.sleep(0.2)
    assert len(disk.reads) == 2 and threading.current_thread() not in disk.threads
    sampler.close()


def test_a_seed_draws_the_same_whatever_the_disk_does():
    for a, b in zip(drawn(streaming(Disk()), 40), drawn(streaming(Disk(pause=0.01)), 40), strict=True):
        assert torch.equal(a.basin, b.basin) and torch.equal(a.begin, b.begin) and torch.equal(a.q, b.q)
    other = drawn(streaming(Disk(), seed=1), 5)
    assert not all(torch.equal(a.basin, b.basin) for a, b in zip(drawn(streaming(Disk()), 5), other, strict=True))


def test_a_fault_of_the_disk_reaches_who_draws():
    sampler = streaming(Disk(broken=3), updates=10)
    with pytest.raises(DataError, match="damaged shard"):
        drawn(sampler, 10)
    sampler.close()


@pytest.mark.parametrize("updates", [1, 2, 3])
def test_never_more_basins_at_once_than_may_stay_however_short_an_epoch_is(updates):
    disk = Disk()
    batches = drawn(streaming(disk, resident=5, updates=updates), 10)
    assert max(map(len, disk.reads)) == 5
    assert sorted(basin for group in disk.reads[:5] for basin in group) == list(range(BASINS))
    groups = [set(group) for group in disk.reads]
    assert all(set(batch.basin.tolist()) <= group for batch, group in zip(batches, groups, strict=False))  # an update each


@pytest.mark.parametrize("resident", [1, BASINS, 1000])
def test_one_basin_at_once_or_all_of_them(resident):
    disk = Disk()
    batches = drawn(streaming(disk, resident=resident, updates=30), 30)
    assert {len(group) for group in disk.reads} == {min(resident, BASINS)}
    assert all(torch.equal(batch.q, Q[batch.begin + WARMUP + torch.arange(WINDOW)[:, None], batch.basin]) for batch in batches)
    assert {batch.basin.numel() for batch in batches} == {min(4, resident)}


def test_a_closed_sampler_holds_no_basins():
    sampler = streaming(Disk())
    sampler.draw()
    group = weakref.ref(sampler._sampler.inputs)
    sampler.close()
    sampler.close()
    assert group() is None and sampler.last.q.shape == (WINDOW, 4)  # the batch is still there for who must say what went wrong


def test_a_fault_of_the_disk_is_told_at_every_draw_and_the_sampler_can_be_closed():
    sampler = streaming(Disk(broken=3), resident=BASINS)
    for _ in range(2):
        with pytest.raises(DataError, match="damaged shard"):
            sampler.draw()
    sampler.close()


SCRIPT = """
import sys, time
sys.path.insert(0, {folder!r})
from test_stream import Disk, streaming
sampler = streaming(Disk(pause=0.2))
sampler.draw()
raise SystemExit(7)
"""


def test_an_interpreter_ends_with_a_group_still_being_read():
    code = SCRIPT.format(folder=str(Path(__file__).parent))
    assert subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, check=False).returncode == 7


def test_an_epoch_is_as_long_as_with_all_in_memory():
    inputs = Disk()(range(BASINS))
    generator = torch.Generator()
    plain = Sampler(inputs, WARMUP, WINDOW, 4, None, generator)
    sampler = StreamingSampler(Disk(), Q, 6, WARMUP, WINDOW, 4, None, generator)
    assert sampler.updates_per_epoch == plain.updates_per_epoch
    sampler.close()
    few = StreamingSampler(Disk(), Q, 2, WARMUP, WINDOW, 4, None, generator)  # batches are of two basins at most
    assert few.updates_per_epoch == Sampler(inputs, WARMUP, WINDOW, 2, None, generator).updates_per_epoch > plain.updates_per_epoch
    few.close()
