import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studyhub.catalog import ATTRIBUTE_SETS, CLIMATE_ATTRIBUTES
from studyhub.data.climate import CLIMATE, climate_attributes, climate_group, derived_climate
from studyhub.data.pet import hargreaves
from studyhub.data.record import day_of_year

DATES = np.arange(np.datetime64("2001-01-01"), np.datetime64("2005-01-01"))
MONTH = DATES.astype("datetime64[M]").astype(int) % 12
NORTHERN = -np.cos(2 * np.pi * (MONTH + 0.5) / 12)  # -1 in winter, 1 in summer


@pytest.mark.parametrize(
    ("annual", "mean", "swing", "group"),
    [
        (2000, 26, 1, "tropical"),
        (200, 20, 8, "arid"),
        (900, 12, 7, "temperate"),
        (700, 4, 15, "cold"),
        (900, -3, 8, "polar"),
    ],
)
@pytest.mark.parametrize("hemisphere", [1, -1])
def test_groups(annual, mean, swing, group, hemisphere):
    prcp = np.full(len(DATES), annual / 365.25)
    assert climate_group(prcp, mean + hemisphere * swing * NORTHERN, DATES) == group


def test_summer_rain_needs_more_of_it():
    """At 20 degC: 600 mm are arid if they fall in summer (limit 680 mm), not if they fall in winter (limit 400 mm)."""
    tmean = 20 + 5 * NORTHERN
    summer = np.where(NORTHERN > 0, 600 / 182.6, 0.0)
    winter = np.where(NORTHERN < 0, 600 / 182.6, 0.0)
    assert climate_group(summer, tmean, DATES) == "arid"
    assert climate_group(winter, tmean, DATES) == "temperate"


# Climate normals, monthly from January: mm, degC, and the group that the maps of Peel et al. and Beck et al. give the place.
SINGAPORE = (
    [235, 113, 170, 155, 171, 131, 155, 149, 171, 155, 258, 319],
    [26.8, 27.3, 27.8, 28.2, 28.6, 28.6, 28.2, 28.1, 28.0, 27.9, 27.2, 26.8],
)
CAIRO = ([5, 4, 4, 1, 0, 0, 0, 0, 0, 1, 4, 6], [14.0, 15.1, 17.6, 21.5, 24.9, 27.4, 28.0, 28.0, 26.6, 24.0, 19.2, 15.1])
DENVER = ([10, 11, 23, 44, 54, 50, 55, 43, 24, 26, 16, 9], [-0.1, 0.6, 4.9, 8.9, 14.1, 20.1, 23.7, 22.6, 17.6, 10.5, 4.4, -0.3])
PARIS = ([47, 42, 45, 47, 63, 50, 59, 55, 49, 61, 53, 60], [4.9, 5.6, 8.9, 11.6, 15.2, 18.4, 20.5, 20.4, 16.8, 13.0, 8.3, 5.4])
PERTH = ([17, 13, 19, 37, 90, 132, 147, 122, 82, 42, 24, 10], [24.5, 24.9, 23.0, 19.6, 16.2, 13.9, 13.1, 13.5, 14.9, 17.1, 20.3, 22.6])
MOSCOW = ([52, 41, 35, 37, 49, 80, 85, 82, 68, 71, 55, 52], [-6.5, -6.7, -1.0, 6.7, 13.2, 17.0, 19.2, 17.0, 11.3, 5.6, -1.2, -5.2])
YAKUTSK = ([9, 8, 7, 8, 20, 35, 39, 37, 31, 18, 16, 10], [-38.6, -33.8, -20.1, -4.8, 7.5, 16.4, 19.5, 15.2, 6.1, -7.8, -27.0, -37.6])
NUUK = ([39, 47, 50, 46, 55, 62, 82, 89, 88, 70, 74, 54], [-7.4, -7.8, -8.0, -3.9, 0.6, 3.9, 6.5, 6.1, 3.5, -0.6, -3.6, -6.2])
VOSTOK = ([1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1], [-32, -44, -58, -65, -66, -65, -66, -68, -66, -57, -43, -32])


