import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyhub.catalog import FORCINGS, TARGET
from studyhub.data.units import AREAS, KNOWN, area_unit, canonical_unit, spelt, unit_of
from studyhub.errors import DataError

UNITS = [(variable, unit) for variable, units in KNOWN.items() for unit in units]


def test_the_canonical_units_are_those_of_the_catalog():
    assert {name: canonical_unit(name, "") for name in KNOWN if name in FORCINGS} == FORCINGS
    assert canonical_unit(TARGET, "cfs") == "mm/d"
    assert canonical_unit("et_obs", "0.1 mm/8d") == "mm/8d"
    for variable, units in KNOWN.items():
        assert units[canonical_unit(variable, "")].canonical(12.5) == 12.5


@pytest.mark.parametrize(
    ("variable", "unit", "value", "canonical"),
    [
        # Over an area of 864 km2: 1 m3/s is 86 400 m3/d, which are 0.1 mm.
        ("qobs", "m3/s", 25, 2.5),
        ("qobs", "m³/s", 25, 2.5),
        ("qobs", "l/s", 25_000, 2.5),
        ("qobs", "L/s", 25_000, 2.5),
        ("qobs", "m3/d", 2_160_000, 2.5),
        ("qobs", "Ml/d", 2160, 2.5),
        ("qobs", "cfs", 1000, 2.8316846592),
        ("qobs", "ft3/s", 1000, 2.8316846592),
        ("qobs", "l/s/km2", 125, 10.8),
        ("qobs", "m3/s/km2", 0.125, 10.8),
        ("qobs", "mm/h", 0.25, 6),
        ("qobs", "mm/day", 2.5, 2.5),
        ("prcp", "in/d", 2, 50.8),
        ("prcp", "m/d", 0.0125, 12.5),
        ("prcp", "mm", 12.5, 12.5),
        ("prcp", "kg/m2/s", 1 / 8192, 10.546875),
        ("prcp", "0.1 mm/d", 123, 12.3),
        ("pet", "cm/d", 0.5, 5),
        ("tmin", "K", 273.15, 0),
        ("tmax", "degF", 212, 100),
        ("tmax", "degF", -40, -40),
        ("tmean", "0.1 degC", -17, -1.7),
        ("tmean", "°C", -1.7, -1.7),
        ("srad", "MJ/m2/d", 8.64, 100),
        ("srad", "J/m2/d", 8_640_000, 100),
        ("srad", "kJ/m2/day", 8640, 100),
        ("vp", "hPa", 8.5, 850),
        ("vp", "kPa", 0.85, 850),
        ("dayl", "h", 12, 43_200),
        ("dayl", "min", 90, 5400),
        ("et_obs", "0.1 mm/8d", 123, 12.3),
        ("et_obs", "kg/m2/8d", 12.3, 12.3),
        ("swe_obs", "in", 10, 254),
        ("swe_obs", "m", 0.25, 250),
    ],
)
def test_values_worked_out_by_hand(variable, unit, value, canonical):
    assert math.isclose(unit_of(variable, unit).canonical(value, 864.0), canonical, rel_tol=1e-15, abs_tol=1e-300)


@pytest.mark.parametrize(
    ("unit", "value", "km2"), [("km2", 12.5, 12.5), ("ha", 1250, 12.5), ("m2", 12_500_000, 12.5), ("mi2", 1, 1.609344**2)]
)
def test_areas(unit, value, km2):
    assert math.isclose(area_unit(unit).canonical(value), km2, rel_tol=1e-15)


@given(st.sampled_from(UNITS), st.floats(-1e4, 1e4), st.floats(0.01, 1e7))
def test_there_and_back(named, value, area):
    unit = unit_of(*named)
    close = max(1e-12 * abs(unit.zero), 1e-290)  # numbers next to the smallest there are have fewer digits
    there = unit.canonical(value, area)
    assert math.isclose(unit.back(there, area), value, rel_tol=1e-12, abs_tol=close)
    assert math.isclose(unit.canonical(unit.back(value, area), area), value, rel_tol=1e-12, abs_tol=close)


@given(st.one_of(st.just(0.0), st.floats(1e-9, 1e6)), st.floats(0.01, 1e7))
def test_units_of_discharge_agree_with_each_other(litres, area):
    def mm(value: float, unit: str) -> float:
        return unit_of("qobs", unit).canonical(value, area)

    others = [mm(litres / 1000, "m3/s"), mm(litres * 86.4, "m3/d"), mm(litres / area, "l/s/km2"), mm(litres / 28.316846592, "cfs")]
    np.testing.assert_allclose(others, mm(litres, "l/s"), rtol=1e-14, atol=0)


def test_arrays_keep_what_is_missing():
    values = unit_of("tmin", "K").canonical(np.array([273.15, np.nan]))
    np.testing.assert_array_equal(values, [0, np.nan])


def test_a_variable_of_another_name_keeps_its_unit():
    assert unit_of("et_gleam", "mm per day, or so").canonical(3.0) == 3.0
    assert canonical_unit("et_gleam", " mm per day, or so ") == "mm per day, or so"


@pytest.mark.parametrize(
    ("variable", "unit", "words"),
    [
        ("prcp", "m3/s", "unknown unit of prcp 'm3/s'; known: mm/d, mm, mm/h, 0.1 mm/d, cm/d, m/d, in/d, kg/m2/d, kg/m2/s"),
        ("tmin", "R", "unknown unit of tmin 'R'; known: degC, K, degF, 0.1 degC"),
        ("et_obs", "mm/d", "unknown unit of et_obs 'mm/d'; known: mm/8d, kg/m2/8d"),  # a rate is another quantity
    ],
)
def test_an_unknown_unit_is_told_the_known_ones(variable, unit, words):
    with pytest.raises(DataError, match="unknown") as caught:
        unit_of(variable, unit)
    assert words in str(caught.value)


def test_an_area_in_acres_is_told_the_known_ones():
    with pytest.raises(DataError, match="unknown unit of an area 'acre'; known: km2, ha, m2, mi2"):
        area_unit("acre")


def test_every_unit_is_spelt_as_it_is_written():
    assert all(spelt(unit) == unit for _, unit in UNITS)
    assert all(spelt(unit) == unit for unit in AREAS)
