"""Scores around what was learned: the learned point is the trial's own, others are those of parameters moved by hand."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from studyhub.catalog import variables
from studyhub.data.record import Basin
from studyhub.data.shards import Shards, write
from studyhub.data.synthetic import build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.evaluation import metrics
from studyhub.models.dpl import DifferentiableModel
from studyhub.physics.structure import Parameter
from studyhub.runner import surface as mapping
from studyhub.runner import trained
from studyhub.runner.surface import Moved, moved, surface
from studyhub.runner.trial import run
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.surface import Surface

SPLIT = Split(Period(date(1985, 10, 1), date(1987, 9, 30)), Period(date(1987, 10, 1), date(1988, 9, 30)), warmup=120, test_warmup=200)
TRAINING = Training(epochs=1, batch=3, window=90, updates_per_epoch=2)
IMPLICIT = Model("dpl", ("prcp", "tmean", "pet"), ("clim_p_mean",), hidden_size=8, components=2, dynamic=("BETA",), scheme="implicit")
SEQUENTIAL = replace(IMPLICIT, scheme="sequential", dynamic=(), components=3)
SMALL = Surface(points=5, reach=0.2)
TABLE = Parameter("FC", "a parameter", "mm", 50.0, 1050.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(SyntheticSettings(basins=3, years=3), tmp_path_factory.mktemp("world") / "shards")


@pytest.fixture(scope="module", params=[IMPLICIT, SEQUENTIAL], ids=["implicit", "sequential"])
def model(request, world, tmp_path_factory):
    """A trained model, and what its trial has scored."""
    torch.set_num_threads(1)
    trial = Trial(request.param, TRAINING, SPLIT, world.basins, world.basins, 1, world.hash(world.basins, variables(request.param)))
    folder = tmp_path_factory.mktemp("trained")
    assert run(trial, world.manifest.where, folder, cpus=1, device="cpu", on_epoch=lambda epoch: None).state == "finished"
    return *trained.load(folder, "cpu"), pd.read_parquet(folder / "scores.parquet").set_index("basin")


def middle(rows: pd.DataFrame) -> pd.Series:
    (row,) = (row for _, row in rows.iterrows() if row["dx"] == 0 and row["dy"] == 0)
    return row


@pytest.mark.parametrize("metric", ["kge", "nse"])
def test_the_learned_point_is_what_the_trial_has_scored(model, world, metric):
    trial, simulator, scores = model
    told = []
    for basin in world.basins[:2]:
        rows = surface(trial, simulator, world, basin, replace(SMALL, metric=metric), lambda *counts: told.append(counts))
        learned = middle(rows)
        assert learned["score"] == pytest.approx(scores.loc[basin, metric], abs=1e-6)
        assert len(rows) <= 25 and rows["score"].nunique() > 5 and not rows["diverged"].any()
        assert told[-1] == (len(rows), len(rows))


def test_axes_are_called_by_the_means_of_the_test(model, world):
    trial, simulator, _ = model
    rows = surface(trial, simulator, world, world.basins[0], SMALL)
    ((_, simulated),) = simulator.blocks(world, world.basins[:1], SPLIT.test, SPLIT.test_warmup, complete=True)
    for axis, name in (("x", "FC"), ("y", "BETA")):
        assert middle(rows)[axis] == pytest.approx(simulated.parameters[name].double().mean().item(), rel=1e-6)
        assert rows[axis].is_monotonic_increasing or rows.sort_values(f"d{axis}", kind="stable")[axis].is_monotonic_increasing


def test_every_point_is_that_of_parameters_moved_by_hand(model, world, monkeypatch):
    trial, simulator, _ = model
    basin = world.basins[1]
    rows = surface(trial, simulator, world, basin, SMALL)
    learned, tables = DifferentiableModel._values, {table.name: table for table in simulator.network.physics.parameters}
    for _, point in rows.iloc[[0, len(rows) // 3, len(rows) - 1]].iterrows():

        def by_hand(self, *given, point=point):
            values = learned(self, *given)
            for name, offset in (("FC", point["dx"]), ("BETA", point["dy"])):
                table = tables[name]
                values[name] = (values[name] + offset * (table.high - table.low)).clip(table.low, table.high)
            return values

        with monkeypatch.context() as patch:
            patch.setattr(DifferentiableModel, "_values", by_hand)
            ((record, simulated),) = simulator.blocks(world, [basin], SPLIT.test, SPLIT.test_warmup)
        assert point["score"] == pytest.approx(metrics.kge(simulated.discharge.T.double().numpy(), record.variable("qobs"))[0], abs=1e-6)


def test_the_same_in_small_parts(model, world, monkeypatch):
    trial, simulator, _ = model
    whole = surface(trial, simulator, world, world.basins[0], SMALL)
    monkeypatch.setattr(mapping, "AT_ONCE", 20_000)
    told = []
    parts = surface(trial, simulator, world, world.basins[0], SMALL, lambda *counts: told.append(counts))
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-6)
    assert len(told) > 3


def test_values_are_held_within_their_bounds_and_offsets_end_where_nothing_moves():
    values = torch.tensor([[100.0, 900.0]], dtype=torch.float64)
    torch.testing.assert_close(
        moved(values, TABLE, torch.tensor([-0.2, 0.0, 0.5], dtype=torch.float64)),
        torch.tensor([[[50.0, 700.0], [100.0, 900.0], [600.0, 1050.0]]], dtype=torch.float64),
    )
    near = Moved.of(TABLE, torch.tensor([[80.0, 150.0]], dtype=torch.float64), 0, Surface(points=11, reach=0.25))
    np.testing.assert_allclose(near.offsets, [-0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.25], atol=1e-12)
    np.testing.assert_allclose(near.means[:3], [50.0, 75.0, 115.0])
    at_bound = Moved.of(TABLE, torch.tensor([[1050.0]], dtype=torch.float64), 0, Surface(points=3))
    np.testing.assert_allclose(at_bound.means, [550.0, 1050.0])


def test_a_fixed_value_beyond_a_bound_stays_where_it_is():
    beyond = Moved.of(TABLE, torch.tensor([[1200.0]], dtype=torch.float64), 0, Surface(points=3))
    np.testing.assert_allclose(beyond.means, [700.0, 1200.0])


def test_only_days_of_the_test_count_for_daily_values():
    values = torch.full((10, 1, 1), 300.0)
    values[:4] = 50.0
    assert Moved.of(TABLE, values, 4, Surface(points=3)).means[1] == pytest.approx(300.0)


def test_points_at_which_a_store_diverges_have_no_score_and_the_others_have(model, tmp_path):
    """Under such rain a store stays below 100 m of water only where it empties fast."""
    trial, simulator, _ = model
    days, rng = 600, np.random.default_rng(1)
    series = {"prcp": rng.uniform(15e3, 25e3, days), "tmean": np.full(days, 10.0), "pet": np.ones(days), "qobs": rng.gamma(2, 9000, days)}
    deluge = Basin("deluge", date(1987, 3, 1), series, {"clim_p_mean": 3.0}, {})
    shards = Shards.open(write(tmp_path / "deluge", [deluge], source="test", settings={}))
    rows = surface(trial, simulator, shards, "deluge", Surface(("K0", "K1"), points=5, reach=0.5))
    lost = rows["diverged"].to_numpy()
    assert 0 < lost.sum() < len(rows)
    assert rows.loc[lost, "score"].isna().all() and rows.loc[~lost, "score"].notna().all()
    assert rows.loc[lost, "x"].mean() < rows.loc[~lost, "x"].mean() and middle(rows)["diverged"] == bool(lost[len(lost) // 2])
