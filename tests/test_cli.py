import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from data.conftest import RawCamels

from studyhub import cli
from studyhub import launch as launching
from studyhub.catalog import METRICS
from studyhub.data.manifest import Manifest
from studyhub.data.record import Basin
from studyhub.data.shards import write
from studyhub.runner import workers
from studyhub.study.plan import plan
from studyhub.study.settings import Trial
from studyhub.study.store import Store

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
def studyhub(home, capsys):
    """Return a function that runs a verb here and returns exit code, what it printed and what it said on stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([*map(str, arguments), "--home", str(home)])
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


def one_message(err: str) -> bool:
    return err.startswith("studyhub: ") and err.count("\n") == 1 and "Traceback" not in err


# What is loaded


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "two.yaml"], ["launch", "two.yaml", "--dry-run"], ["status"]])
def test_help_plans_and_status_load_nothing_heavy(study, arguments):
    code = f"""
import sys
from studyhub.cli import main
code = main({arguments!r})
heavy = {{"torch", "ray", "pandas", "pyarrow", "numba", "mlflow", "optuna"}} & set(sys.modules)
sys.exit(code or (f"loaded: {{heavy}}" if heavy else 0))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=study.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


# Plans


def test_a_plan_lists_trials_and_what_differs(study, studyhub, home):
    code, out, err = studyhub("plan", study)
    assert (code, err) == (0, "")
    assert "Do two LSTMs differ?" in out
    assert re.search(r"arm +hidden_size", out)
    assert len(re.findall(r"^[0-9a-f]{16}  (small|large) +1 +1 +pending$", out, re.M)) == 2
    assert not home.exists(), "a plan writes nothing"
    assert studyhub("launch", study, "--dry-run") == (code, out, err)


def test_a_plan_as_json_and_with_changes(study, studyhub):
    plain = json.loads(studyhub("plan", study, "--json")[1])
    assert [cell["arm"] for cell in plain["cells"]] == ["small", "large"]
    changed = json.loads(studyhub("plan", study, "--json", "--set", "training.epochs=3", "--set", "seeds=[1, 2]")[1])
    assert len(changed["cells"]) == 4
    assert changed["study"] != plain["study"]
    assert not {cell["trial"] for cell in plain["cells"]} & {cell["trial"] for cell in changed["cells"]}
    assert json.loads(studyhub("plan", study, "--json", "--name", "other")[1])["study"] == "other"


# Launches: the whole road once, then what can end it


