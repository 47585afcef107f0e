"""Files of an object store that are written anew while they are read."""

import threading
from contextlib import contextmanager
from itertools import cycle

import pytest
from servers import s3

from studyhub.storage import folder

VERSIONS = tuple(bytes([letter]) * size for letter, size in zip(b"abcd", (200, 3000, 50, 900), strict=True))


@pytest.fixture(scope="module")
def place():
    with pytest.MonkeyPatch.context() as patch, s3(patch) as uri:
        yield folder(f"{uri}/torn")


@contextmanager
def written_anew(place, name):
    place.write(name, VERSIONS[-1])
    ended = threading.Event()

    def write():
        for content in cycle(VERSIONS):
            if ended.wait(0.02):
                return
            place.write(name, content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_what_is_read_is_one_version(place):
    with written_anew(place, "told.json"):
        found = {place.read("told.json") for _ in range(60)}
    assert found <= set(VERSIONS) and len(found) > 1


def test_what_is_fetched_is_one_version(place, tmp_path):
    found = set()
    with written_anew(place, "weights.npz"):
        for _ in range(60):
            place.fetch("weights.npz", tmp_path / "weights.npz")
            found.add((tmp_path / "weights.npz").read_bytes())
    assert found <= set(VERSIONS) and len(found) > 1
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_one_that_changes_at_every_look_is_said(place, monkeypatch):
    monkeypatch.setattr("studyhub.object_store.TORN_TRIES", 3)
    place.write("told.json", b"0")

    def take(file):
        place.write("told.json", file.read() + b"0")

    with pytest.raises(OSError, match="torn/told.json: is written anew faster than it can be read"):
        place._whole("told.json", take)
