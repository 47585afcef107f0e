"""Folds: what every rule must keep, and what each says where it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyhub.errors import DataError
from studyhub.study.lists import Frozen, Lists
from studyhub.study.settings import Period, Split
from studyhub.study.splits import LeftOut, Random, Records, Regions, Rule, Temporal, Years, divide

TRAIN, TEST = Period(date(1990, 10, 1), date(1995, 9, 30)), Period(date(1995, 10, 1), date(2000, 9, 30))
SPLIT = Split(TRAIN, TEST)
SAME = Split(TRAIN, TRAIN)
# By the sums of `printf "1 a" | sha256sum`, ..., the order is c a b e f d.
PUB = [("1 of 3", "abdf", "ce"), ("2 of 3", "bcde", "af"), ("3 of 3", "acef", "bd")]
ALL = Records()
CONTINENTS = ("Europe", "Asia", "Europe", "Africa", "Asia", "Europe")


@dataclass
class World:
    """Basins a, b, c, ... with a continent each, observed on all days unless ``days`` says otherwise."""

    continents: tuple[Any, ...] = CONTINENTS
    days: Mapping[str, Mapping[Period, int]] = field(default_factory=dict)

    @property
    def basins(self) -> tuple[str, ...]:
        return tuple("abcdefghijklmnopqrstuvwxyz"[: len(self.continents)])

    @property
    def metadata(self) -> dict[str, dict[str, Any]]:
        return {basin: {"continent": where, "flagged": ["gaps"]} for basin, where in zip(self.basins, self.continents, strict=True)}

    def observed_days(self, basin: str, period: Period) -> int:
        return self.days.get(basin, {}).get(period, period.days)

    def folds(self, rule: Rule, records: Records = ALL, split: Split = SPLIT, basins: tuple[str, ...] | None = None):
        return divide(rule, records, split, self, basins or self.basins)


def lists(folds) -> list[tuple[str, str, str]]:
    return [(fold.name, "".join(fold.train_basins), "".join(fold.test_basins)) for fold in folds]


def refusal(world: World, rule: Rule, *more: Any) -> str:
    with pytest.raises(DataError) as caught:
        world.folds(rule, *more)
    return str(caught.value)


# Time alone


def test_time_alone_has_one_fold_of_all_basins():
    folds, left = World().folds(Temporal())
    assert lists(folds) == [("all basins", "abcdef", "abcdef")]
    assert left == ()
    assert folds[0].number == 1


# Ungauged basins


@given(
    count=st.integers(2, 60),
    k=st.integers(2, 12),
    seed=st.integers(0, 5),
    groups=st.lists(st.sampled_from(["x", "y", "z", ""]), min_size=60, max_size=60),
    mixed=st.randoms(use_true_random=False),
)
def test_every_basin_is_held_out_once_in_folds_of_one_size_whatever_the_order_of_the_data(count, k, seed, groups, mixed):
    basins = tuple(f"{number:08}" for number in range(count))

    class Data:
        metadata = {basin: {"group": group} for basin, group in zip(basins, groups, strict=False)}

        def observed_days(self, basin: str, period: Period) -> int:
            return period.days

    stratify = "group" if any(groups[:count]) else None
    rule = Random(min(k, count), seed, stratify)
    folds, left = divide(rule, Records(), SPLIT, Data(), basins)
    assert left == ()
    assert [fold.number for fold in folds] == list(range(1, rule.folds + 1))
    assert sorted(basin for fold in folds for basin in fold.test_basins) == list(basins)
    for fold in folds:
        assert not set(fold.train_basins) & set(fold.test_basins)
        assert sorted(fold.train_basins + fold.test_basins) == list(basins)
    for members in [basins, *([b for b in basins if Data.metadata[b]["group"] == name] for name in set(groups) if stratify)]:
        sizes = [len(set(fold.test_basins) & set(members)) for fold in folds]
        assert max(sizes) - min(sizes) <= 1
    other = list(basins)
    mixed.shuffle(other)
    again, _ = divide(rule, Records(), SPLIT, Data(), other)
    assert [set(fold.test_basins) for fold in again] == [set(fold.test_basins) for fold in folds]


def test_random_folds_are_the_same_for_ever_and_others_with_another_seed():
    world = World()
    assert lists(world.folds(Random(3))[0]) == PUB
    assert lists(world.folds(Random(3, seed=2))[0]) != PUB


def test_folds_of_ungauged_basins_may_be_tested_in_any_years():
    in_space, _ = World().folds(Random(3), split=SAME)
    in_both, _ = World().folds(Random(3), split=SPLIT)
    assert in_space == in_both


def test_more_folds_than_basins():
    assert "`split.folds`: 7 folds need as many basins to test, there are 6; lower `split.folds`" in refusal(World(), Random(7))
    short = World(days={"a": {TEST: 0}})
    said = refusal(short, Random(6), Records(Years(0, 1)))
    assert "there are 5; 1 left the test: fewer than 1 observed years in" in said and said.endswith("; lower `split.folds`")


def test_a_fact_that_no_basin_has():
    said = refusal(World(), Random(2, stratify="continents"))
    assert said == "`split.stratify`: of no basin the fact 'continents' is known; did you mean `continent`?"
    assert "of no basin the fact 'flagged' is known" in refusal(World(), Regions("flagged"))
    assert "is known; known: none" in refusal(World((None,) * 3), Regions("huc_02"))


# Ungauged regions


def test_every_value_is_a_region_unless_groups_are_given():
    assert lists(World().folds(Regions("continent"))[0]) == [
        ("Africa", "abcef", "d"),
        ("Asia", "acdf", "be"),
        ("Europe", "bde", "acf"),
    ]
    grouped = World().folds(Regions("continent", (("Europe",), ("Asia", "Africa"))))[0]
    assert lists(grouped) == [("Europe", "bde", "acf"), ("Asia+Africa", "acf", "bde")]


def test_basins_of_no_group_always_train():
    assert lists(World().folds(Regions("continent", (("Europe",),)))[0]) == [("Europe", "bde", "acf")]


def test_some_regions_are_held_out_by_name_or_by_a_value():
    groups = (("Europe",), ("Asia", "Africa"))
    assert lists(World().folds(Regions("continent", None, ("Asia",)))[0]) == [("Asia", "acdf", "be")]
    for wanted in ("Asia+Africa", "Africa"):
        assert lists(World().folds(Regions("continent", groups, (wanted,)))[0]) == [("Asia+Africa", "acf", "bde")]
    said = refusal(World(), Regions("continent", groups, ("Oceania",)))
    assert "`split.hold_out`: no group of basins by continent is or has 'Oceania'; known: Europe, Asia+Africa" in said


def test_values_that_no_basin_has_are_named_with_those_there_are():
    said = refusal(World(), Regions("continent", (("Europe", "Oceania"),)))
    assert said == "`split.groups`: no basin has the continent 'Oceania'; there are Africa, Asia, Europe"


def test_one_region_alone_leaves_nothing_to_train_on():
    said = refusal(World(("Europe",) * 3), Regions("continent"))
    assert "all 3 basins have the continent Europe, so holding it out leaves nothing to train on; write another `split.by`" in said
    said = refusal(World(), Regions("continent", (("Asia", "Europe", "Africa"),)))
    assert "`split.groups`: holding out Asia+Europe+Africa leaves nothing to train on, for it has all 6 basins" in said


def test_the_usual_groups_of_camels():
    class Data(World):
        @property
        def metadata(self):
            return {basin: {"huc_02": code} for basin, code in zip(self.basins, ("01", "02", "17", "11"), strict=True)}

    folds, _ = Data((None,) * 4).folds(Regions("huc_02", "camels"))
    assert lists(folds) == [("01+02", "cd", "ab"), ("11", "abc", "d"), ("17", "abd", "c")]


@pytest.mark.parametrize("unknown", [None, "", "unknown"])
def test_a_basin_that_may_lie_in_the_held_out_region_leaves_the_study(unknown):
    folds, left = World(("Europe", unknown, "Asia")).folds(Regions("continent"))
    assert lists(folds) == [("Asia", "a", "c"), ("Europe", "c", "a")]
    assert left == (LeftOut("study", "continent not known", ("b",)),)


# Records

SHORT = World(days={"a": {TRAIN: 364}, "b": {TEST: 364}, "c": {TRAIN: 365, TEST: 365}, "d": {TRAIN: 0, TEST: 0}})
ONE_YEAR = Records(Years(1, 1))


def test_short_records_leave_training_or_test_and_are_named():
    folds, left = SHORT.folds(Temporal(), ONE_YEAR)
    assert lists(folds) == [("all basins", "bcef", "acef")]
    assert left == (
        LeftOut("training", f"fewer than 1 observed years in {TRAIN}", ("a", "d")),
        LeftOut("test", f"fewer than 1 observed years in {TEST}", ("b", "d")),
    )


def test_years_without_a_leap_day_are_years():
    world = World(days={"a": {TEST: 2 * 365}, "b": {TEST: 2 * 365 - 1}})
    assert [out.basins for out in world.folds(Temporal(), Records(Years(test=2)))[1]] == [("b",)]
    world = World(days={"a": {TEST: 4 * 365 + 1}, "b": {TEST: 4 * 365}})  # four years have a leap day
    assert [out.basins for out in world.folds(Temporal(), Records(Years(test=4)))[1]] == [("b",)]


def test_one_limit_alone():
    assert lists(SHORT.folds(Temporal(), Records(Years(train=1)))[0]) == [("all basins", "bcef", "abcdef")]
    assert lists(SHORT.folds(Temporal(), Records(Years(test=1)))[0]) == [("all basins", "abcdef", "acef")]


def test_a_long_record_is_asked_of_both_periods():
    folds, left = SHORT.folds(Temporal(), Records(long_record=Years(1, 1)))
    assert lists(folds) == [("all basins", "cef", "cef")]
    reason = f"no long record: fewer than 1 observed years in {TRAIN} or than 1 in {TEST}"
    assert left == (LeftOut("study", reason, ("a", "b", "d")),)


def test_a_basin_that_cannot_be_tested_is_dealt_to_no_fold_and_trains_in_all():
    folds, _ = SHORT.folds(Random(2), ONE_YEAR)
    assert [len(fold.test_basins) for fold in folds] == [2, 2]
    assert all("b" in fold.train_basins for fold in folds)
    assert sorted(basin for fold in folds for basin in fold.test_basins) == list("acef")


def test_a_held_out_region_does_not_train_even_where_it_cannot_be_tested():
    folds, _ = SHORT.folds(Regions("continent", (("Asia",),)), ONE_YEAR)
    assert lists(folds) == [("Asia", "cf", "e")]


def test_a_fold_without_basins_says_why():
    said = refusal(SHORT, Regions("continent"), ONE_YEAR)
    assert "`split`: fold 1 (Africa) has no basin to test; 2 left the training: fewer than 1 observed years in" in said
    nothing = World(days={basin: {TRAIN: 0} for basin in "abcdef"})
    assert "fold 1 (all basins) has no basin to train on; 6 left the training" in refusal(nothing, Temporal(), ONE_YEAR)


# Days


def test_one_day_in_common_is_an_overlap():
    day = TRAIN.end
    assert TRAIN.overlaps(Period(day, TEST.end)) and Period(day, TEST.end).overlaps(TRAIN) and not TRAIN.overlaps(TEST)
    with pytest.raises(DataError, match="are tested in 1995-09-30"):
        divide(Temporal(), Records(), Split(TRAIN, Period(day, TEST.end)), World(), "abc")


def test_no_basin_has_a_day_in_training_and_test():
    said = refusal(World(), Temporal(), Records(), SAME)
    assert "in fold 1 (all basins), 6 basins, such as a, are tested in 1990-10-01..1995-09-30 and have days of it in `train`" in said
    choosing = Split(TRAIN, TEST, validation=TEST)
    assert "in `validation`" in refusal(World(), Temporal(), Records(), choosing)
    assert World().folds(Random(2), split=choosing)


# Lists from a file


@pytest.mark.parametrize(
    "rule", [Temporal(), Random(3), Random(2, 5, "continent"), Regions("continent"), Regions("continent", (("Asia",),))]
)
@pytest.mark.parametrize("records", [Records(), Records(Years(1, 1)), Records(long_record=Years(1, 1))], ids=["all", "min_years", "long"])
def test_exported_folds_come_in_again_as_they_were(rule, records, tmp_path):
    world = World(CONTINENTS * 2, SHORT.days)
    folds, _ = world.folds(rule, records)
    frozen = Frozen.of(folds, SPLIT)
    path = tmp_path / "split.csv"
    path.write_text(frozen.to_csv(), encoding="utf-8")
    again, left = world.folds(Lists(str(path)))
    assert again == folds
    assert left == ()
    assert Frozen.of(again, SPLIT) == frozen == Frozen.from_csv(path)


def test_lists_follow_the_order_of_the_data(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text(Frozen.of(World().folds(Random(2))[0], SPLIT).to_csv())
    folds, _ = World().folds(Lists(str(path)), basins=tuple("fedcba"))
    assert all(fold.train_basins == tuple(sorted(fold.train_basins, reverse=True)) for fold in folds)


def test_lists_with_a_day_in_both_are_refused(tmp_path):
    path = tmp_path / "split.csv"
    days = "1990-10-01,1995-09-30"
    path.write_text(f"fold,role,basin,start,end\n1,train,a,{days}\n1,train,b,{days}\n1,test,a,{days}\n")
    said = refusal(World(), Lists(str(path)), Records(), SAME)
    assert "in fold 1 (1), 1 basins, such as a, are tested in 1990-10-01..1995-09-30 and have days of it in `train`" in said
