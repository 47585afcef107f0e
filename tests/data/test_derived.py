"""What is added to what a source gives, and what is left as it gave it."""

from datetime import date

import numpy as np
import pytest

from studyhub.data.derived import all_units, completed
from studyhub.data.pet import hargreaves, oudin
from studyhub.data.record import Basin, day_of_year
from studyhub.errors import DataError

GIVEN = {"prcp": "mm/d", "tmin": "degC", "tmax": "degC", "ndvi": "-", "qobs": "mm/d"}


def basin(**facts) -> Basin:
    rng = np.random.default_rng(0)
    series = {name: rng.random(800) for name in GIVEN} | {"tmax": 12 + rng.random(800)}
    return Basin("a", date(2000, 1, 1), series, {"slope": 1.0}, {"gauge_lat": 48.0, "gauge_lon": 8.0} | facts)


def test_variables_are_added_and_put_into_order():
    assert list(all_units(GIVEN)) == ["prcp", "tmin", "tmax", "tmean", "pet", "ndvi", "qobs"]
    assert list(all_units({"prcp": "mm/d", "tmin": "degC"})) == ["prcp", "tmin"]  # half of a pair gives nothing
    whole = completed(basin(), all_units(GIVEN))
    assert list(whole.series) == list(all_units(GIVEN))
    np.testing.assert_allclose(whole.series["tmean"], (whole.series["tmin"] + whole.series["tmax"]) / 2)
    assert (whole.facts["continent"], whole.attributes["slope"]) == ("Europe", 1.0)


def test_what_a_source_gives_stays():
    given = basin(continent="Asia", climate_group="polar")
    pet = np.full(800, 7.0)
    whole = completed(Basin(**(vars(given) | {"series": given.series | {"pet": pet}})), all_units(GIVEN | {"pet": "mm/d"}))
    assert (whole.facts["continent"], whole.facts["climate_group"]) == ("Asia", "polar")
    np.testing.assert_array_equal(whole.series["pet"], pet)


def test_pet_comes_about_as_it_is_asked_for():
    own = GIVEN | {"pet": "mm/d"}
    given = Basin(**(vars(basin()) | {"series": basin().series | {"pet": np.full(800, 7.0)}}))
    warm = (given.series["tmin"] + given.series["tmax"]) / 2
    days = day_of_year(np.arange("2000-01-01", 800, dtype="datetime64[D]"))
    due = {"given": given.series["pet"], "oudin": oudin(warm, 48.0, days)}
    due["hargreaves"] = hargreaves(given.series["tmin"], given.series["tmax"], 48.0, days)
    for method, values in due.items():
        whole = completed(given, all_units(own, method), pet=method)
        np.testing.assert_array_equal(whole.series["pet"], values)
        assert whole.facts["pet_method"] == method and list(whole.series) == list(all_units(own, method))
        assert whole.attributes["clim_pet_mean"] == pytest.approx(values.mean(), rel=0.05)
    assert completed(basin(), all_units(GIVEN)).facts["pet_method"] == "hargreaves"
    assert list(all_units({"prcp": "mm/d", "tmean": "degC"}, "oudin")) == ["prcp", "tmean", "pet"]
    with pytest.raises(DataError, match="PET by Hargreaves needs tmin and tmax, the data have prcp, tmean, pet; choose another --pet"):
        all_units({"prcp": "mm/d", "tmean": "degC", "pet": "mm/d"}, "hargreaves")
    with pytest.raises(DataError, match="PET by Oudin needs the fact gauge_lat"):
        completed(basin(gauge_lat=None), all_units(GIVEN, "oudin"), pet="oudin")


def test_discharge_has_no_part_in_the_climate():
    wet = basin()
    wet.series["qobs"][:] = 99.0
    wet.series["ndvi"][:] = np.nan
    one, other = (completed(each, all_units(GIVEN)) for each in (basin(), wet))
    assert one.attributes == other.attributes and one.facts == other.facts


def test_where_the_forcing_is_from_goes_before_where_the_gauge_is():
    units = all_units(GIVEN)
    gauge, grid = (completed(basin(**facts), units).series["pet"] for facts in ({"gauge_lat": 60.0}, {"forcing_lat": 60.0}))
    np.testing.assert_array_equal(gauge, grid)
    with pytest.raises(DataError, match="needs the fact gauge_lat"):
        completed(basin(gauge_lat=float("nan")), units)
