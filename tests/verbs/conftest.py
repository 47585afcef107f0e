"""A small study, a home of its own, and the command line as a function."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from studyhub import cli
from studyhub import launch as launching
from studyhub.catalog import METRICS
from studyhub.runner.workers.cluster import cluster as ray_cluster
from studyhub.study.store import Store
from studyhub.underway import UnderWay

STUDY = """\
question: Do two LSTMs differ?
data: {reader: synthetic, basins: 4, years: 6}
split: {train: [1986-10-01, 1988-09-30], test: [1990-10-01, 1991-09-30], warmup: 100, test_warmup: 200}
shared: {model: lstm, hidden_size: 4, forcing: [prcp, tmean, pet], attributes: [p_mean]}
training: {epochs: 2, batch: 4, window: 100, updates_per_epoch: 2}
arms:
  small: {}
  large: {hidden_size: 6, may_diverge: true}
seeds: [1]
"""


@pytest.fixture
def study(tmp_path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def studyhub(home, capsys) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a verb here and returns exit code, what it printed and what it said on stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([*map(str, arguments), "--home", str(home)])
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


@pytest.fixture(scope="session")
def cluster() -> Iterator[object]:
    """Start Ray once; every launch in this process finds it there."""
    with ray_cluster() as nodes:
        yield nodes


def finish(store: Store, trial: str, state: str = "finished") -> None:
    """Let a trial have ended, without running it."""
    lease = store.claim(trial)
    assert lease is not None
    if state == "failed":
        lease.fail({"cause": "ValueError: no good", "kind": "code", "traceback": []})
    elif state == "stopped":
        lease.release()
    else:
        scores = pd.DataFrame({"basin": ["a"], "period": "test"} | dict.fromkeys(METRICS, 0.5) | {"days": 10})
        scores.to_parquet(lease.folder / "scores.parquet")
        lease.finish({"state": state, "cause": None if state == "finished" else {"basin": "syn-001", "store": "SM"}})


@pytest.fixture
def ends(monkeypatch) -> Callable[..., None]:
    """Return a function that says how the trials of the next launch end, in place of running them."""

    def say(*states: str, stopped: bool = False) -> None:
        def train(under_way: UnderWay, show: object, address: str | None) -> bool:
            under_way.keep()
            store = under_way.prepared.store
            missing = [cell.trial for cell in under_way.prepared.plan.cells if store.result(cell.trial) is None]
            for name, state in zip(missing, states, strict=False):
                finish(store, name, state)
            return stopped

        monkeypatch.setattr(launching, "train", train)

    return say
