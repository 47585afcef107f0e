import os
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from studyhub.catalog import forcing_of
from studyhub.data import check as checking
from studyhub.data.check import check
from studyhub.data.shards import Shards, write
from studyhub.errors import DataError, ResourceError
from studyhub.study.settings import Model, Period, Split, Training, Trial

DAYS = 900  # 2000-01-01..2002-06-18


def period(first: int, last: int) -> Period:
    day = np.datetime64("2000-01-01")
    return Period((day + first).item(), (day + last).item())


def trial(*, forcing=("prcp",), attributes=("area",), kind="dpl", learn=("a", "b"), judge=("a", "b", "c"), window=100, **split) -> Trial:
    days = {"train": period(0, 399), "test": period(600, 899), "warmup": 50, "test_warmup": 150} | split
    return Trial(Model(kind, forcing, attributes), Training(window=window), Split(**days), learn, judge, seed=1, data="")


@pytest.fixture
def basins(make_basin):
    return {name: make_basin(name, days=DAYS, seed=i) for i, name in enumerate("abc")}


@pytest.fixture
def checked(tmp_path, basins):
    """Write the basins as they are by then, and check trials against them."""

    def run(*trials: Trial) -> None:
        check(Shards.open(write(run.folder, basins.values(), source="test", settings={})), trials)

    run.folder = tmp_path / "shards"
    return run


def test_all_is_well(checked):
    checked(trial(), replace(trial(), seed=2), trial(kind="lstm", forcing=("prcp", "tmean"), validation=period(450, 500)))


def test_forcing_of_a_model_with_and_without_physics():
    assert forcing_of(trial(forcing=("tmean", "srad")).model) == ("tmean", "srad", "prcp", "pet")
    assert forcing_of(trial(forcing=("tmean", "srad"), kind="lstm").model) == ("tmean", "srad")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (trial(forcing=("prcp", "srad", "vp")), "needs forcing srad, vp; the data have prcp, tmean, pet"),
        (trial(forcing=("qobs",)), "needs forcing qobs"),
        (trial(attributes=("area", "sand")), "needs attribute sand; the data have area, slope"),
        (trial(learn=("a", "x")), "needs basin x; the data have a, b, c"),
        (trial(judge=("y",)), "needs basin y"),
        (trial(learn=()), "at least one training basin"),
        (trial(judge=()), "at least one test basin"),
        (trial(train=period(-1, 399)), r"the train period 1999-12-31\.\..* must lie within the data's 2000-01-01\.\.2002-06-18"),
        (trial(test=period(600, 900)), r"the test period .*2002-06-19 .*must lie within"),
        (trial(test_warmup=601), "the test period .* with its warm-up of 601 days begins 1999-12-31 and must lie within"),
        (trial(validation=period(100, 120)), "the validation period .* with its warm-up of 150 days begins"),
        (trial(test=Period(date(2002, 1, 2), date(2002, 1, 1))), "the test period 2002-01-02..2002-01-01 is empty"),
        (trial(window=351), "has 400 days; a warm-up of 50 and a window of 351 days need 401"),
    ],
)
def test_one_message_says_what_is_wrong(checked, wrong, message):
    with pytest.raises(DataError, match=message):
        checked(trial(), wrong)


def test_a_training_basin_without_discharge(checked, basins):
    basins["b"].series["qobs"][50:400] = np.nan  # the warm-up's discharge is not scored
    with pytest.raises(DataError, match=r"training period 2000-02-20\.\.2001-02-03 is required, basin b has none; leave it out, or every"):
        checked(trial())


def test_every_fold_is_asked_for_its_own_basins(tmp_path, basins):
    basins["b"].series["qobs"][:600] = np.nan
    shards = Shards.open(write(tmp_path / "shards", basins.values(), source="test", settings={}))
    folds = [trial(learn=("a", "c"), judge=("b",)), trial(learn=("a", "b"), judge=("c",))]
    check(shards, folds[:1])
    with pytest.raises(DataError, match="basin b has none"):
        check(shards, folds)


def test_gaps_that_the_study_fills_are_no_gaps(tmp_path, basins):
    basins["a"].series["pet"][455:458] = np.nan
    folder = write(tmp_path / "shards", basins.values(), source="test", settings={})
    check(Shards.open(folder, "interpolate:3"), [trial()])
    with pytest.raises(DataError, match="basin a has no pet on 2001-03-31"):
        check(Shards.open(folder, "interpolate:2"), [trial()])