@pytest.mark.parametrize(
    ("normals", "group"),
    [
        (SINGAPORE, "tropical"),
        (CAIRO, "arid"),
        (DENVER, "arid"),  # 365 mm at 10.6 degC, 74 % of them in summer: below 10 (2 * 10.6 + 28)
        (PARIS, "temperate"),
        (PERTH, "temperate"),
        (MOSCOW, "cold"),
        (YAKUTSK, "cold"),
        (NUUK, "polar"),
        (VOSTOK, "polar"),
    ],
)
def test_groups_of_places(normals, group):
    rain, warmth = (np.array(values, dtype=float)[MONTH] for values in normals)
    assert climate_group(rain * 12 / 365.25, warmth, DATES) == group


def test_arid_comes_first():
    """Hot, cold and tundra climates with next to no rain are arid, and frost without rain is not: nothing could evaporate."""
    drought = np.full(len(DATES), 1 / 365.25)
    for warmth in (27 + 0 * NORTHERN, 5 + 15 * NORTHERN, 3 + 5 * NORTHERN):
        assert climate_group(drought, warmth, DATES) == "arid"
    assert climate_group(drought, -20 + 5 * NORTHERN, DATES) == "polar"


def test_the_limits_belong_where_the_papers_put_them():
    rain = np.full(len(DATES), 5.0)
    assert climate_group(rain, np.full(len(DATES), 18.0), DATES) == "tropical"
    assert climate_group(rain, np.full(len(DATES), 10.0), DATES) == "polar"
    assert climate_group(rain, np.where(MONTH == 0, 0.0, 15.0), DATES) == "cold"
    assert climate_group(rain, np.where(MONTH == 0, 0.1, 15.0), DATES) == "temperate"


@pytest.mark.parametrize("which", [0, 1])
def test_a_calendar_month_without_a_value_makes_it_unknown(which):
    series = [np.full(len(DATES), 3.0), 12 + 7 * NORTHERN]
    series[which] = np.where(MONTH == 6, np.nan, series[which])
    assert climate_group(series[0], series[1], DATES) == "unknown"


def test_missing_days_are_passed_over_and_missing_months_make_it_unknown():
    prcp, tmean = np.full(len(DATES), 900 / 365.25), 12 + 7 * NORTHERN
    prcp[5], tmean[9] = np.nan, np.nan
    assert climate_group(prcp, tmean, DATES) == "temperate"
    assert climate_group(prcp[:90], tmean[:90], DATES[:90]) == "unknown"


def test_attributes_by_hand():
    """Ten-day cycle: 20 mm on two days at -5 degC, 0.5 mm on two days at 5 degC, six dry days at 5 degC."""
    dates = np.arange(np.datetime64("2001-01-01"), np.datetime64("2001-01-01") + 4000)
    cycle = np.arange(4000) % 10
    prcp = np.select([cycle < 2, cycle < 4], [20.0, 0.5], 0.0)
    found = climate_attributes(prcp, np.where(cycle < 2, -5.0, 5.0), np.full(4000, 2.05), dates)
    assert found["p_mean"] == pytest.approx(4.1)
    assert found["aridity"] == pytest.approx(0.5)
    assert found["frac_snow"] == pytest.approx(40 / 41)
    assert found["high_prec_freq"] == pytest.approx(0)  # 20 mm is below five times 4.1 mm
    assert found["high_prec_dur"] == 0
    assert found["low_prec_freq"] == pytest.approx(0.8 * 365.25)
    assert found["low_prec_dur"] == pytest.approx(8)


