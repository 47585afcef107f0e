import numpy as np
import pytest

from studyhub.data.pet import extraterrestrial_radiation, hargreaves, oudin, sunset_angle


def test_radiation_and_daylight_of_the_fao_paper():
    """FAO-56, examples 8 and 9: 3 September at 20 degrees south, 32.2 MJ/m2/d and 11.7 h."""
    assert extraterrestrial_radiation(-20.0, np.array([246]))[0] == pytest.approx(32.2, abs=0.05)
    assert 24 / np.pi * sunset_angle(-20.0, np.array([246]))[0] == pytest.approx(11.7, abs=0.05)


def test_hargreaves_by_hand():
    """Lyon in July (FAO-56, example 20): 0.0023 (20.7 + 17.8) sqrt(11.8) 0.408 * 40.6 = 5.04 mm/d."""
    assert hargreaves(np.array([14.8]), np.array([26.6]), 45.72, np.array([196]))[0] == pytest.approx(5.04, abs=0.03)


def test_oudin_by_hand():
    """Radiation of FAO-56, example 8 (32.2 MJ/m2/d): 32.2 / 2.45 * (20 + 5) / 100 = 3.29 mm/d; nothing at -5 degC and below."""
    found = oudin(np.array([20.0, -5.0, -20.0]), -20.0, np.array([246, 246, 246]))
    assert found[0] == pytest.approx(3.29, abs=0.01)
    assert found[1] == found[2] == 0


@pytest.mark.parametrize("latitude", [-90.0, -70.0, 0.0, 66.6, 90.0])
def test_finite_and_never_negative_anywhere(latitude):
    days = np.arange(1, 367)
    for tmin, tmax in ((-40.0, -30.0), (25.0, 24.0), (10.0, 30.0)):
        pet = hargreaves(np.full(366, tmin), np.full(366, tmax), latitude, days)
        assert np.isfinite(pet).all() and (pet >= 0).all()
        pet = oudin(np.full(366, tmin), latitude, days)
        assert np.isfinite(pet).all() and (pet >= 0).all()


def test_nothing_evaporates_in_the_polar_night_in_deep_frost_or_without_a_daily_range():
    assert hargreaves(np.array([0.0]), np.array([10.0]), 80.0, np.array([355]))[0] == 0
    assert hargreaves(np.array([-30.0]), np.array([-20.0]), 45.0, np.array([180]))[0] == 0
    assert hargreaves(np.array([12.0]), np.array([11.0]), 45.0, np.array([180]))[0] == 0


def test_basins_broadcast_against_days():
    latitudes, days = np.array([[10.0], [50.0]]), np.arange(1, 366)
    both = hargreaves(np.full((2, 365), 5.0), np.full((2, 365), 15.0), latitudes, days)
    assert both.shape == (2, 365)
    np.testing.assert_array_equal(both[1], hargreaves(np.full(365, 5.0), np.full(365, 15.0), 50.0, days))
