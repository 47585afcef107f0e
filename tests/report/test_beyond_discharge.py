import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import METRICS, SIGNATURES
from studyhub.report import parameters, scored, untrained
from studyhub.report.collect import collect
from studyhub.report.page import with_figures
from studyhub.stats.summary import per_basin


def kept(toy, offset=0.0):
    """Leave signatures, parameters and benchmarks beside the scores of every trial."""
    basins = list(toy.basins)
    n = len(basins)
    observed = np.linspace(0.2, 0.8, n)
    for cell in toy.cells:
        folder = toy.store.latest_attempt(cell.trial)
        wrong = observed[::-1] if cell.arm == "sequential" else observed + offset
        table = {"basin": basins} | {f"{name}{kind}": np.nan for name in SIGNATURES for kind in ("", "_obs")}
        table |= {"bfi": wrong, "bfi_obs": observed, "et_mean": 500 + 10 * observed, "et_mean_obs": 500 + 10 * observed}
        pd.DataFrame(table).to_parquet(folder / "signatures.parquet", index=False)
        near = np.where(np.arange(n) < n / 4, 51.0, 500.0)  # FC: 50 to 1000 mm
        rows = {"basin": basins, "parameter": "FC", "mean": near, "low": near - 1, "high": near + 1, "daily": False}
        other = {"basin": basins, "parameter": "BETA", "mean": 3.0, "low": 2.0, "high": 5.9, "daily": True}
        pd.concat([pd.DataFrame(rows), pd.DataFrame(other)]).to_parquet(folder / "parameters.parquet", index=False)
        discharge = {name: 0.25 for name, metric in METRICS.items() if metric.of == "discharge"}
        both = [pd.DataFrame({"basin": basins, "benchmark": which} | discharge) for which in ("climatology", "mean")]
        pd.concat(both).to_parquet(folder / "benchmarks.parquet", index=False)
    results = collect(toy.store, "toy")
    return results, per_basin(results.scores, list(METRICS))


def row(table, arm):
    return table.data.set_index("arm").loc[arm]


def test_baseflow_is_correlated_over_basins(toy):
    results, means = kept(toy.write(seeds=(1,)).end(), offset=0.1)
    (found,) = with_figures([untrained.section(results, means)])
    table = found.tables[0]
    assert row(table, "implicit")["bfi_r"] == pytest.approx(1) and row(table, "sequential")["bfi_r"] == pytest.approx(-1)
    assert row(table, "implicit")["bfi_bias"] == pytest.approx(0.1) and row(table, "implicit")["bfi_basins"] == 12
    assert row(table, "implicit")["dynamic"] == "none" and row(table, "implicit")["et_r_space"] == pytest.approx(1)
    assert row(table, "implicit")["et_nse"] == means.loc["implicit", "et_nse"].median()
    assert {figure.name for figure in found.figures} == {"bfi", "et"}
    assert found.figures[1].data.columns.tolist() == ["arm", "basin", "et_mean_obs", "et_mean"]
    assert row(found.folded[0], "implicit")["bfi"] == pytest.approx(1) and row(found.folded[1], "implicit")["bfi"] == pytest.approx(0.1)


def test_trials_that_left_nothing_of_the_kind(toy):
    results = collect(toy.write(seeds=(1,)).end().store, "toy")
    results.scores[[name for name, metric in METRICS.items() if metric.of != "discharge"]] = np.nan
    assert untrained.section(results, per_basin(results.scores, list(METRICS))).empty
    assert parameters.section(results).empty


def test_parameters_near_their_bounds_are_counted(toy):
    results, _ = kept(toy.write(seeds=(1, 2)).end())
    (found,) = with_figures([parameters.section(results)])
    assert row(found.tables[0], "implicit")["FC"] == 25 and row(found.tables[0], "implicit")["BETA"] == 0
    detail = found.folded[0].data.set_index(["arm", "parameter"]).loc[("implicit", "BETA")]
    assert detail["reaching"] == 100 and detail["near_high"] == 0 and detail["daily"] == "yes" and detail["high"] == 6
    names = [figure.name for figure in found.figures]
    assert names == ["parameter_ranges", "parameter_map_beta", "parameter_map_fc"]
    assert found.figures[2].data["FC"].isin([51.0, 500.0]).all()


def test_benchmarks_stand_below_the_arms_and_are_never_the_best(toy):
    results, means = kept(toy.write().end(gain=-0.9))
    (table,) = scored.tables(results, means)
    assert table.data["arm"].tolist() == [
        "sequential",
        "implicit",
        "climatology of each day of the year",
        "mean of each basin",
    ]
    assert row(table, "mean of each basin")["kge"] == 0.25 and row(table, "mean of each basin")["basins"] == 12
    assert {place for place, _ in table.best} == {0}
    names = [part.name for part in scored.section(results, means).folded]
    assert names[:2] == ["components", "other_metrics"]
