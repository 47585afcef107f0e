"""`studyhub plan`: what would run, what is there and by whom, at a speed that lets one look at ten thousand trials."""

import json
import re
import subprocess
import sys
from pathlib import Path

from verbs.conftest import STUDY

from studyhub import launch as launching


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


SEARCH = """\
search: {parameters: {dropout: {low: 0.0, high: 0.5}}, arms: [small], budget: 2}
"""


def test_what_a_search_decides_is_a_placeholder_until_it_has(study, studyhub, home):
    text = STUDY.replace("test_warmup: 200", "test_warmup: 200, validation: [1989-01-01, 1989-12-31]") + SEARCH
    study.write_text(text.replace("{hidden_size: 6,", "{dropout: 0.1, init_from: {arm: small},"))
    code, out, _ = studyhub("plan", study)
    assert code == 0 and re.search(r"^search decides +small +1 +1 +pending$", out, re.M)
    assert re.search(r"^search decides +large +1 +1 +blocked +search decides$", out, re.M), out

    prepared = launching.prepare(study, home).planned(chosen={("small", 1): {"dropout": 0.25}})
    prepared.write()
    entry = {"arm": "small", "fold": 1, "done": True, "chosen": {"dropout": 0.25}, "trials": []}
    searches = home / "studies" / "two" / "searches.json"
    searches.write_text(json.dumps([entry]))
    told = json.loads(studyhub("plan", study, "--json")[1])
    assert [cell["trial"] for cell in told["cells"]] == [cell.trial for cell in prepared.plan.cells] and told["changes"] == []
    assert not any(cell["open"] for cell in told["cells"]) and told["searches"] == [
        {"arm": "small", "fold": 1, "budget": 2, "over": ["dropout"]}
    ]

    searches.write_text(json.dumps([entry | {"chosen": {"dropout": 0.3}}]))
    assert "search decides" in studyhub("plan", study)[1], "what was chosen for another study says nothing of this one"


def test_what_has_changed_since_the_last_launch_is_told(study, studyhub, ends):
    ends("finished", "finished")
    studyhub("launch", study)
    study.write_text(STUDY.replace("hidden_size: 6", "hidden_size: 7"))
    assert "since it was launched last:\n  altered: large: hidden_size 6 -> 7" in studyhub("plan", study)[1]


def test_ten_thousand_trials_are_listed(tmp_path, home):
    path = wide(tmp_path)
    assert len(re.findall(r"^[0-9a-f]{16} ", many(path, home), re.M)) == 10_000
    assert len(re.findall(r'"trial": "[0-9a-f]{16}"', many(path, home, "--json"))) == 10_000


def wide(folder: Path) -> Path:
    """Twenty arms, five hundred seeds."""
    arms = ", ".join(f"a{size}: {{hidden_size: {size}}}" for size in range(1, 21))
    path = folder / "wide.yaml"
    path.write_text(STUDY.split("arms:")[0] + f"arms: {{{arms}}}\nseeds: {list(range(500))}\n")
    return path


def many(path: Path, home: Path, *options: str) -> str:
    command = [sys.executable, "-m", "studyhub.cli", "plan", str(path), "--home", str(home), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