@pytest.mark.slow
def test_a_study_is_launched_then_there_is_nothing_left_to_do(study, home):
    command = [sys.executable, "-m", "studyhub.launch", str(study), "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "making 4 virtual basins" in done.stderr
    assert "small, fold 1, seed 1: finished after" in done.stderr
    assert re.search(r"^large +test( +-?[0-9.]+){9} +4 +1 finished *$", done.stdout, re.M), done.stdout
    scores = pd.read_parquet(home / "studies" / "two" / "scores.parquet")
    assert list(scores.columns) == ["trial", "arm", "fold", "seed", "basin", "period", *METRICS, "days"]
    assert len(scores) == 8
    assert sorted(path.name for path in (home / "store").iterdir()) == ["data", "trials"]

    prepared = launching.prepare(study, home)
    assert plan(prepared.spec, Manifest.open(prepared.shards)).cells == prepared.plan.cells, "the ids change once the basins are built"

    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0
    assert "2 of 2 trials are there already" in again.stderr
    assert again.stdout == done.stdout


@pytest.fixture
def ends(monkeypatch):
    """Return a function that says how the trials of the next launch end, in place of running them."""

    def say(*states: str, stopped: bool = False) -> None:
        def run(prepared: launching.Prepared, missing: dict[str, Trial], notes: object) -> bool:
            launching._write_study(prepared)
            for name, state in zip(missing, states, strict=False):
                end(prepared.store, name, state)
            return stopped

        monkeypatch.setattr(launching, "_run", run)

    return say


def end(store: Store, name: str, state: str) -> None:
    lease = store.claim(name)
    if state == "failed":
        lease.fail({"cause": "ValueError: no good"})
    elif state == "stopped":
        lease.release()
    else:
        scores = pd.DataFrame({"basin": ["a"], "period": "test"} | dict.fromkeys(METRICS, 0.5) | {"days": 10})
        scores.to_parquet(lease.folder / "scores.parquet")
        lease.finish({"state": state, "cause": None if state == "finished" else {"basin": "syn-001", "store": "SM"}})


@pytest.mark.parametrize(
    ("states", "stopped", "code"),
    [
        (("finished", "finished"), False, 0),
        (("finished", "diverged"), False, 0),  # the second arm may diverge
        (("diverged", "finished"), False, 1),
        (("finished", "failed"), False, 1),
        (("finished",), False, 1),
        (("finished", "stopped"), True, 130),
        (("finished", "finished"), True, 0),  # the signal came when all was done
    ],
)
def test_exit_codes(study, studyhub, ends, states, stopped, code):
    ends(*states, stopped=stopped)
    found, out, err = studyhub("launch", study)
    assert found == code
    assert "scores.parquet" in out
    assert ("the same command goes on" in err) == (code == 130)


def test_only_what_is_missing_is_run(study, studyhub, ends):
    ends("finished", "failed")
    studyhub("launch", study)
    ends("finished")
    assert studyhub("launch", study)[0] == 0


def test_status_counts_and_names_causes(study, studyhub, ends):
    assert "no study in" in studyhub("status")[1]
    ends("diverged", "failed")
    studyhub("launch", study)
    code, out, err = studyhub("status", "two")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "two: 1 diverged, 1 failed",
        "  small, fold 1, seed 1: diverged: basin syn-001, store SM",
        "  large, fold 1, seed 1: failed: ValueError: no good",
    ]
    assert studyhub("status")[1] == out
    (found,) = json.loads(studyhub("status", "--json")[1])
    assert found["counts"] == {"diverged": 1, "failed": 1}
    assert found["troubles"][1]["cause"] == "ValueError: no good"
    code, _, err = studyhub("status", "none")
    assert code == 2 and one_message(err)


# Wrong input: one message, exit code 2, nothing written


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 2", "epoch: 2", r"two\.yaml:5: `training\.epoch`.*`epochs`"),
        ("epochs: 2", "epochs: 2, epochs: 3", r"two\.yaml:5: .*epochs"),
        ("reader: synthetic, basins: 4, years: 6", "shards: here, basins: [01013500]", r'two\.yaml:2: .*"01013500"'),
        ("1988-09-30", "1986-09-30", r"two\.yaml:3: `split\.train`"),
    ],
)
def test_a_study_file_with_a_mistake(study, studyhub, home, old, new, message):
    assert old in STUDY
    study.write_text(STUDY.replace(old, new))
    code, out, err = studyhub("launch", study)
    assert (code, out) == (2, "")
    assert re.search(message, err) and one_message(err)
    assert not home.exists()


@pytest.fixture(scope="module")
def cluster():
    """Start Ray once; every launch in this process finds it there."""
    with workers.cluster() as nodes:
        yield nodes


@pytest.fixture
def shards(tmp_path) -> Path:
    """Two basins of six years; the second has no observed discharge in the training years."""
    rng = np.random.default_rng(1)

    def basin(name: str, observed_from: int) -> Basin:
        series = {variable: rng.random(2191) for variable in ("prcp", "tmean", "qobs")}
        series["qobs"][:observed_from] = np.nan
        return Basin(name=name, start=pd.Timestamp("1985-10-01").date(), series=series, attributes={"p_mean": 3.0}, facts={})

    write(tmp_path / "shards", [basin("01", 0), basin("02", 1200)], source="test", settings={})
    return tmp_path / "shards"


