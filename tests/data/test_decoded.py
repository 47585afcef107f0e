"""Decoded basins are the shards' own numbers, whatever happens to the files that hold them."""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from studyhub.data import decoded
from studyhub.data.decoded import share
from studyhub.data.shards import Shards, write
from studyhub.errors import ResourceError
from studyhub.study.settings import Model, Period, Split, Training, Trial

BASINS = tuple("abcdef")
FORCING = ("prcp", "tmean", "pet")
TRAIN, TEST = Period(date(2000, 7, 1), date(2001, 6, 30)), Period(date(2001, 7, 1), date(2002, 3, 31))
SPLIT = Split(TRAIN, TEST, Period(date(2000, 5, 1), date(2000, 6, 30)), 10, 60)
DAYS = 760  # from the warm-up of the validation to the end of the test


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STUDYHUB_CACHE_GB", raising=False)
    return tmp_path / "cache" / "basins"


@pytest.fixture
def where(tmp_path, make_basin):
    basins = [make_basin(name, seed=i, start=date(2000, 1, 1 + i), days=900 - 7 * i) for i, name in enumerate(BASINS)]
    basins[2].series["prcp"][[3, 4, 700]] = np.nan
    return write(tmp_path / "shards", basins, source="test", settings={}, basins_per_file=4)


@pytest.fixture
def shards(where):
    return Shards.open(where, "interpolate:5")


def trial_on(shards, train=BASINS, test=BASINS, **changes):
    model = Model("lstm", FORCING, ("area",))
    return replace(Trial(model, Training(), SPLIT, train, test, 1, "0" * 16, fill=shards.fill), **changes)


def assert_same(record, expected):
    assert (record.basins, record.attribute_names) == (expected.basins, expected.attribute_names)
    np.testing.assert_array_equal(record.dates, expected.dates)
    assert list(record.series) == list(expected.series)
    for name, values in expected.series.items():
        assert record.series[name].dtype == np.float32
        np.testing.assert_array_equal(np.ascontiguousarray(record.series[name]).view(np.uint32), values.view(np.uint32))
    np.testing.assert_array_equal(record.attributes, expected.attributes)


READS = [
    (BASINS, (*FORCING, "qobs"), SPLIT.train),
    (("b", "c", "d"), ("qobs", "prcp"), SPLIT.test.before(60)),
    (("f", "a", "c"), FORCING, SPLIT.validation),
    (("f",), (), SPLIT.train),
    (BASINS, FORCING, None),  # more days than the trial asked for: read as ever
]


@pytest.mark.parametrize(("basins", "names", "period"), READS)
def test_bitwise_what_the_shards_say(shards, cache, basins, names, period):
    for turn in ("decoded", "mapped"):
        shared = share(shards, trial_on(shards))
        assert shared.decoded is not None, turn
        assert_same(shared.read(basins, names, period, ("slope",)), shards.read(basins, names, period, ("slope",)))
    assert len(list(cache.glob("*.npy"))) == 4 and not list(cache.glob("*.part"))


def test_nothing_is_decoded_twice(shards, where, monkeypatch):
    share(shards, trial_on(shards))
    monkeypatch.setattr(Shards, "_series", lambda *_: pytest.fail("decoded again"))
    for fold in (BASINS, tuple(reversed(BASINS))):
        shared = share(Shards.open(where, shards.fill), trial_on(shards, fold[:3], fold[3:], seed=2))
        record = shared.read(BASINS[1:4], FORCING, SPLIT.train)
        assert all(np.shares_memory(record.series[name], shared.decoded.arrays[name]) for name in FORCING)


def test_what_a_number_follows_from_names_its_file(shards, where, cache):
    def files(shards, trial):
        before = set(cache.glob("*.npy"))
        shared = share(shards, trial)
        assert_same(shared.read(BASINS[:3], FORCING, SPLIT.test), shards.read(BASINS[:3], FORCING, SPLIT.test))
        return set(cache.glob("*.npy")) - before

    trial = trial_on(shards)
    assert len(files(shards, trial)) == 4
    assert len(files(replace(shards, fill=None), trial)) == 4
    assert len(files(shards, trial_on(shards, BASINS[:4], BASINS[:4]))) == 4
    assert len(files(shards, replace(trial, split=replace(SPLIT, test_warmup=59, validation=None)))) == 4
    assert not files(shards, replace(trial, seed=7, model=replace(trial.model, forcing=FORCING[:2])))


def test_a_change_of_the_data_is_seen(tmp_path, make_basin, shards):
    share(shards, trial_on(shards))
    basins = [make_basin(name, seed=i, start=date(2000, 1, 1 + i), days=900 - 7 * i) for i, name in enumerate(BASINS)]
    basins[0].series["pet"][500] += 1
    other = Shards.open(write(tmp_path / "other", basins, source="test", settings={}), shards.fill)
    assert_same(share(other, trial_on(other)).read(BASINS, FORCING, SPLIT.train), other.read(BASINS, FORCING, SPLIT.train))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "other", "shape"])
def test_a_damaged_file_is_made_again(shards, cache, damage):
    share(shards, trial_on(shards))
    for path in cache.glob("*.npy"):
        content = path.read_bytes()
        match damage:
            case "truncated":
                path.write_bytes(content[:-2000])
            case "flipped":
                path.write_bytes(content[:3000] + bytes([content[3000] ^ 1]) + content[3001:])
            case "empty":
                path.write_bytes(b"")
            case "other":
                path.write_bytes(b"no array at all")
            case "shape":
                np.save(path, np.zeros((2, 3), np.float32))
    shared = share(shards, trial_on(shards))
    assert shared.decoded is not None
    assert_same(shared.read(BASINS, FORCING, SPLIT.train), shards.read(BASINS, FORCING, SPLIT.train))
    assert all(decoded._mapped(path, (6, DAYS)) is not None for path in cache.glob("*.npy"))


