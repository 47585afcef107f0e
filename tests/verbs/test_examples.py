"""Every example in the help, run as it stands: in a folder that holds what they name, each in a copy of its own.

Two are not run to an end. `studyhub ui` serves pages until Ctrl-C: it is started, asked for a page, and stopped. A verb whose example
needs a cluster would stand in ``CLUSTER`` with its reason; there is none.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from data.conftest import RawCamels

from studyhub import cli
from studyhub.data.caravan import CANONICAL, FAO_PET
from studyhub.data.shards import Shards
from studyhub.runner.workers.cluster import cluster as ray_cluster
from studyhub.study.store import Store

STUDY = """\
question: Does a larger network simulate streamflow better?
data: {shards: shards/camels_us}
split: {train: [2000-01-01, 2000-12-31], test: [2001-06-01, 2001-12-31], warmup: 50, test_warmup: 100}
shared: {model: lstm, hidden_size: 4, forcing: [prcp, tmean, pet], attributes: climate}
training: {epochs: 1, batch: 4, window: 100, updates_per_epoch: 2}
arms: {sequential: {}, implicit: {model: dpl, scheme: implicit, components: 2}}
seeds: [1]
"""
MAPPING = """\
daily:
  files: "*.csv"
  date: day
  variables:
    prcp: {column: rain, unit: mm/d}
    tmean: {column: warmth, unit: degC}
    pet: {column: evap, unit: mm/d}
    qobs: {column: flow, unit: mm/d}
"""
DAYS = pd.date_range("2000-01-01", periods=800)


def leaves(command: typer.core.TyperCommand | typer.core.TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each verb, by its words, and its help."""
    if isinstance(command, typer.core.TyperGroup):
        for name, verb in command.commands.items():
            yield from leaves(verb, (*path, name))
    else:
        yield path, command.help or ""


