"""What a launch knows before anything runs: searches are asked what they have chosen, and data are looked at that only they will need."""

import io
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from studyhub.catalog import METRICS
from studyhub.data.record import Basin
from studyhub.data.shards import write
from studyhub.errors import DataError
from studyhub.launch import check_data, prepare
from studyhub.runner.show import Show
from studyhub.study.leases import Lease
from studyhub.study.store import Store
from studyhub.underway import UnderWay

PERIODS = "train: [1986-10-01, 1988-09-30], validation: [1989-01-01, 1989-12-31], test: [1990-10-01, 1991-09-30]"
STUDY = f"""\
question: Which rate?
data: {{data}}
split: {{{{{PERIODS}, warmup: 100, test_warmup: 200}}}}
shared: {{{{model: lstm, hidden_size: 4, forcing: [prcp, tmean, pet], attributes: [p_mean]}}}}
training: {{{{epochs: 2, batch: 4, window: 100, updates_per_epoch: 2}}}}
arms:
  found: {{{{}}}}
  tuned: {{{{dropout: 0.1, init_from: {{{{arm: found}}}}}}}}
search: {{{{parameters: {{{{learning_rate: {{{{choices: [0.1, 1.0]}}}}}}}}, arms: [found], budget: 2}}}}
seeds: [1]
"""


def begun(folder: Path, data: str = "{reader: synthetic, basins: 4, years: 6}", **options: Any) -> UnderWay:
    (folder / "study.yaml").write_text(STUDY.format(data=data))
    return UnderWay(prepare(folder / "study.yaml", folder / "home"), **options)


def claimed(store: Store, trial: str) -> Lease:
    lease = store.claim(trial)
    assert lease is not None
    return lease


def finish(store: Store, trial: str, nse: float) -> None:
    lease = claimed(store, trial)
    pd.DataFrame({"basin": ["a"], "days": 10} | dict.fromkeys(METRICS, nse)).to_parquet(lease.folder / "scores.parquet")
    assert lease.finish({"state": "finished", "cause": None})


def test_a_trial_that_a_search_has_chosen_is_tried_again_on_request(tmp_path):
    under_way = begun(tmp_path)
    store = under_way.prepared.store
    for number, task in enumerate(under_way.searches[0].ready()):
        finish(store, task.name, number / 2)
    found, tuned = (cell.trial for cell in begun(tmp_path).prepared.plan.cells)
    claimed(store, found).fail({"cause": "no", "kind": "code", "traceback": []})
    again = begun(tmp_path, only=[found])
    assert [task.name for task in again.tasks] == [found] and again.open and again.searches == []
    assert [task.name for task in begun(tmp_path, only=[tuned]).tasks] == [found, tuned], "with the parent that it lacks"


def test_a_search_that_has_not_ended_is_not_gone_on_with_on_request(tmp_path):
    under_way = begun(tmp_path)
    claimed(under_way.prepared.store, under_way.searches[0].ready()[0].name).fail({"cause": "no", "kind": "data", "traceback": []})
    again = begun(tmp_path, only=["0" * 16])
    assert again.searches == again.tasks == again.all_rows() == [] and again.trials == 0 and not again.open


@pytest.mark.parametrize("days", [slice(2000, 2100), slice(1200, 1300)], ids=["test", "validation"])
def test_data_that_only_a_search_brings_into_use_are_checked_before_it(tmp_path, days):
    rng, length = np.random.default_rng(1), 2191
    series = {name: rng.gamma(2.0, size=length) for name in ("prcp", "tmean", "pet", "qobs")}
    series["tmean"][days] = np.nan
    basin = Basin("01", date(1985, 10, 1), series, {"p_mean": 3.0}, {})
    write(tmp_path / "shards", [basin], source="test", settings={})
    under_way = begun(tmp_path, f"{{shards: {tmp_path / 'shards'}}}")
    assert under_way.tasks == []
    show = Show(Console(file=io.StringIO()))
    with pytest.raises(DataError, match="tmean"):
        check_data(under_way, under_way.prepared.data(show.say), show)