@pytest.mark.parametrize(("lag", "expected"), [(0, 0.5), (182.625, -0.5), (91.3, 0.0)])
def test_seasonality_is_the_amplitude_in_phase_with_temperature(lag, expected):
    doy = np.arange(len(DATES)) % 365.25 + 1
    tmean = 10 + 8 * np.sin(2 * np.pi * doy / 365.25)
    prcp = 3 * (1 + 0.5 * np.sin(2 * np.pi * (doy - lag) / 365.25))
    found = climate_attributes(prcp, tmean, np.ones(len(DATES)), DATES)
    assert found["p_seasonality"] == pytest.approx(expected, abs=0.01)


def weather(seed, years=3):
    """Return prcp, tmean, pet and dates of a random climate without gaps."""
    rng = np.random.default_rng(seed)
    dates = np.arange(np.datetime64("2001-01-01"), np.datetime64(f"{2001 + years}-01-01"))
    wave = np.cos(2 * np.pi * np.arange(len(dates)) / 365.25 + rng.uniform(0, 6))
    prcp = rng.gamma(0.5, 6, len(dates)) * (rng.random(len(dates)) < 0.5) * (1 + 0.5 * wave)
    tmean = rng.uniform(-5, 25) + 10 * wave + rng.normal(0, 3, len(dates))
    return prcp, tmean, np.maximum(0.1 * tmean + 0.5, 0.0), dates


def without(found, *names):
    return {name: value for name, value in found.items() if name.removeprefix("clim_") not in names}


seeds = st.integers(0, 10_000)


def test_the_set_is_the_one_of_the_catalog():
    assert tuple(derived_climate(*weather(0))) == CLIMATE == ATTRIBUTE_SETS["climate"]
    assert all(unit and meaning for unit, meaning in CLIMATE_ATTRIBUTES.values())


@given(seeds)
@settings(max_examples=20)
def test_nine_are_those_of_camels(seed):
    found = derived_climate(*weather(seed))
    for name, value in climate_attributes(*weather(seed)).items():
        assert found[f"clim_{name}"] == value


@given(seeds, st.floats(0.05, 20))
@settings(max_examples=30)
def test_more_of_both_waters_is_the_same_climate(seed, factor):
    prcp, tmean, pet, dates = weather(seed)
    sizes = ("p_mean", "pet_mean", "low_prec_freq", "low_prec_dur")
    before = derived_climate(prcp, tmean, pet, dates)
    after = derived_climate(factor * prcp, tmean, factor * pet, dates)
    assert without(after, *sizes) == pytest.approx(without(before, *sizes), rel=1e-9, abs=1e-9)
    assert after["clim_p_mean"] == pytest.approx(factor * before["clim_p_mean"])


@given(seeds, st.permutations(range(4)))
@settings(max_examples=20)
def test_the_order_of_years_does_not_matter(seed, order):
    """But for the few spells over a turn of the year. The leap year keeps its place, so that every day keeps its day of the year."""
    prcp, tmean, pet, dates = weather(seed, years=4)
    year = dates.astype("datetime64[Y]").astype(int) - 31
    leap = int(np.argmax(np.bincount(year)))
    others = [y for y in order if y != leap]
    places = iter(others)
    days = np.concatenate([np.flatnonzero(year == (leap if y == leap else next(places))) for y in range(4)])
    before = derived_climate(prcp, tmean, pet, dates)
    after = derived_climate(prcp[days], tmean[days], pet[days], dates)
    spells = ("high_prec_dur", "low_prec_dur")
    assert without(after, *spells) == pytest.approx(without(before, *spells), abs=1e-9)
    for name in spells:
        assert after[f"clim_{name}"] == pytest.approx(before[f"clim_{name}"], rel=0.1)


@given(seeds, st.floats(0, 0.6))
@settings(max_examples=30)
def test_missing_days_are_left_out_whichever_variable_misses_them(seed, share):
    prcp, tmean, pet, dates = weather(seed)
    gone = np.random.default_rng(seed).random(len(dates)) < share
    some_p, some_t, some_e = (np.where(gone, np.nan, values) for values in (prcp, tmean, pet))
    alike = [derived_climate(*three, dates) for three in ((some_p, tmean, pet), (prcp, some_t, pet), (prcp, tmean, some_e))]
    assert alike[0] == alike[1] == alike[2]
    assert alike[0]["clim_p_mean"] == pytest.approx(prcp[~gone].mean()) and np.isfinite(list(alike[0].values())).all()


