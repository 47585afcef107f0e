"""Surfaces of a study: by the verb, by the study's own key, gone on with, and in the report."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from studyhub import cli, surfaces
from studyhub.errors import DataError
from studyhub.prepared import prepare
from studyhub.report.collect import collect
from studyhub.report.render import compose
from studyhub.runner import surfaces as mapping
from studyhub.runner.show import Mode, Show
from studyhub.runner.surfaces import choose
from studyhub.runner.trial import run
from studyhub.study.surface import Surface

STUDY = """\
question: Does the scheme change the surface?
data: {reader: synthetic, basins: 4, years: 3}
split: {train: [1985-10-01, 1987-09-30], test: [1987-10-01, 1988-09-30], warmup: 120, test_warmup: 200}
shared: {model: dpl, hidden_size: 8, components: 2, forcing: [prcp, tmean, pet], attributes: [p_mean]}
training: {epochs: 1, batch: 3, window: 90, updates_per_epoch: 2}
arms:
  sequential: {}
  implicit: {scheme: implicit, dynamic: [BETA]}
  late: {scheme: implicit, hidden_size: 9}
  lstm: {model: lstm, hidden_size: 4}
  gr: {physics: gr4j}
seeds: [1, 2]
compare: [{better: implicit, than: sequential, metric: nse}]
surface: {basins: 2, points: 5, reach: 0.2}
"""
TRAINED = ("sequential", "implicit")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A study of which two arms have been trained."""
    threads = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("home")
    path = folder / "scheme.yaml"
    path.write_text(STUDY)
    prepared = prepare(path, folder, say=lambda text: None)
    prepared.data(lambda text: None)
    prepared.write()
    for cell in prepared.plan.cells:
        if cell.arm in TRAINED and cell.seed == 1:
            lease = prepared.store.claim(cell.trial)
            trial = prepared.plan.trials[cell.trial]
            done = run(trial, prepared.shards, lease.folder, cpus=1, device="cpu", on_epoch=lambda epoch: None)
            lease.finish({"state": done.state} | done.result)
    yield folder
    torch.set_num_threads(threads)


@pytest.fixture
def file(home):
    path = home / "studies" / "scheme" / "surfaces.parquet"
    path.unlink(missing_ok=True)
    return path


@pytest.fixture
def verb(home, capsys):
    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(["surface", "scheme", *words, "--home", str(home)])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture
def show():
    return Show(Console(file=io.StringIO()), Mode.LINES)


def said(show: Show) -> str:
    return show.console.file.getvalue()


def middles(table: pd.DataFrame) -> pd.DataFrame:
    return table.loc[(table["dx"] == 0) & (table["dy"] == 0)]


def test_the_verb_writes_what_the_study_file_asks_for(home, file, verb):
    code, out, err = verb("--json")
    assert code == 0, err
    told, table = json.loads(out), pd.read_parquet(file)
    assert told["computed"] == told["surfaces"] == 4 and told["points"] == len(table) and told["path"] == str(file)
    assert "no trial of `late` has finished: left out" in err and "lstm" not in err and "gr`" not in err
    assert set(table["arm"]) == set(TRAINED) and set(table["seed"]) == {1} and table["basin"].nunique() == 2
    scores = collect(prepare(home / "scheme.yaml", home).store, "scheme").scores
    both = middles(table).merge(scores, on=["trial", "basin"])
    assert len(both) == 4 and np.allclose(both["score"], both["kge"], atol=1e-6)
    order = scores.pivot_table(index="basin", columns="arm", values="kge")
    apart = (order["implicit"] - order["sequential"]).abs().sort_values(ascending=False)
    assert list(dict.fromkeys(table["basin"])) == list(apart.index[:2])


def test_what_is_there_is_not_computed_again(file, verb):
    assert verb()[0] == 0
    before = pd.read_parquet(file)
    code, out, _ = verb()
    assert code == 0 and "4 surfaces" in out and "0 of them computed now" in out
    pd.testing.assert_frame_equal(pd.read_parquet(file), before)
    kept = before["basin"].iloc[0]
    assert json.loads(verb("--json", "--basin", kept, "--basin", "syn-001", "--basin", "syn-002")[1])["computed"] <= 4
    assert {kept} <= set(pd.read_parquet(file)["basin"]) <= {kept, "syn-001", "syn-002"}
    other = json.loads(verb("--json", "--basin", kept, "--parameters", "K0", "UZL", "--arm", "implicit")[1])
    assert other["computed"] == other["surfaces"] == 1
    table = pd.read_parquet(file)
    assert set(table["x_parameter"]) == {"FC", "K0"} and set(table.loc[table["x_parameter"] == "K0", "arm"]) == {"implicit"}
    finer = json.loads(verb("--json", "--basin", kept, "--points", "7")[1])
    assert finer["computed"] == 2 and set(pd.read_parquet(file).query("x_parameter == 'FC'")["points"]) == {7}


