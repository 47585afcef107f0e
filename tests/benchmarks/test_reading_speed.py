"""Time of reading raw CAMELS-US, and its shards, against its text read basin by basin with pandas.

Run with `pytest tests/benchmarks --benchmark-enable`.
One process, one thread. Compare rows of one run, not of two machines.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from studyhub.data.camels_us import CFS, CamelsUS, find
from studyhub.data.ingest import ingest
from studyhub.data.pet import hargreaves
from studyhub.data.record import day_of_year
from studyhub.data.shards import Shards

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "camels_us"
DAY = ["year", "month", "day"]
VARIABLES = {"prcp": "prcp(mm/day)", "tmin": "tmin(C)", "tmax": "tmax(C)", "srad": "srad(W/m2)", "vp": "vp(Pa)", "dayl": "dayl(s)"}
INPUTS = ("prcp", "tmean", "pet", "qobs")  # what a study of HBV reads


@pytest.fixture(scope="module")
def camels() -> CamelsUS:
    if not REAL.is_dir():
        pytest.skip(f"the real CAMELS-US files are not in {REAL}")
    return find(REAL)


def read_with_pandas(source: CamelsUS) -> Iterator[dict[str, np.ndarray]]:
    """Variables [time] of each basin, as one writes it at first: the baseline."""
    for basin in source.basins:
        path = source.forcings[basin]
        area = float(path.read_text().splitlines()[2])
        forcing = pd.read_csv(path, sep=r"\s+", skiprows=3)
        days = pd.to_datetime(forcing[["Year", "Mnth", "Day"]].set_axis(DAY, axis=1))
        flow = pd.read_csv(source.discharges[basin], sep=r"\s+", names=["basin", *DAY, "qobs", "flag"])
        observed = pd.Series(flow["qobs"].where(flow["qobs"] >= 0).to_numpy(), index=pd.to_datetime(flow[DAY]))
        qobs = observed.reindex(days) * (CFS * 86_400_000 / area)
        yield {name: forcing[column].to_numpy() for name, column in VARIABLES.items()} | {"qobs": qobs.to_numpy()}


def read_raw(source: CamelsUS) -> Iterator[dict[str, np.ndarray]]:
    """The same by the reader, its search for files and attributes included."""
    found = find(REAL)
    for basin in found.read(source.basins):
        yield dict(basin.series)


def seconds(source: CamelsUS, *ways: Callable[[CamelsUS], Iterator[dict[str, np.ndarray]]], rounds: int = 5) -> list[float]:
    """Shortest of some runs over all basins, of each way to read; they take turns, so that other work on the machine meets all."""
    found = [[] for _ in ways]
    for _ in range(rounds):
        for times, read in zip(found, ways, strict=True):
            begun = time.perf_counter()
            for _ in read(source):
                pass
            times.append(time.perf_counter() - begun)
    return [min(times) for times in found]


def test_both_read_the_same(camels):
    for one, other, _ in zip(read_raw(camels), read_with_pandas(camels), range(2), strict=False):
        assert list(one) == list(other)
        for name, values in one.items():
            np.testing.assert_allclose(values, other[name], rtol=1e-14)  # discharge is multiplied in another order


@pytest.mark.parametrize("read", [read_raw, read_with_pandas])
@pytest.mark.benchmark(group="49 raw basins of CAMELS-US, 35 years, into arrays")
def test_reading(benchmark, camels, read):
    if benchmark.disabled:
        benchmark(lambda: next(read(camels)))
    else:
        benchmark.pedantic(lambda: list(read(camels)), rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="ratios, in extra_info")
def test_raw_and_shards_against_pandas(benchmark, camels, tmp_path):
    if benchmark.disabled:
        benchmark(lambda: None)
        pytest.skip("a ratio of times: run with --benchmark-enable")
    next(read_raw(camels))  # compiles
    ingest(camels, tmp_path / "shards")

    def tensors_with_pandas(source: CamelsUS) -> Iterator[dict[str, np.ndarray]]:
        dates = np.arange("1980-01-01", "2015-01-01", dtype="datetime64[D]")
        found = []
        for series, path in zip(read_with_pandas(source), source.forcings.values(), strict=True):
            latitude = float(path.read_text().splitlines()[0])
            pet = hargreaves(series["tmin"], series["tmax"], latitude, day_of_year(dates))
            found.append(np.stack([series["prcp"], (series["tmin"] + series["tmax"]) / 2, pet, series["qobs"]], axis=-1))
        yield {"x": torch.as_tensor(np.stack(found, axis=1), dtype=torch.float32).numpy()}

    def tensors_from_shards(source: CamelsUS) -> Iterator[dict[str, np.ndarray]]:
        record = Shards.open(tmp_path / "shards").read(variables=INPUTS, attributes=())
        yield {"x": torch.as_tensor(np.stack([record.series[name] for name in INPUTS], axis=-1)).transpose(0, 1).numpy()}

    one, other = (next(way(camels))["x"] for way in (tensors_with_pandas, tensors_from_shards))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    raw, pandas = seconds(camels, read_raw, read_with_pandas)
    naive, sharded = seconds(camels, tensors_with_pandas, tensors_from_shards)
    found = {"raw_s": raw, "pandas_s": pandas, "raw_ratio": pandas / raw}
    found |= {"pandas_to_tensors_s": naive, "shards_to_tensors_s": sharded, "sharded_ratio": naive / sharded}
    benchmark.extra_info.update(found)
    benchmark(lambda: None)  # the figures are in extra_info
    print(found)
    assert pandas >= 5 * raw
    assert naive >= 50 * sharded
