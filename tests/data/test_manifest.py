import json
import subprocess
import sys

import pytest

from studyhub.data.manifest import NAME, Manifest
from studyhub.data.shards import write
from studyhub.errors import DataError


@pytest.fixture
def folder(tmp_path, make_basin):
    basins = [make_basin("a", seed=1), make_basin("b", seed=2)]
    return write(tmp_path / "shards", basins, source="test", settings={"forcing": "daymet"}, codes={"geol": ["granite", "marl"]})


def test_says_what_is_there(folder):
    manifest = Manifest.open(folder)
    assert manifest.basins == ("a", "b")
    assert str(manifest.period) == "2000-01-01..2002-06-18"
    assert manifest.units == {"prcp": "mm/d", "tmean": "degC", "pet": "mm/d", "qobs": "mm/d"}
    assert (manifest.source, manifest.settings, manifest.codes) == ("test", {"forcing": "daymet"}, {"geol": ("granite", "marl")})
    observed = {"observed_days": 900, "first_observed": "2000-01-01", "last_observed": "2002-06-18"}
    assert manifest.metadata["a"] == {"gauge_lat": 45.0, "dataset": "shards"} | observed


def test_is_read_without_heavy_libraries(folder):
    code = (
        "import sys; from studyhub.data.manifest import Manifest; from studyhub.data.synthetic_settings import SyntheticSettings;"
        f"m = Manifest.open({str(folder)!r}); m.hash(m.basins, ['qobs']); SyntheticSettings().hash(['syn-001'], ['qobs']);"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'torch', 'scipy'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_hash_depends_on_what_is_used_only(folder):
    manifest = Manifest.open(folder)
    assert manifest.hash(["a", "b"], ["prcp", "pet"]) == manifest.hash(("b", "a", "a"), ("pet", "prcp"))
    hashes = {manifest.hash(basins, variables) for basins in (["a"], ["b"], ["a", "b"]) for variables in (["prcp"], ["prcp", "pet"])}
    assert len(hashes) == 6


def test_unknown_names_are_named(folder):
    manifest = Manifest.open(folder)
    with pytest.raises(DataError, match="no basins c; there are a, b"):
        manifest.hash(["a", "c"], ["prcp"])
    with pytest.raises(DataError, match="no variables swe"):
        manifest.hash(["a"], ["swe"])


def test_a_folder_without_manifest(tmp_path):
    with pytest.raises(DataError, match="there is none; make them with `studyhub ingest`"):
        Manifest.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: json.dumps(json.loads(text) | {"format": 99}),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "units"}),
        lambda text: json.dumps(json.loads(text) | {"entries": {"a": {"file": "x"}}}),
        lambda text: json.dumps(json.loads(text) | {"entries": []}),
    ],
)
def test_a_damaged_manifest_is_named(folder, change):
    path = folder / NAME
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match="manifest.json: .*ingest again"):
        Manifest.open(folder)
