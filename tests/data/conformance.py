"""What every reader must keep to: a reader's own tests subclass `ReaderCase` and give it a source."""

import json
import pickle
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studyhub.catalog import FORCINGS, TARGET
from studyhub.data.record import Basin
from studyhub.data.source import Source
from studyhub.errors import DataError

FACTS = {
    "name": str,
    "gauge_lat": float,
    "gauge_lon": float,
    "forcing_lat": float,
    "area_km2": float,
    "continent": str,
    "country": str,
    "huc_02": str,
    "climate_group": str,
}
CONTINENTS = {"Africa", "Asia", "Europe", "North America", "Oceania", "South America"}
CLIMATE_GROUPS = {"arid", "cold", "polar", "temperate", "tropical", "unknown"}
NOT_NEGATIVE = ("prcp", "pet", "srad", "vp", "dayl", TARGET)


class ReaderCase:
    """Laws of `studyhub.data.source.Source`.

    Subclass it as ``class TestMine(ReaderCase)`` with a fixture ``source``. A fixture ``basins`` may name those to read, where all would
    take too long or some are there to be refused.
    """

    other_facts: tuple[str, ...] = ()  # keys of facts that only this reader gives

    @pytest.fixture
    def basins(self, source: Source) -> tuple[str, ...]:
        return source.basins

    def test_basins_are_sorted_and_unique(self, source):
        assert len(source.basins) > 0
        assert tuple(sorted(set(source.basins))) == tuple(source.basins)
        assert all(type(basin) is str and basin for basin in source.basins)

    def test_settings_are_plain_and_hold_no_path(self, source):
        json.dumps(source.settings, allow_nan=False)
        for text in texts(source.settings):
            assert not Path(text).is_absolute() and not Path(text).exists()
        assert source.reader and type(source.reader) is str

    def test_units_are_canonical(self, source):
        canonical = FORCINGS | {TARGET: "mm/d"}
        assert all(unit == canonical.get(name, unit) for name, unit in source.units.items())
        assert all(type(name) is str and type(unit) is str for name, unit in source.units.items())

    def test_it_reads_in_the_order_given(self, source, basins):
        asked = list(reversed(basins))
        assert [basin.name for basin in source.read(asked)] == asked
        assert list(source.read([])) == []

    def test_a_basin_alone_is_what_it_is_among_others(self, source, basins):
        for basin in source.read(basins):
            (alone,) = source.read([basin.name])
            require_same(basin, alone)

    def test_it_reads_the_same_after_pickling(self, source, basins):
        again = pickle.loads(pickle.dumps(source))
        assert (again.reader, again.settings, again.basins) == (source.reader, source.settings, source.basins)
        assert list(again.units.items()) == list(source.units.items())
        assert {name: tuple(names) for name, names in again.codes.items()} == {name: tuple(names) for name, names in source.codes.items()}
        for one, other in zip(source.read(basins), again.read(basins), strict=True):
            require_same(one, other)

    def test_series_have_the_variables_of_the_units(self, source, basins):
        """Contiguous days are a first day and values of one length."""
        for basin in source.read(basins):
            assert list(basin.series) == list(source.units)
            assert type(basin.start) is date
            assert all(values.ndim == 1 and values.dtype.kind == "f" for values in basin.series.values())
            (days,) = {len(values) for values in basin.series.values()}
            assert days > 0

    def test_no_value_is_impossible(self, source, basins):
        for basin in source.read(basins):
            for name, values in basin.series.items():
                assert not np.isinf(values).any(), name
                assert name not in NOT_NEGATIVE or not (values < 0).any(), name

    def test_attributes_have_the_same_names_everywhere(self, source, basins):
        read = list(source.read(basins))
        assert len({tuple(basin.attributes) for basin in read}) == 1
        assert all(type(value) in (int, float) and not np.isinf(value) for basin in read for value in basin.attributes.values())
        assert not any(name.startswith("clim_") for name in read[0].attributes), "ingest derives these from forcing"

    def test_codes_are_in_range(self, source, basins):
        for names in source.codes.values():
            assert len(set(names)) == len(names) and all(type(name) is str and name for name in names)
        for basin in source.read(basins):
            assert source.codes.keys() <= basin.attributes.keys()
            for name, names in source.codes.items():
                assert basin.attributes[name] in range(-1, len(names)), name

    def test_facts_are_plain_and_canonical(self, source, basins):
        for basin in source.read(basins):
            require_facts(basin.facts, self.other_facts)

    def test_what_was_met_is_counted(self, source, basins):
        for basin in source.read(basins):
            assert all(type(name) is str and type(count) is int and count >= 0 for name, count in basin.met.items())

    def test_an_unknown_basin_is_named(self, source, basins):
        with pytest.raises(DataError, match="no-such-basin"):
            list(source.read([basins[0], "no-such-basin"]))


def texts(value: Any) -> Iterator[str]:
    """All text in plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield key
            yield from texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)


def require_facts(facts: Mapping[str, Any], others: tuple[str, ...] = ()) -> None:
    assert facts.keys() <= {*FACTS, *others}
    for key, value in facts.items():
        assert type(value) in ((FACTS[key],) if key in FACTS else (str, float, int)), key
        assert not isinstance(value, float) or not np.isinf(value), key
    assert facts.get("continent", "Asia") in CONTINENTS
    assert facts.get("climate_group", "unknown") in CLIMATE_GROUPS
    for key, limit in (("gauge_lat", 90), ("forcing_lat", 90), ("gauge_lon", 180)):
        assert not abs(facts.get(key, 0.0)) > limit, key
    assert not facts.get("area_km2", 1.0) <= 0


def require_same(one: Basin, other: Basin) -> None:
    """Require equal basins, NaN equal to NaN, to the bit."""
    assert (one.name, one.start, dict(one.met)) == (other.name, other.start, dict(other.met))
    assert list(one.series) == list(other.series)
    for name, values in one.series.items():
        assert values.dtype == other.series[name].dtype and values.tobytes() == other.series[name].tobytes(), name
    for mine, theirs in ((one.attributes, other.attributes), (one.facts, other.facts)):
        assert list(mine) == list(theirs)
        assert all(a == b or (a != a and b != b) for a, b in zip(mine.values(), theirs.values(), strict=True))
