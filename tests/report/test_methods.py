from dataclasses import replace

import pytest

from studyhub.report import methods
from studyhub.report.collect import collect
from studyhub.report.effects import declared
from studyhub.report.references import REFERENCES, cited
from studyhub.stats.compare import compare
from studyhub.stats.comparison import Blocked, SeedSpread


def document(toy):
    results = collect(toy.store, "toy")
    (found,) = methods.section([results], compare(results.scores, declared(results)), []).documents
    return found


def test_the_text_says_what_ran(toy):
    text = document(toy.write().end(lambda cell: "diverged" if cell.seed == 2 and cell.arm == "implicit" else "finished")).forms["txt"]
    for told in (
        "12 basins, virtual ones with known parameters (content hash feed)",
        "trained on 1986-10-01 to 1991-09-30",
        "tested on 1993-10-01 to 1995-09-30",
        "8 to 9 hidden units",
        "The 2 arms differ in hidden_size alone",
        "2 seeds (1, 2)",
        "Of 4 trials 1 diverged",
        "1 claim of the study file",
        "torch 2.13.0",
    ):
        assert told in text, told


def test_how_neighbours_and_seeds_were_accounted_for_is_said(toy):
    results = collect(toy.write().end().store, "toy")
    (one,) = compare(results.scores, declared(results))
    blocked = Blocked("clusters of coordinates", 8, 40, 0.01, -0.1, 0.2, 187.4, 0.5, 1.3, 22.0)
    told = replace(one, blocked=blocked, seeds=SeedSpread(2, 2, 0.1, 0.1, -0.2, 0.2))
    other = replace(one, blocked=replace(blocked, n=38, range_km=None), seeds=None)
    text = dict(methods.paragraphs(results, [told], [other, replace(one, blocked=None, seeds=None)]))["Statistics"]
    assert "2 of 3 comparisons were made again over 8 blocks (clusters of coordinates) of 38 to 40 basins" in text
    assert "Where there is one, its range is 187 km." in text and "choice of seeds" in text
    plain = dict(methods.paragraphs(results, [replace(one, blocked=None, seeds=None)], []))["Statistics"]
    assert "blocks" not in plain and "choice of seeds" not in plain


def test_what_is_cited_is_listed_with_its_doi_and_nothing_else(toy):
    found = document(toy.write().end())
    assert "doi:10.5194/hess-28-3051-2024" in found.forms["txt"] and "Adam" not in found.forms["txt"]
    assert "https://doi.org/10.1080/01621459.1959.10501526" in found.forms["md"]
    assert r"\item Song, Y." in found.forms["tex"] and "&" not in found.forms["tex"].replace(r"\&", "")


def test_names_mean_nothing_in_markdown_and_latex(toy):
    found = document(toy.write(arms=("a_b", "c+d"), claims=()).end())
    assert r"a\_b" in found.forms["md"] and "c+d" in found.forms["md"]
    assert r"a\_b" in found.forms["tex"]


def test_a_study_before_any_result(toy):
    text = document(toy.write().end(lambda cell: "pending")).forms["txt"]
    assert "Data." in text and "Evaluation." not in text and "Software." not in text


@pytest.mark.parametrize("key", REFERENCES)
def test_every_reference_is_whole(key):
    one = REFERENCES[key]
    year = one.short.rpartition("(")[2].rstrip(")")
    assert f"({year})" in one.text and one.text.startswith(one.short.split()[0]) and not one.doi.startswith("http")
    assert cited(f"As in {one.short}.") == [one]
