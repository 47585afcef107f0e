"""A trained model goes into an archive, comes out in another home, and simulates there what it did before."""

import os
from datetime import date

import pandas as pd
import torch

from studyhub.catalog import variables
from studyhub.data.synthetic import build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.runner.predict import find, predict
from studyhub.runner.trial import run
from studyhub.study.archive import export, restore
from studyhub.study.cells import Cell
from studyhub.study.plan import trial_id
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.store import Store

SPLIT = Split(Period(date(1985, 10, 1), date(1987, 9, 30)), Period(date(1987, 10, 1), date(1988, 9, 30)), warmup=120, test_warmup=200)
MODEL = Model("lstm", ("prcp", "tmean", "pet"), ("clim_p_mean", "clim_aridity"), hidden_size=4)


def test_a_model_out_of_an_archive_simulates_as_before(tmp_path):
    torch.set_num_threads(1)
    world = build(SyntheticSettings(basins=2, years=3), tmp_path / "shards")
    training = Training(epochs=1, batch=2, window=90, updates_per_epoch=1, loss="rmse")
    trial = Trial(MODEL, training, SPLIT, world.basins, world.basins, 1, world.hash(world.basins, variables(MODEL)))
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    lease = here.claim(trial_id(trial))
    outcome = run(trial, world.manifest.where, lease.folder, cpus=1, device="cpu", on_epoch=lambda epoch: None)
    assert lease.finish(outcome.result | {"state": outcome.state})
    here.write_study("one", "question: x\n", [Cell("lstm", 1, 1, trial_id(trial))])
    archive = export(here, "one", tmp_path / "one.zip").path
    os.rename(here.home, tmp_path / "gone")
    restore(archive, there)
    predict(find(there, "one/lstm"), world, tmp_path / "q.parquet", period=SPLIT.test)
    simulated = pd.read_parquet(tmp_path / "q.parquet")["qsim"]
    before = pd.read_parquet(tmp_path / "gone/store/trials" / trial_id(trial) / "attempt-001/simulation.parquet")["qsim"]
    pd.testing.assert_series_equal(simulated, before, rtol=1e-5)