def test_a_full_disk_is_no_fault(shards, cache):
    cache.mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, hard))
    try:
        shared = share(shards, trial_on(shards))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert shared.decoded is None and not list(cache.glob("*.npy")) and not list(cache.glob("*.part"))
    assert_same(shared.read(BASINS, FORCING, SPLIT.train), shards.read(BASINS, FORCING, SPLIT.train))


def test_no_folder_no_cache(shards, cache, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path / "file"))
    assert share(shards, trial_on(shards)).decoded is None
    cache.parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    cache.symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("STUDYHUB_CACHE", str(cache.parent))
    assert share(shards, trial_on(shards)).decoded is None and not list((tmp_path / "elsewhere").iterdir())
    cache.unlink()
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    assert share(shards, trial_on(shards)).decoded is not None and cache.stat().st_mode & 0o777 == 0o700


def test_what_was_not_used_for_longest_goes(shards, cache, monkeypatch):
    size = 6 * DAYS * 4 + 128 + 4
    monkeypatch.setenv("STUDYHUB_CACHE_GB", str(6.5 * size / 1e9))
    first = share(shards, trial_on(shards))
    old = {path: path.stat() for path in cache.glob("*.npy")}
    prcp = next(path for path in old if np.array_equal(np.load(path), first.decoded.arrays["prcp"]))
    for path in old:
        os.utime(path, (1, 1))
    few = trial_on(shards, model=Model("lstm", ("prcp",), ("area",)))
    share(shards, few)  # used again: prcp and qobs stay
    third = share(replace(shards, fill=None), few)
    assert third.decoded is not None and len(list(cache.glob("*.npy"))) == 6
    share(replace(shards, fill="interpolate:4"), few)
    kept = set(cache.glob("*.npy"))
    assert len(kept) == 6 and prcp in kept and len(kept & set(old)) == 2
    assert_same(first.read(BASINS, FORCING, SPLIT.train), shards.read(BASINS, FORCING, SPLIT.train))  # who has it keeps it


def test_the_bound_can_be_set(shards, cache, monkeypatch):
    monkeypatch.setenv("STUDYHUB_CACHE_GB", "0")
    assert share(shards, trial_on(shards)).decoded is None and not cache.exists()
    monkeypatch.setenv("STUDYHUB_CACHE_GB", "1e-6")
    assert share(shards, trial_on(shards)).decoded is None and not list(cache.glob("*.npy"))
    monkeypatch.setenv("STUDYHUB_CACHE_GB", "much")
    with pytest.raises(ResourceError, match="STUDYHUB_CACHE_GB: a number of gigabytes is required .*got 'much'"):
        share(shards, trial_on(shards))


def test_what_a_kill_left_behind_goes(shards, cache, monkeypatch):
    share(replace(shards, fill=None), trial_on(shards))
    old, new = cache / "x.0123.part", cache / "y.4567.part"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 4000,) * 2)
    share(shards, trial_on(shards))
    assert not old.exists() and new.exists()


READER = """
import json, sys
from studyhub.data.shards import Shards
calls, read = [], Shards._series
def counted(self, basins, *rest):
    calls.append(len(basins))
    return read(self, basins, *rest)
Shards._series = counted
from test_decoded import FORCING, BASINS, SPLIT, share, trial_on
sys.stdin.readline()
shards = share(Shards.open(sys.argv[1], "interpolate:5"), trial_on(Shards.open(sys.argv[1], "interpolate:5")))
record = shards.read(BASINS, FORCING, SPLIT.train)
print(json.dumps([sum(calls), float(record.series["pet"].sum())]))
"""


def test_one_process_decodes_and_the_others_wait(where, shards):
    tests = os.path.dirname(__file__)
    command = [sys.executable, "-c", READER, str(where)]
    environment = os.environ | {"PYTHONPATH": tests}
    readers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    for reader in readers:
        reader.stdin.write("go\n")
        reader.stdin.flush()
    told = [json.loads(reader.communicate()[0]) for reader in readers]
    assert sum(calls for calls, _ in told) == len(BASINS)
    assert {total for _, total in told} == {float(shards.read(BASINS, FORCING, SPLIT.train).series["pet"].sum())}


def test_what_one_process_writes_no_other_sees(shards):
    share(shards, trial_on(shards))
    expected = shards.read(BASINS, FORCING, SPLIT.train)

    def spoil():
        share(shards, trial_on(shards)).decoded.arrays["pet"][:] = 7

    child = multiprocessing.get_context("fork").Process(target=spoil)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert_same(share(shards, trial_on(shards)).read(BASINS, FORCING, SPLIT.train), expected)


def test_tensors_are_the_same_to_the_bit(shards):
    from studyhub.data.scaling import Scaler
    from studyhub.data.windows import Inputs

    def tensors(shards):
        record = shards.read(BASINS, (*FORCING, "qobs"), TRAIN, ("area",))
        scaler = Scaler.fit(record, TRAIN, BASINS, FORCING, ("area",), ("prcp",))
        inputs = Inputs.build(record, scaler, FORCING, FORCING)
        return inputs.x, inputs.attributes, inputs.forcing, inputs.q

    for ours, theirs in zip(tensors(share(shards, trial_on(shards))), tensors(shards), strict=True):
        assert ours.stride() == theirs.stride()
        np.testing.assert_array_equal(ours.numpy().view(np.uint32), theirs.numpy().view(np.uint32))