def test_data_that_the_study_cannot_use(study, studyhub, home, shards, cluster):
    def launch(*options: str) -> str:
        code, out, err = studyhub("launch", study, "--data", shards, *options)
        assert (code, out) == (2, "")
        *_, last = err.splitlines()
        assert "Traceback" not in err
        assert not (home / "studies" / "two-shards" / "cells.json").exists()
        return last

    assert re.search(r"shards lacks what is needed by arms `small`, `large`: variable pet \(of variables, known: prcp, tmean", launch())
    forcing = ("--set", "shared.forcing=[prcp, tmean]")
    assert re.search(r"observed discharge in the training period .* basin 02 has none", launch(*forcing))
    assert re.search(r"test period .* must lie within", launch(*forcing, "--set", "split.test=[1991-10-01, 1992-09-30]"))
    (shards / "basins-000.parquet").write_bytes(b"PAR1")
    assert re.search(r"basins-000\.parquet: damaged shard", launch(*forcing))
    assert re.search(r"does not have: 09", launch(*forcing, "--set", 'data.basins=["09"]'))


def test_folders_that_cannot_be_written(study, studyhub, home):
    home.mkdir()
    (home / "studies").write_text("a file is in the way")
    code, out, err = studyhub("launch", study)
    assert (code, out) == (2, "")
    assert "--home DIR" in err and one_message(err)
    assert [path.name for path in home.iterdir()] == ["studies"]


def test_a_gpu_where_there_is_none(study, studyhub, home, cluster):
    code, out, err = studyhub("launch", study, "--set", "resources.gpus=64")
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert re.fullmatch(r"studyhub: `resources\.gpus`: 64 per trial are asked for, but this machine has \d+ CPUs and \d+ GPUs; .*", last)
    assert not list((home / "studies").iterdir()) and not (home / "store" / "data").exists()


@pytest.mark.parametrize("arguments", ["launch", "launch none.yaml", "plan none.yaml", "nonsense", "ingest camels-us none --out x"])
def test_arguments_that_make_no_sense(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments.split()) == 2
    err = capsys.readouterr().err
    assert err and "Traceback" not in err
    assert not list(tmp_path.iterdir())


# Faults of ours


def test_a_fault_of_ours_leaves_a_report_and_no_traceback(study, capsys, tmp_path, monkeypatch):
    def fault(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(launching, "prepare", fault)
    monkeypatch.setenv("STUDYHUB_HOME", str(tmp_path))
    assert cli.main(["plan", str(study)]) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err and "RuntimeError" in err
    report = Path(err.rstrip().rpartition(" ")[2])
    assert report.parent == tmp_path
    text = report.read_text()
    assert 'raise RuntimeError("a bug")' in text and '"python"' in text and str(study) in text


def test_an_interrupt_is_no_fault(study, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "prepare", interrupt)
    assert cli.main(["plan", str(study)]) == 130
    assert "Traceback" not in capsys.readouterr().err


# Ingest


def test_ingest_and_plan_on_what_it_made(study, tmp_path, capsys):
    raw = RawCamels(tmp_path / "camels")
    assert cli.main(["ingest", "camels-us", str(raw.folder), "--out", str(tmp_path / "shards")]) == 0
    assert "3 basins, 1999-12-30.." in capsys.readouterr().out
    options = ["--data", str(tmp_path / "shards"), "--set", "split.train=[2000-01-01, 2000-12-31]", "--set", "shared.attributes=climate"]
    assert cli.main(["plan", str(study), *options, "--set", "split.test=[2001-06-01, 2001-12-31]"]) == 0
    assert "3 basins" in capsys.readouterr().out


def test_the_package_runs_as_a_module_and_as_a_script():
    script = Path(sys.executable).with_name("studyhub")
    for command in ([sys.executable, "-m", "studyhub.cli"], [str(script)]):
        done = subprocess.run([*command, "--help"], capture_output=True, text=True, env=os.environ | {"TERM": "dumb"})
        assert done.returncode == 0
        for verb in ("launch", "plan", "status", "ingest"):
            assert verb in done.stdout
