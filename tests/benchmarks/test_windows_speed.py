"""Time from shards to tensors, and of drawing batches: `pytest tests/benchmarks --benchmark-enable`. One thread."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
import torch

from studyhub.catalog import ATTRIBUTE_SETS, FORCINGS
from studyhub.data.record import Basin
from studyhub.data.scaling import Scaler
from studyhub.data.shards import Shards, write
from studyhub.data.stream import StreamingSampler
from studyhub.data.windows import Inputs, Sampler

FORCING = ("prcp", "tmean", "pet")
START = date(1980, 10, 1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def world(folder, basins: int, days: int) -> Shards:
    """Write basins whose values take as much room as measured ones (two decimals)."""
    rng = np.random.default_rng(0)
    names = ATTRIBUTE_SETS["table_a1"]

    def each() -> Iterator[Basin]:
        for i in range(basins):
            series = {name: np.round(rng.gamma(0.7, 5, days), 2) for name in (*FORCINGS, "qobs")}
            yield Basin(f"{i:08d}", START, series, dict(zip(names, rng.normal(size=len(names)), strict=True)), {"gauge_lat": 45.0})

    return Shards.open(write(folder, each(), source="benchmark", settings={}))


def to_tensors(folder) -> Inputs:
    shards = Shards.open(folder)
    record = shards.read(variables=(*FORCING, "qobs"))
    scaler = Scaler.fit(record, record.period, record.basins, FORCING, record.attribute_names, ("prcp",))
    return Inputs.build(record, scaler, FORCING, FORCING)


@pytest.mark.benchmark(group="500 basins, 30 years: from shards to scaled tensors (at most 3 s)")
def test_opening(benchmark, tmp_path):
    basins, days = (3, 400) if benchmark.disabled else (500, 10_957)
    world(tmp_path / "shards", basins, days)
    inputs = benchmark.pedantic(lambda: to_tensors(tmp_path / "shards"), rounds=1 if benchmark.disabled else 3)
    assert inputs.x.shape == (days, basins, 3)
    assert benchmark.disabled or benchmark.stats.stats.min <= 3


@pytest.mark.benchmark(group="one basin of 6830, 40 years (at most 0.2 s)")
def test_one_basin_of_many(benchmark, tmp_path):
    basins, days = (70, 40) if benchmark.disabled else (6830, 14_610)
    shards = world(tmp_path / "shards", basins, days)
    name = shards.basins[basins // 2]
    record = benchmark.pedantic(lambda: Shards.open(tmp_path / "shards").read((name,)), rounds=1 if benchmark.disabled else 5)
    assert record.series["qobs"].shape == (1, days)
    assert benchmark.disabled or benchmark.stats.stats.min <= 0.2


@pytest.mark.parametrize("resident", [None, 100], ids=["all in memory", "100 of 500 in memory"])
@pytest.mark.benchmark(group="a batch of 100 basins, 730 days, 3 forcings, 35 attributes (at least 100 a second)")
def test_drawing(benchmark, tmp_path, resident):
    basins, days = (20, 900) if benchmark.disabled else (500, 5479)
    world(tmp_path / "shards", basins, days)
    shards = Shards.open(tmp_path / "shards")
    inputs, generator = to_tensors(tmp_path / "shards"), torch.Generator().manual_seed(0)
    if resident is None:
        sampler: Sampler | StreamingSampler = Sampler(inputs, 365, 365, 100, None, generator)
    else:
        record = shards.read(variables=(*FORCING, "qobs"))
        scaler = Scaler.fit(record, record.period, record.basins, FORCING, record.attribute_names, ("prcp",))

        def load(members: list[int]) -> Inputs:
            names = tuple(shards.basins[i] for i in members)
            return Inputs.build(shards.read(names, (*FORCING, "qobs")), scaler, FORCING, FORCING)

        sampler = StreamingSampler(load, inputs.q, resident, 365, 365, 100, None, generator)
    count = 2 if benchmark.disabled else 3 * sampler.updates_per_epoch

    def draw() -> None:
        for _ in range(count):
            sampler.draw()

    benchmark.pedantic(draw, rounds=1 if benchmark.disabled else 3)
    if isinstance(sampler, StreamingSampler):
        sampler.close()
    if not benchmark.disabled:
        rate = count / benchmark.stats.stats.min
        benchmark.extra_info["batches_per_second"] = rate
        print({"batches_per_second": rate})
        assert resident is not None or rate >= 100