def test_a_spell_ends_where_a_day_is_missing():
    """Ten dry days, ten wet: with the fifth dry day missing, spells are of four and five days."""
    prcp = np.where(np.arange(1460) % 20 < 10, 0.0, 2.0)
    dates = DATES[:1460]
    assert derived_climate(prcp, np.ones(1460), np.ones(1460), dates)["clim_low_prec_dur"] == 10
    prcp[np.arange(1460) % 20 == 4] = np.nan
    assert derived_climate(prcp, np.ones(1460), np.ones(1460), dates)["clim_low_prec_dur"] == 4.5


def test_too_little_to_tell():
    prcp, tmean, pet, dates = weather(1, years=2)
    one = slice(0, 365)
    assert np.isfinite(list(derived_climate(prcp[one], tmean[one], pet[one], dates[one]).values())).all()
    prcp[5] = np.nan
    assert np.isnan(list(derived_climate(prcp[one], tmean[one], pet[one], dates[one]).values())).all()
    summers = np.where(dates.astype("datetime64[M]").astype(int) % 12 < 2, np.nan, tmean)
    assert np.isnan(list(derived_climate(prcp, summers, pet, dates).values())).all()
    assert np.isnan(list(derived_climate(prcp[:0], tmean[:0], pet[:0], dates[:0]).values())).all()


@pytest.mark.parametrize("prcp", [0.0, 2.0])
@pytest.mark.parametrize("tmean", [0.0, -30.0])
@pytest.mark.parametrize("pet", [0.0, 2.0])
def test_constant_series_give_a_number_or_none(prcp, tmean, pet):
    one = np.ones(len(DATES))
    found = derived_climate(prcp * one, tmean * one, pet * one, DATES)
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == ({"clim_p_seasonality", "clim_frac_snow", "clim_aridity", "clim_p_cv"} if prcp == 0 else set())
    assert not np.isinf(list(found.values())).any()
    assert found["clim_moisture"] == {(0, 0): 0, (0, 2): -1, (2, 0): 1, (2, 2): 0}[prcp, pet]


def test_the_published_attributes_of_real_basins(real_camels):
    """`camels_clim.txt` was made from the same Daymet days; its PET is Priestley-Taylor's and its days of snow another temperature's."""
    with open(real_camels / "camels_attributes_v2.0" / "camels_clim.txt") as file:
        published = {row["gauge_id"]: row for row in csv.DictReader(file, delimiter=";")}
    for path in sorted(real_camels.glob("basin_mean_forcing/daymet/*/*.txt"))[::6]:
        lines = path.read_text().split("\n")
        prcp, tmax, tmin = np.loadtxt(lines[4:], usecols=(5, 8, 9), unpack=True)
        days = np.datetime64("1980-01-01") + np.arange(len(prcp))
        pet = hargreaves(tmin, tmax, float(lines[0]), day_of_year(days))
        during = (days >= np.datetime64("1989-10-01")) & (days <= np.datetime64("2009-09-30"))
        found = derived_climate(*(values[during] for values in (prcp, (tmin + tmax) / 2, pet, days)))
        basin = published[path.name[:8]]
        due = {name: float(basin[name]) for name in basin if f"clim_{name}" in CLIMATE}
        for name in ("p_mean", "p_seasonality", "high_prec_freq", "high_prec_dur", "low_prec_freq", "low_prec_dur"):
            assert found[f"clim_{name}"] == pytest.approx(due[name], rel=1e-4, abs=1e-4)
        assert found["clim_frac_snow"] == pytest.approx(due["frac_snow"], abs=0.1)
        assert found["clim_pet_mean"] == pytest.approx(due["pet_mean"], rel=0.25)
        assert found["clim_aridity"] == pytest.approx(due["aridity"], rel=0.25)
