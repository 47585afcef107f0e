"""Arms that start from another arm's weights."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studyhub.errors import SpecError
from studyhub.study.plan import plan
from studyhub.study.spec import StudySpec, read

STUDY = """\
question: Explore, then fine-tune?
data: {reader: synthetic, basins: 4, years: 10}
split: {kind: pub, folds: 2, train: [1986-10-01, 1991-09-30], test: [1993-10-01, 1995-09-30]}
shared: {model: dpl, hidden_size: 8}
training: {epochs: 2}
seeds: [1, 2]
"""


@pytest.fixture
def study(tmp_path: Path) -> Callable[[str], StudySpec]:
    def study(sections: str, stored: bool = False) -> StudySpec:
        path = tmp_path / "study.yaml"
        path.write_text(sections if stored else STUDY + sections, encoding="utf-8")
        return read(path)

    return study


FREE = "scheme: implicit, components: 4, dynamic: [BETA], capillary_rise: true, fixed: {NDC: 1}, dropout: 0.1, epochs: 1, loss: nse"


def test_a_child_is_another_trial_with_its_parents_of_the_same_fold_and_seed(study, facts):
    spec = study(f"arms: {{tuned: {{{FREE}, init_from: {{arm: explorer}}}}, explorer: {{}}}}\n")
    assert spec.arm("tuned").init_from == "explorer", "a child may stand before its parent, and differ in all but what shapes the network"
    planned = plan(spec, facts)
    cells = {(cell.arm, cell.fold, cell.seed): cell for cell in planned.cells}
    assert list(cells)[:2] == [("tuned", 1, 1), ("tuned", 1, 2)], "cells stay in the order of the file"
    for (arm, fold, seed), cell in cells.items():
        parent = cells["explorer", fold, seed].trial if arm == "tuned" else None
        assert cell.parent == planned.trials[cell.trial].parent == parent
    fresh = plan(study(f"arms: {{tuned: {{{FREE}}}, explorer: {{}}}}\n"), facts)
    same = {cell.trial for cell in planned.cells} & {cell.trial for cell in fresh.cells}
    assert same == {cell.trial for cell in planned.cells if cell.arm == "explorer"}


def test_a_grandchilds_id_follows_its_grandparents(study, facts):
    arms = "arms: {a: {dropout: %s}, b: {epochs: 3, init_from: {arm: a}}, c: {epochs: 4, init_from: {arm: b}}}\n"
    one, other = (plan(study(arms % dropout), facts) for dropout in (0.1, 0.2))
    assert not one.trials.keys() & other.trials.keys()
    assert len(one.trials) == 12


def test_twins_may_differ_in_where_they_start(study):
    assert len(study("arms: {a: {}, b: {init_from: {arm: a}}, c: {init_from: {arm: b}}}\n").arms) == 3
    with pytest.raises(SpecError, match="arms `b` and `c` come to the same settings"):
        study("arms: {a: {}, b: {init_from: {arm: a}}, c: {init_from: {arm: a}}}\n")


def test_factors_give_a_child_the_parent_with_its_levels(study, facts):
    factors = "factors: {components: [1, 4], scheme: {levels: [implicit, rk4], when: {arm: tuned}}}\n"
    spec = study(f"arms: {{explorer: {{}}, tuned: {{init_from: {{arm: explorer}}}}}}\n{factors}")
    parents = {arm.name: arm.init_from for arm in spec.arms if arm.init_from}
    assert parents == {
        f"tuned+components={n}+scheme={scheme}": f"explorer+components={n}" for n in (1, 4) for scheme in ("implicit", "rk4")
    }
    again = study(spec.text(), stored=True)
    assert again.arms == spec.arms
    assert plan(again, facts) == plan(spec, facts)
    spec = study("arms: {a: {}}\nfactors: {start: {fresh: {}, tuned: {scheme: rk4, init_from: {arm: a+fresh}}}}\n")
    assert spec.arm("a+tuned").init_from == "a+fresh"


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ("arms: {a: {}, b: {dropout: 0, init_from: {arm: aa}}}\n",
         "study.yaml:7: `arms.b.init_from.arm`: there is no arm 'aa'; did you mean `a`?"),
        ("arms: {a: {init_from: {arm: a}}}\n",
         "`arms.a.init_from.arm`: arms start from each other in a circle: a from a; one of them must"),
        (
            "arms: {a: {init_from: {arm: c}}, b: {epochs: 3, init_from: {arm: a}}, c: {epochs: 4, init_from: {arm: b}}}\n",
            "arms start from each other in a circle: a from c from b from a; one of them must start afresh",
        ),
        ("arms: {a: {}, b: {init_from: a}}\n", "`arms.b.init_from`: needs a mapping of keys to values, got 'a'"),
        ("arms: {a: {}, b: {init_from: {arms: a}}}\n", "study.yaml:7: `arms.b.init_from.arms`: unknown key; did you mean `arm`?"),
        ("arms: {a: {}, b: {model: lstm, init_from: {arm: a}}}\n",
         "starts from `a`, and must be alike in `model`: 'dpl' there, 'lstm' here"),
        ("arms: {a: {}, b: {hidden_size: 9, init_from: {arm: a}}}\n",
         "`arms.b.init_from.arm`: starts from `a`, and must be alike in `hidden_size`: 8 there, 9 here; make them equal"),
        ("arms: {a: {}, b: {forcing: [prcp], init_from: {arm: a}}}\n", "alike in `forcing`: ['prcp', 'tmean', 'pet'] there, ['prcp'] here"),
        ("arms: {a: {}, b: {attributes: [aridity], init_from: {arm: a}}}\n", "must be alike in `attributes`"),
        ("arms: {a: {}, b: {recipe: kratzert2019, init_from: {arm: a}}}\n",
         "must be alike in `recipe`: 'feng2020' there, 'kratzert2019' here"),
        ("arms: {a: {}, b: {physics: gr4j, init_from: {arm: a}}}\n", "starts from `a`, which learns none of its parameters (BETA, FC"),
        ("arms: {a: {}, b: {external: t.csv, init_from: {arm: a}}}\n", "`arms.b.init_from`: has no meaning for an external arm"),
        ("arms: {a: {external: t.csv}, b: {init_from: {arm: a}}}\n",
         "`a` is a simulation from elsewhere, which has no weights to start from"),
        (
            "arms: {a: {}, b: {dropout: 0.1, init_from: {arm: a}}}\nfactors: {components: {levels: [1, 4], when: {arm: a}}}\n",
            "of the arms that factors make of `a`, several have the levels of `b`; name one of a+components=1, a+components=4",
        ),
    ],
)  # fmt: skip
def test_a_parent_that_cannot_be_one_is_one_line_with_its_place(study, sections, words):
    with pytest.raises(SpecError) as caught:
        study(sections)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
