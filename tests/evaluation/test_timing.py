import numpy as np
import pytest

from studyhub.evaluation.metrics import peak_timing

DAYS = np.arange(400.0)


def flood(*days: int) -> np.ndarray:
    """A hydrograph with a flood of two weeks around each of these days."""
    return sum(np.exp(-(((DAYS - day) / 4) ** 2)) for day in days)[None] + 0.1


@pytest.mark.parametrize(("simulated", "distance"), [((60, 200), 0), ((61, 198), 1.5), ((60, 203), 1.5), ((58, 200), 1)])
def test_distance_of_peaks_by_hand(simulated, distance):
    assert peak_timing(flood(*simulated), flood(60, 200))[0] == distance


def test_a_peak_of_its_own_on_the_day_counts_though_a_larger_one_is_near():
    sim = flood(60)
    sim[0, 62] = 3
    sim[0, 61] = 0.5
    assert peak_timing(sim, flood(60))[0] == 0
    sim[0, 61] = 1.5  # now the 60th is on the way up
    assert peak_timing(sim, flood(60))[0] == 2


def test_a_simulation_far_off_is_at_most_three_days_off():
    assert peak_timing(flood(75), flood(60))[0] == 3


def test_small_rises_and_neighbours_are_no_peaks_of_their_own():
    obs = flood(60, 200) + 0.05 * flood(120)
    assert peak_timing(flood(60, 203), obs)[0] == 1.5
    near = flood(60) + 0.8 * flood(130)  # within 100 days of a larger one
    assert peak_timing(flood(60, 133), near)[0] == 0


def test_only_peaks_with_all_days_around_count():
    sim, obs = flood(61, 202), flood(60, 200)
    gap = obs.copy()
    gap[0, 203] = np.nan
    assert peak_timing(sim, gap)[0] == 1
    sim[0, 57] = np.nan
    assert peak_timing(sim, obs)[0] == 2
    assert np.isnan(peak_timing(sim, gap)[0])


def test_what_has_no_peak_has_no_timing():
    flat = np.full((1, 400), 2.0)
    assert np.isnan(peak_timing(flood(60), flat)[0])
    assert np.isnan(peak_timing(flat, flood(60))[0])
    assert np.isnan(peak_timing(flood(60), flood(60) * np.nan)[0])
    assert np.isnan(peak_timing(flood(60)[:, :5], flood(60)[:, :5])[0])


def test_basins_do_not_see_each_other():
    sim, obs = np.concatenate([flood(61), flood(60)]), np.concatenate([flood(60), flood(60)])
    assert peak_timing(sim, obs).tolist() == [1, 0]
    assert peak_timing(sim[::-1], obs[::-1]).tolist() == [0, 1]
