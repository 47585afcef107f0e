from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import METRICS
from studyhub.errors import DataError, StoreError
from studyhub.report.collect import COLUMNS, SCORES, collect, write_scores
from studyhub.report.render import compose
from studyhub.stats.compare import Question, compare
from studyhub.study.archive import export, restore
from studyhub.study.store import Store


def test_one_row_per_cell_and_basin_under_the_cells_names(toy):
    results = collect(toy.write().end().store, "toy")
    assert list(results.scores.columns) == list(COLUMNS)
    assert len(results.scores) == 4 * 12
    assert results.scores.groupby("trial").size().index.tolist() == [cell.trial for cell in toy.cells]
    assert results.scored_arms == ["sequential", "implicit"]


def test_only_finished_trials_have_scores_and_all_are_counted(toy):
    ends = dict(
        zip([(a, s) for a in ("sequential", "implicit") for s in (1, 2)], ("finished", "diverged", "failed", "pending"), strict=True)
    )
    results = collect(toy.write().end(lambda cell: ends[cell.arm, cell.seed]).store, "toy")
    assert results.scores[["arm", "seed"]].drop_duplicates().values.tolist() == [["sequential", 1]]
    assert {arm: dict(count) for arm, count in results.states().items()} == {
        "sequential": {"finished": 1, "diverged": 1},
        "implicit": {"failed": 1, "pending": 1},
    }
    causes = {run.state: run.cause for run in results.runs}
    assert causes["diverged"] == "during training, epoch 1, basin 000, store SM, day 1990-05-01"
    assert causes["failed"] == "MemoryError: out of <memory>"
    assert results.scored_arms == ["sequential"]


def test_a_study_without_scores_has_an_empty_table_of_the_same_columns(toy):
    results = collect(toy.write().store, "toy")
    assert results.scores.empty and list(results.scores.columns) == list(COLUMNS)
    assert results.epochs().empty and results.simulation(["000"]).empty


def test_epochs_of_running_trials_are_there(toy):
    results = collect(toy.write().end(lambda cell: "running" if cell.seed == 1 else "finished").store, "toy")
    epochs = results.epochs()
    assert len(epochs) == 8
    assert epochs[["epoch", "loss", "loss_name"]].values.tolist()[:2] == [[1, 1.0, "rmse_log"], [2, 0.5, "rmse_log"]]
    assert epochs["validation"].isna().all()


def test_a_half_written_epoch_is_left_for_next_time(toy):
    toy.write(seeds=(1,)).end(lambda cell: "running")
    (toy.store.latest_attempt(toy.cells[0].trial) / "epochs" / "0003.json").write_text('{"numb')
    assert len(collect(toy.store, "toy").epochs()) == 4


def test_simulations_are_those_of_the_first_finished_trial_of_each_arm(toy):
    results = collect(toy.write().end(lambda cell: "diverged" if cell.seed == 1 and cell.arm == "implicit" else "finished").store, "toy")
    series = results.simulation(["003", "005"])
    assert set(series["basin"]) == {"003", "005"} and set(series["arm"]) == {"sequential", "implicit"}
    assert len(series) == 2 * 2 * 730
    ratio = series.groupby("arm")[["qsim", "qobs"]].sum()
    np.testing.assert_allclose(ratio["qsim"] / ratio["qobs"], [0.95, 0.9])


def test_epochs_of_earlier_attempts_count_where_a_later_one_goes_on(toy):
    toy.write(seeds=(1,)).end(lambda cell: "running")
    trial = toy.cells[0].trial
    (toy.store.latest_attempt(trial) / "stopped.json").write_text("{}")
    later = toy.store.claim(trial).folder / "epochs"
    later.mkdir()
    for number, loss in ((2, 0.25), (3, 0.2)):
        (later / f"{number:04}.json").write_text(f'{{"number": {number}, "loss": {loss}, "validation": null, "solve": null}}')
    epochs = collect(toy.store, "toy").epochs()
    assert epochs.loc[epochs["arm"] == "sequential", ["epoch", "loss"]].values.tolist() == [[1, 1.0], [2, 0.25], [3, 0.2]]


def test_a_cell_waits_for_its_parent(toy):
    toy.write(seeds=(1,)).end(lambda cell: "pending")
    parent, child = toy.cells
    cells = [parent, replace(child, parent=parent.trial)]
    toy.store.write_study("toy", toy.store.read_study("toy").spec_text, cells)
    assert [run.state for run in collect(toy.store, "toy").runs] == ["pending", "blocked"]


def test_a_study_out_of_an_archive_is_collected_and_reported_as_before(toy, tmp_path):
    toy.write().end(lambda cell: "failed" if cell.seed == 2 and cell.arm == "implicit" else "finished")
    there = Store(tmp_path / "there")
    restore(export(toy.store, "toy", tmp_path / "toy.zip").path, there)
    before, after = collect(toy.store, "toy"), collect(there, "toy")
    pd.testing.assert_frame_equal(after.scores, before.scores)
    pd.testing.assert_frame_equal(after.epochs(), before.epochs())
    assert [(run.state, run.cause) for run in after.runs] == [(run.state, run.cause) for run in before.runs]
    assert after.simulation(["003"]).empty and not before.simulation(["003"]).empty
    sections = {section.name: section for section in compose(after).sections}
    assert sections["hydrographs"].notes[0].startswith("Of 3 finished trials the simulated days are not here")
    assert not any(section.name == "hydrographs" and section.notes for section in compose(before).sections)


def test_what_is_known_of_basins(toy):
    facts = {"000": {"gauge_lat": 1.5, "gauge_lon": -2.5, "climate_group": "arid", "huc_02": "01"}, "001": {}}
    basins = collect(toy.write(facts=facts).store, "toy").basins
    assert basins.columns.tolist() == ["basin", "lat", "lon", "climate", "continent", "huc_02", "dataset"]
    assert basins.iloc[0].tolist() == ["000", 1.5, -2.5, "arid", None, "01", None]
    assert basins.iloc[1].isna().tolist() == [False, True, True, True, True, True, True]


def test_claims_may_name_what_no_model_is_trained_on_and_ratios(toy):
    claims = tuple(("implicit", "sequential", metric) for metric in ("et_nse", "kge_beta"))
    results = collect(toy.write(claims=claims).end(gain=0.05).store, "toy")
    asked = [Question(c.better, c.than, c.metric, METRICS[c.metric].direction) for c in results.spec.compare]
    evapotranspiration, ratio = compare(results.scores, asked)
    assert (evapotranspiration.n, evapotranspiration.wins) == (12, 12)
    # The toy's ratio is 1 - quality, which the better arm has farther from 1.
    assert (ratio.n, ratio.losses) == (12, 12) and ratio.median_better == pytest.approx(0.65, abs=0.01)


def test_scores_are_written_whole(toy):
    results = collect(toy.write().end().store, "toy")
    folder = toy.store.study_folder("toy")
    path = write_scores(results, folder)
    pd.testing.assert_frame_equal(pd.read_parquet(path), results.scores)
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_damaged_scores_are_named_with_the_cure(toy):
    toy.write().end()
    path = toy.store.latest_attempt(toy.cells[0].trial) / SCORES
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match="cannot be read .* launch again") as error:
        collect(toy.store, "toy")
    assert str(path) in str(error.value)


def test_an_unknown_study_is_a_message(toy):
    with pytest.raises(StoreError, match="no study 'other'"):
        collect(toy.write().store, "other")
