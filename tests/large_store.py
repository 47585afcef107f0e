"""A store of finished trials, many and large, without any training: to measure how long its report takes.

python tests/large_store.py HOME --arms 12 --seeds 3 --basins 671
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.catalog import METRICS, PHYSICS, SIGNATURES
from studyhub.study.cells import Cell
from studyhub.study.leases import Lease
from studyhub.study.spec import read
from studyhub.study.store import Store

BLOCK = 256  # basins that a trial writes at a time
CLIMATES = ("tropical", "arid", "temperate", "cold", "polar")
RESULT = {
    "begun": "2026-01-01T00:00:00+00:00",
    "seconds": 5400.0,
    "seconds_per_update": 0.25,
    "peak_memory_mib": 4000.0,
    "parameters": 345678,
    "data": "cafe",
    "cause": None,
    "test_solve": {"unit_days": 10_000_000, "iterations": 2.3, "unconverged": 3, "cut_days": 4, "residual": 0.9, "below_zero": 5},
    "provenance": {"commit": "0123456789abcdef", "dirty": False, "packages": {"torch": "2.13"}, "host": "here", "device": "cpu"},
}


def large_store(home: Path, arms: int, seeds: int, basins: int, epochs: int = 50, years: int = 10) -> str:
    """Write a study "large" whose trials have all finished, and return its name. Their simulated days are one file under many names."""
    home.mkdir(parents=True, exist_ok=True)
    names = [f"{10000000 + i}" for i in range(basins)]
    schemes = [f"arm_{i:03d}" for i in range(arms)]
    store, rng = Store(home), np.random.default_rng(1)
    lines = [
        "question: How long does a report of many basins take?",
        f"split: {{train: [1981-10-01, 1990-09-30], test: [1991-10-01, {1991 + years}-09-30]}}",
        "shared: {model: dpl}",
        "arms:",
        *(f"  {arm}: {{hidden_size: {8 + i}}}" for i, arm in enumerate(schemes)),
        f"seeds: {list(range(1, seeds + 1))}",
        "compare:",
        *(f"  - {{better: {arm}, than: {schemes[0]}, metric: kge}}" for arm in schemes[1:4]),
    ]
    (home / "study.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = read(home / "study.yaml", name="large")
    cells = [Cell(arm, 1, seed, f"{i * seeds + seed:016x}") for i, arm in enumerate(schemes) for seed in range(1, seeds + 1)]
    facts = {
        name: {
            "name": f"River {i} near Somewhere",
            "gauge_lat": float(rng.uniform(26, 49)),
            "gauge_lon": float(rng.uniform(-124, -68)),
            "climate_group": CLIMATES[i % 5],
            "continent": "North America",
            "huc_02": f"{1 + i % 18:02d}",
            "dataset": "camels_us",
        }
        for i, name in enumerate(names)
    }
    store.write_study("large", spec.text(), cells, {"source": "made up", "hash": "feed", "basins": facts})
    table = pd.DataFrame({"basin": names} | {key: rng.normal(size=basins) for key in ("aridity", "p_mean", "frac_snow", "slope_mean")})
    table.to_parquet(store.study_folder("large") / "basins.parquet", index=False)
    days = _days(home / "simulation.parquet", names, years, rng)
    quality = rng.beta(6, 2.5, basins)
    for cell in cells:
        lease = store.claim(cell.trial)
        assert lease is not None
        _files(lease, names, quality + 0.01 * rng.normal() + 0.03 * rng.normal(size=basins), rng)
        os.link(days, lease.folder / "simulation.parquet")
        (lease.folder / "epochs").mkdir(exist_ok=True)
        for number in range(1, epochs + 1):
            told = {"number": number, "of": epochs, "loss": 1 / number, "validation": None, "seconds": 1.0, "updates": 4, "solve": None}
            pd.Series(told).to_json(lease.folder / "epochs" / f"{number:04d}.json")
        lease.finish(RESULT | {"state": "finished", "seed": cell.seed})
    return "large"


def _days(path: Path, names: list[str], years: int, rng: np.random.Generator) -> Path:
    dates = pd.date_range("1991-10-01", f"{1991 + years}-09-30").to_numpy("datetime64[ms]")
    writer = None
    for first in range(0, len(names), BLOCK):
        block = range(first, min(first + BLOCK, len(names)))
        flow = rng.gamma(0.8, 2.0, (len(block), len(dates))).astype(np.float32)
        columns = {name: (flow * factor).ravel() for name, factor in (("qobs", 1.0), ("qsim", 0.9), ("et", 0.5), ("baseflow", 0.4))}
        basins = pd.Categorical.from_codes(np.repeat(list(block), len(dates)), categories=names)
        table = pa.Table.from_pandas(pd.DataFrame({"basin": basins, "date": np.tile(dates, len(block))} | columns), preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return path


def _files(lease: Lease, names: list[str], quality: np.ndarray, rng: np.random.Generator) -> None:
    values = {name: quality if metric.direction == "larger" else (1 - quality) * 10 for name, metric in METRICS.items()}
    pd.DataFrame({"basin": names, "period": "test"} | values | {"days": 3650}).to_parquet(lease.folder / "scores.parquet", index=False)
    kinds = [f"{name}{kind}" for name in SIGNATURES for kind in ("", "_obs")]
    pd.DataFrame({"basin": names} | {name: rng.gamma(2, 1, len(names)) for name in kinds}).to_parquet(lease.folder / "signatures.parquet")
    tables = [
        pd.DataFrame({"basin": names, "parameter": row.name, "mean": (mean := rng.uniform(row.low, row.high, len(names)))})
        .assign(low=mean * 0.9, high=mean * 1.1, daily=False)
        for row in PHYSICS["hbv"].parameters
    ]  # fmt: skip
    pd.concat(tables).to_parquet(lease.folder / "parameters.parquet", index=False)
    flow = {name: values[name] for name, metric in METRICS.items() if metric.of == "discharge"}
    marks = [pd.DataFrame({"basin": names, "benchmark": kind} | flow) for kind in ("climatology", "mean")]
    pd.concat(marks).to_parquet(lease.folder / "benchmarks.parquet", index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    for name, value in (("arms", 12), ("seeds", 3), ("basins", 671), ("epochs", 50), ("years", 10)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    large_store(given.home, given.arms, given.seeds, given.basins, given.epochs, given.years)
