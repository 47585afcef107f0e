import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from studyhub.catalog import METRICS
from studyhub.errors import DataError
from studyhub.runner.results import COLUMNS, SCORES, collect, states, table
from studyhub.study.cells import Cell
from studyhub.study.store import Store

CELLS = tuple(Cell(arm, 1, seed, f"{index:016x}") for index, (arm, seed) in enumerate([("a", 1), ("a", 2), ("b", 1), ("b", 2)]))


def trial_scores(nse: list[float]) -> pd.DataFrame:
    """As a trial leaves them: one row per basin."""
    rows = {"basin": [f"0{i}" for i in range(len(nse))], "period": "test"} | dict.fromkeys(METRICS, 0.5)
    return pd.DataFrame(rows | {"nse": nse, "days": 365})


def finish(store: Store, cell: Cell, nse: list[float]) -> Path:
    lease = store.claim(cell.trial)
    trial_scores(nse).to_parquet(lease.folder / SCORES)
    lease.finish({"state": "finished", "cause": None})
    return lease.folder / SCORES


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path)
    store.write_study("study", "question: ?\n", CELLS)
    return store


def test_one_row_per_cell_and_basin_under_the_cells_names(store):
    for cell, nse in zip(CELLS, ([0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]), strict=True):
        finish(store, cell, nse)
    scores = collect(store, "study")
    assert list(scores.columns) == ["trial", "arm", "fold", "seed", "basin", "period", *METRICS, "days"]
    assert scores[["arm", "seed", "basin", "nse"]].values.tolist()[:3] == [["a", 1, "00", 0.1], ["a", 1, "01", 0.2], ["a", 2, "00", 0.3]]
    assert scores["trial"].tolist()[::2] == [cell.trial for cell in CELLS]
    written = pd.read_parquet(store.study_folder("study") / "scores.parquet")
    pd.testing.assert_frame_equal(written, scores)
    assert [path.name for path in store.study_folder("study").iterdir() if path.name.startswith(".")] == []


def test_only_finished_trials_have_scores(store):
    finish(store, CELLS[0], [0.1])
    store.claim(CELLS[1].trial).finish({"state": "diverged", "cause": {"basin": "00"}})
    store.claim(CELLS[2].trial).fail({"cause": "no"})
    scores = collect(store, "study")
    assert scores["seed"].tolist() == [1]
    assert {arm: dict(count) for arm, count in states(store, CELLS).items()} == {
        "a": {"finished": 1, "diverged": 1},
        "b": {"failed": 1, "pending": 1},
    }


def test_nothing_finished_leaves_an_empty_table_of_the_same_columns(store):
    scores = collect(store, "study")
    assert scores.empty
    written = pd.read_parquet(store.study_folder("study") / "scores.parquet")
    assert list(written.columns) == list(COLUMNS)
    assert "2 pending" in shown(scores, store, 200)


def test_a_trial_of_two_arms_counts_for_both(store):
    finish(store, CELLS[0], [0.1])
    store.write_study("twice", "question: ?\n", [CELLS[0], Cell("other", 1, 1, CELLS[0].trial)])
    assert collect(store, "twice")["arm"].tolist() == ["a", "other"]


def test_a_basin_without_a_value_is_said(store):
    finish(store, CELLS[0], [0.8, np.nan, np.nan])
    text = shown(collect(store, "study"), store, 200)
    assert "0.800*" in text
    assert "*: without the basins in which the metric is not defined" in text


def test_the_table_names_units_basins_and_states(store):
    finish(store, CELLS[0], [0.1, 0.3, 0.8])
    finish(store, CELLS[1], [0.1, 0.3, 0.8])
    store.claim(CELLS[2].trial).finish({"state": "diverged", "cause": None})
    text = shown(collect(store, "study"), store, 160)
    lines = [line.split() for line in text.splitlines()]
    assert ["arm", "period", "%", "%", "%", "%", "mm/d", "mm/d", "basins", "trials"] in lines
    assert ["a", "test", "0.300", *["0.500"] * 8, "3", "2", "finished"] in lines
    assert ["b", "-", *["-"] * 9, "0", "1", "pending,", "1", "diverged"] in lines


def test_a_narrow_terminal_gets_the_first_metrics_and_is_told_of_the_rest(store):
    finish(store, CELLS[0], [0.1, 0.3, 0.8])
    text = shown(collect(store, "study"), store, 80)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "nse" in text.splitlines()[1] and "peak_rmse" not in text.splitlines()[1]
    assert "peak_rmse: in the scores' file" in text


def test_damaged_scores_are_named(store):
    path = finish(store, CELLS[0], [0.1])
    path.write_bytes(b"no Parquet")
    with pytest.raises(DataError, match=r"scores\.parquet: cannot be read .*launch again"):
        collect(store, "study")


def shown(scores: pd.DataFrame, store: Store, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(scores, states(store, CELLS), console.width))
    return console.file.getvalue()
