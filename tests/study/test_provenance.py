import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import studyhub

PACKAGE = Path(studyhub.__file__).parent
PROGRAM = """
import json, sys
from studyhub.study.provenance import provenance
print(json.dumps(provenance(device="cuda:0", dtype="float32")))
assert not {"torch", "numpy", "pandas", "ray"} & set(sys.modules)
"""
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with just enough of the package to ask where it comes from."""
    for name in ("__init__.py", "study/__init__.py", "study/provenance.py"):
        (tmp_path / "studyhub" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, tmp_path / "studyhub" / name)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run([*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def ask(folder: Path, **variables: str) -> dict:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_what_made_a_result(checkout):
    found = ask(checkout)
    assert (found["commit"], found["dirty"]) == (None, None)
    assert (found["device"], found["dtype"]) == ("cuda:0", "float32")
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torch", "numpy", "numba"} <= set(found["packages"])
    assert found["cpu"]
    assert found["cpus"] >= 1


def test_the_commit_and_whether_the_code_has_changed_since(checkout):
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "one")
    clean = ask(checkout, GIT_DIR="/nowhere")
    assert (clean["commit"], clean["dirty"]) == (git(checkout, "rev-parse", "HEAD"), False)
    (checkout / "notes.txt").write_text("no code")
    assert ask(checkout)["dirty"] is False
    (checkout / "studyhub" / "new.py").write_text("")
    assert ask(checkout)["dirty"] is True


def test_a_copy_inside_someone_elses_checkout_has_no_commit(checkout, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    (other / "file").write_text("x")
    git(other, "add", ".")
    git(other, "commit", "-qm", "one")
    installed = other / "lib" / "site-packages"
    shutil.copytree(checkout, installed)
    assert ask(installed)["commit"] is None


def test_without_git_there_is_no_commit(checkout):
    git(checkout, "init", "-q")
    assert ask(checkout, PATH="/nowhere")["commit"] is None


def test_a_copy_knows_the_commit_that_it_is_told(checkout):
    found = ask(checkout, STUDYHUB_COMMIT="0123abc-dirty")
    assert (found["commit"], found["dirty"]) == ("0123abc", True)
