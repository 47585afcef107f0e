"""`studyhub export` and `studyhub import`: a study goes into a file, and comes out in another home."""

import re

import pytest

from studyhub import cli
from studyhub.study.store import Store


@pytest.fixture
def exported(study, studyhub, ends, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ends("finished", "finished")
    studyhub("launch", study)
    code, out, err = studyhub("export", "two")
    assert (code, err) == (0, "")
    (archive,) = tmp_path.glob("two*.zip")
    assert archive.name in out
    return archive


def test_a_study_moves_to_another_home(exported, study, tmp_path, capsys):
    there = tmp_path / "there"
    assert cli.main(["import", str(exported), "--home", str(there)]) == 0
    assert "two" in capsys.readouterr().out
    assert cli.main(["status", "two", "--home", str(there)]) == 0
    assert "two: 2 finished" in capsys.readouterr().out
    assert cli.main(["plan", str(study), "--home", str(there)]) == 0
    assert len(re.findall("finished", capsys.readouterr().out)) == 2, "a launch there has nothing to run"


def test_it_may_get_another_name(exported, tmp_path, capsys):
    there = tmp_path / "there"
    assert cli.main(["import", str(exported), "--name", "theirs", "--home", str(there)]) == 0
    assert Store(there).studies() == ("theirs",)


def test_a_file_is_not_written_over(exported, studyhub):
    before = exported.read_bytes()
    code, out, err = studyhub("export", "two", "--out", exported)
    assert (code, out) == (2, "") and str(exported) in err and "--out" in err and err.count("\n") == 1
    assert exported.read_bytes() == before


def test_a_file_that_cannot_be_written(exported, studyhub, tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = studyhub("export", "two", "--out", tmp_path / "file" / "two.zip")
    assert (code, out) == (2, "") and "cannot be written" in err and err.count("\n") == 1


def test_what_is_no_archive(tmp_path, studyhub, home):
    (tmp_path / "notes.zip").write_text("no archive")
    code, out, err = studyhub("import", tmp_path / "notes.zip")
    assert (code, out) == (2, "") and "notes.zip" in err and err.count("\n") == 1
    assert not (home / "studies").exists()
