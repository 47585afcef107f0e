import numpy as np
import pytest

from studyhub.data.climate import climate_attributes, climate_group

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
