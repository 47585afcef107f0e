import numpy as np
import pytest

from studyhub.data.climate import climate_group
from studyhub.data.weather import REGIONS, place, weather

DATES = np.arange(np.datetime64("1980-01-01"), np.datetime64("2010-01-01"))


@pytest.mark.parametrize("region", [0, 2, 3, 6, 9])
def test_thirty_years_have_the_normals_asked_for(region):
    climate = REGIONS[region]
    found = weather(climate, DATES, np.random.default_rng(3))
    assert found["prcp"].sum() / 30 == pytest.approx(climate.rain, rel=0.3)
    assert found["tmean"].mean() == pytest.approx(climate.warmth, abs=0.8)
    assert (found["prcp"] > 0).mean() == pytest.approx(climate.wet, rel=0.3)


def test_variables_fit_together():
    found = weather(REGIONS[4], DATES, np.random.default_rng(0))
    assert set(found) == {"prcp", "tmin", "tmax", "tmean", "pet", "srad", "vp", "dayl"}
    assert all(values.shape == DATES.shape and np.isfinite(values).all() for values in found.values())
    np.testing.assert_allclose(found["tmean"], (found["tmin"] + found["tmax"]) / 2)
    assert all((found[name] >= 0).all() for name in ("prcp", "pet", "srad", "vp", "dayl")) and found["dayl"].max() <= 86_400
    wet = found["prcp"] > 0
    span = found["tmax"] - found["tmin"]
    assert span.min() > 0 and span[wet].mean() < 0.8 * span[~wet].mean()


def test_wet_days_come_in_spells_and_warm_days_too():
    found = weather(REGIONS[0], DATES, np.random.default_rng(1))
    wet = found["prcp"] > 0
    assert wet[1:][wet[:-1]].mean() > wet[1:][~wet[:-1]].mean() + 0.2
    month = DATES.astype("datetime64[M]").astype(int) % 12
    anomaly = found["tmean"] - np.array([found["tmean"][month == m].mean() for m in range(12)])[month]
    assert np.corrcoef(anomaly[1:], anomaly[:-1])[0, 1] > 0.6


def test_one_seed_one_weather():
    first, again = (weather(REGIONS[1], DATES, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first["prcp"], again["prcp"])
    assert not np.array_equal(first["prcp"], weather(REGIONS[1], DATES, np.random.default_rng(8))["prcp"])


def test_forty_places_cover_continents_and_climates():
    groups, continents = set(), set()
    for i in range(40):
        rng = np.random.default_rng([1, i])
        climate = place(i, rng)
        found = weather(climate, DATES[:3653], rng)
        groups.add(climate_group(found["prcp"], found["tmean"], DATES[:3653]))
        continents.add(climate.continent)
    assert groups == {"tropical", "arid", "temperate", "cold", "polar"}
    assert len(continents) == 6
