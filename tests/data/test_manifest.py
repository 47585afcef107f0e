import json
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyhub.data.entries import NAME, Entries, Entry
from studyhub.data.manifest import Manifest, _apart
from studyhub.data.shards import write
from studyhub.errors import DataError
from studyhub.study.settings import Period


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
        lambda text: text[:-3],
        lambda text: "[]",
        lambda text: "",
        lambda text: text.replace('"format": 2', '"format": 99'),
        lambda text: text.replace('"units"', '"unit"'),
        lambda text: text.replace('"basins": 2', '"basins": 3'),
        lambda text: text.replace('"b": {', '"b" {'),
    ],
)
def test_a_damaged_manifest_is_named(folder, change):
    path = folder / NAME
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match="manifest.json: .*ingest again"):
        Manifest.open(folder)


@pytest.mark.parametrize("change", [('"row_group": 1', '"row": 1'), ('"start": "2000', '"start": "20x0'), ('"days": 900}', '"days": 900')])
def test_a_damaged_entry_is_named(folder, change):
    path = folder / NAME
    begin, _, last = path.read_text().rpartition('"b": ')
    path.write_text(f'{begin}"b": {last.replace(*change)}')
    manifest = Manifest.open(folder)
    if change[0] in last:
        with pytest.raises(DataError, match="manifest.json: damaged at basin b .*ingest again"):
            manifest.hash(["b"], ["prcp"])


def test_a_manifest_is_plain_json(folder):
    content = json.loads((folder / NAME).read_text())
    assert list(content["entries"]) == ["a", "b"] and content["basins"] == 2


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5, unique=True))
def test_any_name_of_a_basin_survives(names):
    entry = Entry("f", 0, date(2000, 1, 1), 3, {"prcp": "ab"}, {"prcp": 0}, "cd", ((0, 2),), {"name": 'x\n}\n}, ": {'})
    whole = Manifest(("/x/s",), "test", {}, {"prcp": "mm/d"}, (), {}, {}, dict.fromkeys(names, entry))
    head, lines = _apart(whole.text())
    read = Manifest._from_json("/x/s", head, Entries(lines, "/x/s"))
    facts = {**entry.facts, "dataset": "s"}
    assert dict(read.entries) == dict.fromkeys(names, replace(entry, home="/x/s", facts=facts))
    assert read.period == whole.period and read.entries[names[0]].observed_days(Period(date(2000, 1, 2), date(2001, 1, 1))) == 1


def test_of_several_folders_what_means_the_same_in_all(tmp_path, make_basin):
    def folder(name, **options):
        return write(tmp_path / name, [make_basin(name)], source="test", settings={}, **options)

    a = folder("a", codes={"slope": ["flat", "steep"], "area": ["small"]})
    b = folder("b", codes={"slope": ["steep", "flat"], "area": ["small"]})
    both = Manifest.open((a, b))
    assert both.attribute_names == ("area",) and both.codes == {"area": ("small",)}
    assert both.hash(("a",), ("prcp",)) == Manifest.open(a).hash(("a",), ("prcp",))
    assert both.hash(("a", "b"), ("prcp",)) == Manifest.open((b, a)).hash(("b", "a"), ("prcp",))
    moved = a.rename(tmp_path / "elsewhere")
    assert Manifest.open(moved).hash(("a",), ("prcp",)) == both.hash(("a",), ("prcp",))
