from pathlib import Path

import pandas as pd
import pytest
from report.conftest import Toy

from studyhub.cli import main
from studyhub.report.collect import collect
from studyhub.report.render import together
from studyhub.report.several import join, section
from studyhub.study.cells import Cell


def two(tmp_path: Path, **second) -> tuple[Toy, Toy]:
    """Two studies in homes of their own; the arm ``implicit`` stands in both."""
    first, other = (Toy(tmp_path / name) for name in ("one", "two"))
    for made in (first, other):
        made.home.mkdir()
    first.write(name="first", seeds=(1,)).end()
    other.write(**({"name": "second", "seeds": (1,), "arms": ("implicit", "gr4j"), "claims": (("gr4j", "implicit", "nse"),)} | second))
    return first, other


def renumbered(toy: Toy, trials: list[str]) -> None:
    """Give the cells of a study other trials, before they end."""
    toy.cells = [Cell(cell.arm, cell.fold, cell.seed, trial) for cell, trial in zip(toy.cells, trials, strict=True)]
    study = toy.store.read_study(toy.name)
    toy.store.write_study(toy.name, study.spec_text, toy.cells, study.data)


def test_arms_stand_side_by_side_and_a_shared_trial_once(tmp_path):
    first, other = two(tmp_path)
    renumbered(other, [first.cells[1].trial, "f" * 16])
    other.end(gain=0.2)
    joined = join([collect(first.store, "first"), collect(other.store, "second")])
    assert joined.arms == ["first/sequential", "first/implicit = second/implicit", "second/gr4j"]
    assert len(joined.runs) == 3 and joined.scores.groupby("arm").size().tolist() == [12, 12, 12]
    assert joined.comparable() == [joined.arms]
    assert "Trained once" in section(joined).notes[0]


def test_claims_of_each_study_are_tested_on_its_own_trials(tmp_path):
    first, other = two(tmp_path)
    renumbered(other, ["e" * 16, "f" * 16])
    other.end(gain=-0.2)
    results = [collect(first.store, "first"), collect(other.store, "second")]
    sections = {part.name: part for part in together(results).sections}
    claims = sections["claims"].tables[0].data
    assert claims["better"].tolist() == ["first/implicit", "second/gr4j"]
    assert claims["p_holm"][0] == pytest.approx(claims["p_value"][0])  # one claim in each family
    assert claims["p_value"][1] > 0.99
    explored = next(table for table in sections["claims"].folded if table.name == "exploratory").data
    assert {frozenset(pair) for pair in zip(explored["better"], explored["than"], strict=True)} >= {
        frozenset(("first/implicit", "second/implicit"))
    }


def test_what_was_judged_on_other_data_or_days_is_never_compared(tmp_path):
    first, other = two(tmp_path)
    renumbered(other, ["e" * 16, "f" * 16])
    study = other.store.read_study("second")
    later = study.spec_text.replace("test: [1993-10-01, 1995-09-30]", "test: [1994-10-01, 1995-09-30]")
    assert later != study.spec_text
    other.store.write_study("second", later, other.cells, study.data)
    other.end()
    results = [collect(first.store, "first"), collect(other.store, "second")]
    joined = join(results)
    assert [len(group) for group in joined.comparable()] == [2, 2]
    assert "not all judged on the same data and test period" in section(joined).notes[0]
    assert not set(joined.parts[0].own.scores["basin"]) & {b for b in joined.scores["basin"] if b.startswith("second: ")}
    assert joined.scores["basin"].str.startswith("second: ").sum() == 24
    page = together(results)
    sections = {part.name: part for part in page.sections}
    explored = next(table for table in sections["claims"].folded if table.name == "exploratory").data
    assert all(better.split("/")[0] == than.split("/")[0] for better, than in zip(explored["better"], explored["than"], strict=True))
    names = [table.name for table in page.tables()] + [figure.name for figure in page.figures()]
    assert len(names) == len(set(names))
    shown = joined.simulation(["second: 003", "004"])
    assert set(zip(shown["arm"], shown["basin"], strict=True)) == {
        ("first/sequential", "004"),
        ("first/implicit", "004"),
        ("second/implicit", "second: 003"),
        ("second/gr4j", "second: 003"),
    }


def test_two_studies_of_one_name_are_told_apart(tmp_path):
    first, other = two(tmp_path, name="first")
    renumbered(other, ["e" * 16, "f" * 16])
    other.end()
    joined = join([collect(first.store, "first"), collect(other.store, "first")])
    assert joined.arms[0] == "first (1)/sequential" and joined.arms[-1] == "first (2)/gr4j"


def test_the_verb_takes_several(tmp_path, capsys):
    first, other = two(tmp_path)
    renumbered(other, ["e" * 16, "f" * 16])
    other.end()
    folders = [str(made.home / "studies" / made.name) for made in (first, other)]
    assert main(["report", *folders, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "index.html")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "second/gr4j" in page and 'id="studies"' in page and "Does the scheme matter?" in page
    medians = pd.read_csv(tmp_path / "out" / "tables" / "medians.csv")
    assert medians["arm"].tolist()[:2] == ["first/sequential", "first/implicit"]
    assert main(["report", folders[0], folders[0], "--out", str(tmp_path / "out")]) == 2
    assert "each study is named once" in capsys.readouterr().err