def test_a_test_basin_without_discharge_is_left_to_the_scores_but_not_all_of_them(checked, basins):
    basins["a"].series["qobs"][600:] = np.nan
    basins["c"].series["qobs"][600:] = np.nan
    basins["b"].series["qobs"][601:] = np.nan
    checked(trial())


def test_a_fault_is_found_in_whichever_block_of_basins_it_lies(checked, monkeypatch, basins):
    monkeypatch.setattr(checking, "BASINS_AT_ONCE", 1)
    basins["b"].series["qobs"][600:] = np.nan
    basins["c"].series["qobs"][600:] = np.nan  # a, of the first block, is judged
    checked(trial())
    basins["c"].series["pet"][700] = np.nan
    shutil.rmtree(checked.folder)
    with pytest.raises(DataError, match="basin c has no pet on 2001-12-01"):
        checked(trial())


def test_no_observed_test_day(checked, basins):
    for basin in basins.values():
        basin.series["qobs"][600:] = np.nan
    with pytest.raises(DataError, match=r"test period 2001-08-23\.\.2002-06-18 is required, none of the 3 test basins has any"):
        checked(trial())


def test_no_observed_validation_day(checked, basins):
    for name in "ab":
        basins[name].series["qobs"][450:501] = np.nan
    with pytest.raises(DataError, match=r"validation period 2001-03-26\.\.2001-05-15 is required, none of the 2 training basins has any"):
        checked(trial(validation=period(450, 500)))


def test_a_missing_day_of_forcing_matters_where_it_is_used(checked, basins):
    basins["c"].series["pet"][300] = np.nan  # c only tests
    basins["a"].series["pet"][420] = np.nan  # between the periods
    basins["a"].series["tmean"][420] = np.nan
    checked(trial())


@pytest.mark.parametrize(("name", "day"), [("a", 10), ("a", 455), ("c", 700)])
def test_a_missing_day_of_forcing_is_named(checked, basins, name, day):
    basins[name].series["pet"][day] = np.nan
    with pytest.raises(DataError, match=f"basin {name} has no pet on {np.datetime64('2000-01-01') + day}"):
        checked(trial())


def test_a_damaged_shard_is_named(tmp_path, basins):
    shards = Shards.open(write(tmp_path / "shards", basins.values(), source="test", settings={}))
    path = tmp_path / "shards" / "basins-000.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match="basins-000.parquet: damaged shard"):
        check(shards, [trial()])
    path.write_bytes(content)
    shards.manifest.entries["b"].hashes["prcp"] = "0" * 16  # what was written had other numbers
    with pytest.raises(DataError, match="prcp of basin b is not what was written"):
        check(shards, [trial()])


def test_basins_that_do_not_fit_into_memory(checked, monkeypatch):
    monkeypatch.setattr(checking, "MEMORY_SHARE", 1e-7)  # of some GB: some hundreds of bytes
    with pytest.raises(ResourceError, match=r"the 2 training basins take 0\.0 GB .* `training: \{resident: 1\}`"):
        checked(trial())


def test_basins_that_are_read_some_at_a_time_need_less(checked, monkeypatch, basins):
    need = checking._Needs.of(trial(learn=("a", "b", "c")))
    whole = 4 * 400 * (2 * 4 + 1) * 3
    monkeypatch.setattr(checking, "MEMORY_SHARE", 0.9 * whole / (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    with pytest.raises(ResourceError):
        checking._require_memory(need)
    checking._require_memory(replace(need, resident=1))


@pytest.mark.parametrize(("learn", "judge", "what"), [(("a", "b"), ("a",), "training"), (("a",), ("a", "b"), "test")])
def test_a_basin_of_which_no_attribute_is_known(checked, basins, learn, judge, what):
    basins["b"] = replace(basins["b"], attributes=dict.fromkeys(basins["b"].attributes, float("nan")))
    with pytest.raises(DataError, match=f"{what} basin b has none of the attributes area, slope; leave the basin out"):
        checked(trial(attributes=("area", "slope"), learn=learn, judge=judge))