def test_a_stop_keeps_the_surfaces_that_are_done(file, verb, monkeypatch):
    made, surface = [], mapping.surface

    def stopped(*given):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(surface(*given))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(mapping, "surface", stopped)
        assert verb()[0] == 130
    assert len(middles(pd.read_parquet(file))) == 3 and not list(file.parent.glob(".surfaces*"))
    assert json.loads(verb("--json")[1])["computed"] == 1


def test_a_damaged_file_and_rows_of_other_trials_go(file, verb):
    file.write_bytes(b"nothing")
    assert json.loads(verb("--json")[1])["computed"] == 4
    table = pd.read_parquet(file)
    pd.concat([table, table.assign(trial="00" * 8)]).to_parquet(file)
    assert json.loads(verb("--json")[1])["points"] == len(pd.read_parquet(file)) == len(table)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--arm", "lstm"),
            "--arm: `lstm` has no water balance whose parameters could be moved; those that have: sequential, implicit, late, gr",
        ),
        (("--arm", "implict"), "--arm: there is no arm 'implict'; did you mean `implicit`?"),
        (("--arm", "late"), "a surface needs a finished trial; no trial of `late` has finished: launch the study"),
        (("--arm", "gr"), "--parameters: unknown parameter 'FC'; known: X1, X2, X3, X4"),
        (("--parameters", "FC", "BETTA"), "--parameters: unknown parameter 'BETTA'; did you mean `BETA`?"),
        (("--parameters", "FC", "FC"), "--parameters: two parameters are required, got FC twice"),
        (("--parameters", "FC", "X1"), "--parameters: `sequential` (hbv) has no X1; its parameters are BETA, FC"),
        (("--basin", "syn-01"), "a surface needs basins that the study tests on, syn-01 is none; did you mean `syn-001`?"),
        (("--points", "6"), "--points: must be odd, so that the learned values are one of them; got 6, write 7"),
        (("--metric", "et_nse"), "--metric: et_nse is no metric of discharge"),
        (("--basin", "syn-001", "--most-different", "2"), "name basins, or say how many are to be chosen"),
    ],
)
def test_bad_input_is_one_message(file, verb, words, message):
    code, out, err = verb(*words)
    assert code == 2 and not out and "Traceback" not in err and not file.exists()
    assert message in " ".join(err.replace("│", " ").split())


def test_of_one_arm_basins_go_from_the_best_to_the_worst(home):
    results = collect(prepare(home / "scheme.yaml", home).store, "scheme")
    scores = results.scores.query("arm == 'implicit'").set_index("basin")["kge"].sort_values(ascending=False)
    assert choose(results, Surface(basins=3), ["implicit"]) == (scores.index[0], scores.index[2], scores.index[3])
    assert choose(results, Surface(basins=20), ["implicit"]) == tuple(scores.index)
    with pytest.raises(DataError, match="late all have a score, there is none; name basins"):
        choose(results, Surface(), ["implicit", "late"])


def test_a_launch_does_it_after_the_trials_and_says_so(home, file, show, globals_as_before):
    prepared = prepare(home / "scheme.yaml", home)
    surfaces.conclude(prepared, show)
    assert "surfaces: 4 surfaces of" in said(show) and "no trial of `late` has finished, left out" in said(show)
    page = compose(collect(prepared.store, "scheme"))
    (section,) = [section for section in page.sections if section.name == "surface"]
    assert section.title == "KGE surface" and len(section.figures) == 1 and len(section.folded[0].data) == 4
    assert "One training of each arm (seed 1)" in section.figures[0].caption


def test_what_goes_wrong_there_does_not_end_the_launch(home, file, show, monkeypatch, globals_as_before):
    def fails(*given, **more):
        raise DataError("the shards are gone")

    monkeypatch.setattr(mapping, "map_surfaces", fails)
    surfaces.conclude(prepare(home / "scheme.yaml", home), show)
    assert "no surfaces: the shards are gone; then `studyhub surface scheme`" in said(show)
