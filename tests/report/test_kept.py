"""What trials leave beside their scores, gathered over arms, folds and seeds."""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from studyhub.errors import DataError
from studyhub.report import kept
from studyhub.report.collect import collect
from studyhub.report.kept import BENCHMARK_COLUMNS, SIGNATURE_COLUMNS


@pytest.fixture
def files(tmp_path):
    """Write a file of a trial of an arm, and return all folders so far with their arms."""
    found: list = []

    def write(arm, name, table, folder=None):
        place = folder or tmp_path / f"{len(found)}"
        place.mkdir(exist_ok=True)
        pd.DataFrame(table).to_parquet(place / name, index=False)
        if folder is None:
            found.append((arm, place))
        return found

    return write


def signatures(basins, q_mean, **others):
    table = {"basin": basins} | {name: np.full(len(basins), 1.0) for name in SIGNATURE_COLUMNS} | {"q_mean": q_mean}
    return table | others


def test_signatures_are_means_over_trials_of_those_that_are_defined(files):
    files("b", "signatures.parquet", signatures(["1", "2"], [1.0, 2.0]))
    files("b", "signatures.parquet", signatures(["2", "3"], [4.0, np.nan]))
    found = kept.signatures(files("a", "signatures.parquet", signatures(["1"], [7.0])))
    assert list(found.columns) == ["arm", "basin", *SIGNATURE_COLUMNS]
    rows = {(arm, basin): q for arm, basin, q in found[["arm", "basin", "q_mean"]].itertuples(index=False)}
    assert rows.pop(("b", "3")) != rows.get(("b", "3"))  # NaN
    assert rows == {("b", "1"): 1, ("b", "2"): 3, ("a", "1"): 7}
    assert (found["bfi_obs"] == 1).all()


def test_columns_that_an_earlier_version_did_not_write_are_empty(files):
    table = signatures(["1"], [1.0])
    del table["bfi"]
    found = kept.signatures(files("a", "signatures.parquet", table))
    assert found["bfi"].isna().all() and found["q_mean"].tolist() == [1]


def test_parameters_are_means_with_the_widest_range(files):
    def table(basins, mean, spread, daily=False):
        rows = [(b, p) for b in basins for p in ("FC", "BETA")]
        names = {"basin": [b for b, _ in rows], "parameter": [p for _, p in rows]}
        return names | {"mean": mean, "low": np.array(mean) - spread, "high": np.array(mean) + spread, "daily": daily}

    files("a", "parameters.parquet", table(["1", "2"], [1.0, 2, 3, 4], 0.5))
    files("a", "parameters.parquet", table(["2"], [5.0, 6], 0.25, daily=True))
    found = kept.parameters(files("b", "parameters.parquet", table(["9"], [7.0, 8], 1)))
    assert list(found.columns) == ["arm", "basin", "parameter", "mean", "low", "high", "daily"]
    rows = {tuple(row[:3]): tuple(row[3:]) for row in found.itertuples(index=False)}
    assert rows["a", "1", "FC"] == (1, 0.5, 1.5, False)
    assert rows["a", "2", "FC"] == (4, 2.5, 5.25, True)
    assert rows["a", "2", "BETA"] == (5, 3.5, 6.25, True)
    assert rows["b", "9", "BETA"] == (8, 7, 9, False)
    assert len(rows) == 6 and found.groupby(["arm", "parameter"], observed=True).size().tolist() == [2, 2, 1, 1]


def test_benchmarks_are_those_of_each_basin_once(files):
    def table(basins):
        rows = [(basin, name) for name in ("climatology", "mean") for basin in basins]
        names = {"basin": [basin for basin, _ in rows], "benchmark": [name for _, name in rows]}
        return names | {name: float(basins[0]) for name in BENCHMARK_COLUMNS}

    files("a", "benchmarks.parquet", table(["1", "2"]))
    files("b", "benchmarks.parquet", table(["1", "2"]))
    found = kept.benchmarks(files("b", "benchmarks.parquet", table(["2", "3"])))
    assert found[["basin", "benchmark", "nse"]].sort_values(["basin", "benchmark"]).values.tolist() == [
        ["1", "climatology", 1], ["1", "mean", 1], ["2", "climatology", 1], ["2", "mean", 1], ["3", "climatology", 2], ["3", "mean", 2],
    ]  # fmt: skip


def test_studies_of_earlier_versions_have_none_of_it(toy):
    results = collect(toy.write().end(lambda cell: "finished" if cell.seed == 1 else "failed").store, "toy")
    assert results.signatures().empty and "bfi_obs" in results.signatures()
    assert results.parameters().empty and results.benchmarks().empty
    assert results.attributes().columns.tolist() == ["basin"]


def test_results_read_the_files_of_finished_trials_and_of_the_study(toy):
    toy.write(seeds=(1,)).end(lambda cell: "finished" if cell.arm == "implicit" else "diverged")
    for cell in toy.cells:
        pd.DataFrame(signatures(["000"], [2.0])).to_parquet(toy.store.latest_attempt(cell.trial) / "signatures.parquet")
    pd.DataFrame({"basin": ["000"], "aridity": [0.5]}).to_parquet(toy.store.study_folder("toy") / "basins.parquet")
    results = collect(toy.store, "toy")
    assert results.signatures()[["arm", "basin", "q_mean"]].values.tolist() == [["implicit", "000", 2]]
    assert results.attributes().values.tolist() == [["000", 0.5]]


def test_a_damaged_file_is_named_with_the_cure(files):
    found = files("a", "signatures.parquet", signatures(["1"], [1.0]))
    (found[0][1] / "signatures.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match=r"signatures.parquet: cannot be read .* launch the study again"):
        kept.signatures(found)


def test_many_trials_are_gathered_in_bounded_memory_and_time(files):
    basins, names = [f"{i:05}" for i in range(2000)], [f"P{i}" for i in range(14)]
    rng = np.random.default_rng(0)
    table = {"basin": np.repeat(basins, 14), "parameter": np.tile(names, 2000), "daily": False}
    table |= {name: rng.random(28_000) for name in ("mean", "low", "high")}
    files("a", "parameters.parquet", table)
    found = files("a", "signatures.parquet", signatures(basins, rng.random(2000)), folder=files("a", "x.parquet", {"x": [1]})[0][1])[:1]
    tracemalloc.start()
    begun = time.process_time()
    parameters, of_basins = kept.parameters(found * 20), kept.signatures(found * 20)
    assert time.process_time() - begun < 4
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()
    np.testing.assert_allclose(parameters["mean"], table["mean"])
    assert len(of_basins) == 2000