VERBS = dict(leaves(typer.main.get_command(cli.app)))
EXAMPLES = [example for text in VERBS.values() for example in re.findall(r"^Example: (.*)$", text, re.M)]
QUICK = [example for example in EXAMPLES if not example.startswith("studyhub ui")]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_prints_an_example_of_itself(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main([*verb, "--help"]) == 0
    printed = re.findall(r"^ Example: (.*?) *$", capsys.readouterr().out, re.M)
    assert printed and set(printed) <= set(EXAMPLES)
    assert all(example.startswith(f"studyhub {' '.join(verb)} ") for example in printed)


@pytest.fixture(scope="module")
def cluster():
    """Start Ray once; every launch in this process finds it there."""
    with ray_cluster() as nodes:
        yield nodes


@pytest.fixture(scope="module")
def world(tmp_path_factory, cluster) -> Path:
    """A folder with raw basins of every kind, shards of some, and a study that has been launched."""
    folder = tmp_path_factory.mktemp("world")
    raw = RawCamels(folder / "CAMELS")
    for seed in ("05", "48"):
        output = raw.folder / "model_output" / "01" / f"{raw.ids[0]}_{seed}_model_output.txt"
        output.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{day:%Y %m %d} 12 0.0 0.0 0.0 8.6 2.6 1.8 1.5 9.9" for day in DAYS]
        output.write_text("\n".join(["YR MNTH DY HR SWE PRCP RAIM TAIR PET ET MOD_RUN OBS_RUN", *rows]) + "\n")
    caravan(folder / "Caravan")
    (folder / "basins.txt").write_text("us_01\n")
    (folder / "mydata").mkdir()
    weather(["rain", "warmth", "evap", "flow"]).rename_axis("day").to_csv(folder / "mydata" / "B1.csv")
    (folder / "mydata.yaml").write_text(MAPPING)
    (folder / "my_study.yaml").write_text(STUDY)
    scores = [
        {"basin": f"{basin:02}", "arm": arm, "kge": 0.5 + basin % 7 / 100} for arm in ("implicit", "sequential") for basin in range(9)
    ]
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    places = [{"basin": f"{basin:02}", "lat": 40 + basin, "lon": -80 - basin, "aridity": 0.5 + basin / 10} for basin in range(9)]
    pd.DataFrame(places).to_csv(folder / "basins.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in ("ingest camels-us CAMELS --out shards/camels_us --processes 1", "launch my_study.yaml", "export my_study"):
            assert cli.main(shlex.split(command)) == 0, command
    return folder


def weather(columns: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({column: rng.gamma(1, 3, len(DAYS)).round(2) for column in columns}, index=DAYS)


def caravan(folder: Path) -> None:
    for basin in ("us_01", "us_02"):
        path = folder / "timeseries" / "csv" / "us" / f"{basin}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        weather([*CANONICAL.values(), FAO_PET]).rename_axis("date").to_csv(path)
    attributes = folder / "attributes" / "us"
    attributes.mkdir(parents=True)
    (attributes / "attributes_caravan_us.csv").write_text("gauge_id,p_mean\nus_01,3.5\nus_02,3.1\n")
    (attributes / "attributes_other_us.csv").write_text(
        "gauge_id,gauge_lat,gauge_lon,gauge_name,country,area\nus_01,45.5,-70.2,A,US,10\nus_02,46,-71,B,US,9\n"
    )


@pytest.fixture
def place(world, tmp_path, monkeypatch) -> Path:
    """A copy of the world, as the current folder."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(shutil.copytree(world, tmp_path / "world"))
    return Path.cwd()


def prepare(example: str, place: Path) -> None:
    """Make true what an example supposes: what it writes is not there yet, and what it retries has failed."""
    words = shlex.split(example)
    if "--out" in words:
        out = place / words[words.index("--out") + 1]
        shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
    if "retry" in words:
        store = Store(place)
        (trial,) = {cell.trial for cell in store.read_study("my_study").cells if cell.arm == "implicit"}
        (store.trial_folder(trial) / "result.json").unlink()
        lease = store.claim(trial)
        assert lease is not None
        lease.fail({"cause": "the worker process died", "kind": "worker", "traceback": []})


DONE = {
    "ingest": lambda place, out: "basins" in out and Shards.open(place / re.search(r"shards/\w+", out)[0]).basins,
    "ingest model-output": lambda place, out: len(pd.read_parquet(place / "sacsma.parquet")) == len(DAYS),
    "plan": lambda place, out: '"cells"' in out or re.search(r"[0-9a-f]{16} +implicit .* finished", out),
    "launch": lambda place, out: out == "" or "Medians over basins" in out,
    "status": lambda place, out: "2 finished" in out,
    "retry": lambda place, out: (
        set(pd.read_parquet(place / "studies" / "my_study" / "scores.parquet")["arm"]) == {"sequential", "implicit"}
    ),
    "report": lambda place, out: (place / "reports" / "my_study" / "index.html").exists(),
    "surface": lambda place, out: set(pd.read_parquet(place / "studies" / "my_study" / "surfaces.parquet")["arm"]) == {"implicit"},
    "export": lambda place, out: any(place.glob("my_study*.zip")),
    "import": lambda place, out: "theirs" in Store(place).studies(),
    "mirror": lambda place, out: "mlflow.db" in out,
    "compare": lambda place, out: "implicit" in out,
    "data": lambda place, out: "3 basins from camels-us" in out,
    "split": lambda place, out: (place / "folds.csv").exists(),
    "predict": lambda place, out: len(pd.read_parquet(place / "simulated.parquet")),
    "physics": lambda place, out: "FCMAX" in out or "BETA" in out,
    "kernel": lambda place, out: "def adjoint" in out,
}


@pytest.mark.parametrize("example", QUICK)
def test_the_example_does_what_it_says(example, place, capsys):
    prepare(example, place)
    words = shlex.split(example)[1:]
    code = cli.main(words)
    out, err = capsys.readouterr()
    assert code == 0, err
    done = DONE.get(" ".join(words[:2])) or DONE[words[0]]
    assert done(place, out), out
    assert "Traceback" not in err


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example not in QUICK])
def test_pages_are_served_until_they_are_stopped(example, place):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]  # 5000, the default, may be taken here
    command = [sys.executable, "-m", "studyhub.cli", *shlex.split(example)[1:], "--port", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                    assert page.status == 200
                break
            except OSError:
                assert child.poll() is None, child.communicate()[1]
                time.sleep(0.2)
    finally:
        os.killpg(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert "Traceback" not in err
