"""`studyhub plan`: what would run, what is there and by whom, at a speed that lets one look at ten thousand trials."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from verbs.conftest import STUDY, finish

from studyhub import launch as launching
from studyhub.study.store import Store


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


def test_what_is_there_says_which_other_studies_hold_it(study, studyhub, ends, home):
    ends("finished", "failed")
    studyhub("launch", study)
    ends("failed")
    studyhub("launch", study, "--name", "baseline")
    _, out, _ = studyhub("plan", study, "--name", "new")
    assert re.search(r"small +1 +1 +finished +baseline, two$", out, re.M), out
    assert re.search(r"large +1 +1 +failed +baseline, two$", out, re.M), out
    cells = json.loads(studyhub("plan", study, "--json")[1])["cells"]
    assert [(cell["state"], cell["also_in"]) for cell in cells] == [("finished", ["baseline"]), ("failed", ["baseline"])]


def test_a_damaged_study_does_not_hide_a_plan(study, studyhub, ends, home):
    ends("finished", "finished")
    studyhub("launch", study)
    (home / "studies" / "two" / "cells.json").write_text("[")
    assert studyhub("plan", study, "--name", "new")[0] == 0


def many(path: Path, home: Path, count: int, *options: str) -> float:
    """Seconds of processor time that a plan of so many trials takes, all of the process and its output: the machine may have other work."""
    command = [sys.executable, "-m", "studyhub.cli", "plan", str(path), "--home", str(home), *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(re.findall(r'"trial": "[0-9a-f]{16}"' if options else r"^[0-9a-f]{16} ", done.stdout, re.M)) == count
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture
def wide(tmp_path) -> Path:
    """Twenty arms, five hundred seeds."""
    arms = ", ".join(f"a{size}: {{hidden_size: {size}}}" for size in range(1, 21))
    path = tmp_path / "wide.yaml"
    path.write_text(STUDY.split("arms:")[0] + f"arms: {{{arms}}}\nseeds: {list(range(500))}\n")
    return path


def test_ten_thousand_trials_take_two_seconds(wide, home):
    assert many(wide, home, 10_000) < 2
    assert many(wide, home, 10_000, "--json") < 2


def test_trials_that_are_there_cost_little_more(wide, home):
    for cell in launching.prepare(wide, home).plan.cells[:300]:
        finish(Store(home), cell.trial, "stopped" if cell.seed % 2 else "diverged")
    assert many(wide, home, 10_000) < 2.5
