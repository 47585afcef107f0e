import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studyhub.errors import DataError
from studyhub.models.target import TargetScaler

SCALES = {"aridity": (1.0, 0.5), "p_mean": (3.0, 1.5)}
P_MEAN = torch.tensor([2.0, 4.0, 6.0], dtype=torch.float64)
ATTRIBUTES = torch.stack([torch.zeros(3, dtype=torch.float64), (P_MEAN - 3.0) / 1.5], dim=1)


def discharge() -> torch.Tensor:
    q = torch.tensor(np.random.default_rng(0).gamma(0.5, 2.0, (200, 3)))
    q[::7, 1] = torch.nan
    return q


def test_feng_divides_by_precipitation_and_takes_the_logarithm():
    q = discharge()
    scaler = TargetScaler.fit("feng2020", q, ATTRIBUTES, SCALES)
    transformed = np.log10(np.sqrt(q.numpy() / P_MEAN.numpy()) + 0.1)
    assert scaler.mean == pytest.approx(np.nanmean(transformed), rel=1e-12)
    assert scaler.std == pytest.approx(np.nanstd(transformed), rel=1e-12)
    expected = (transformed - np.nanmean(transformed)) / np.nanstd(transformed)
    np.testing.assert_allclose(scaler.scale(q, ATTRIBUTES).numpy(), expected, rtol=1e-10, atol=1e-12)


def test_feng_takes_precipitation_from_the_forcing_where_the_data_set_has_none():
    names = {("clim_p_mean" if name == "p_mean" else name): scale for name, scale in SCALES.items()}
    assert TargetScaler.fit("feng2020", discharge(), ATTRIBUTES, names) == TargetScaler.fit("feng2020", discharge(), ATTRIBUTES, SCALES)
    both = torch.cat([ATTRIBUTES, ATTRIBUTES[:, :1]], dim=1)
    assert TargetScaler.fit("feng2020", discharge(), both, SCALES | {"clim_p_mean": (9.0, 9.0)}).column == list(SCALES).index("p_mean")


def test_kratzert_is_a_z_score_that_needs_no_attribute():
    q = discharge()
    scaler = TargetScaler.fit("kratzert2019", q, torch.zeros(3, 0), {})
    expected = (q.numpy() - np.nanmean(q)) / np.nanstd(q)
    np.testing.assert_allclose(scaler.scale(q, torch.zeros(3, 0)).numpy(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("recipe", ["feng2020", "kratzert2019"])
def test_unscaling_undoes_scaling(recipe):
    q = discharge()
    scaler = TargetScaler.fit(recipe, q, ATTRIBUTES, SCALES)
    back = scaler.unscale(scaler.scale(q, ATTRIBUTES), ATTRIBUTES)
    torch.testing.assert_close(back, q, rtol=1e-9, atol=1e-12, equal_nan=True)


@given(st.sampled_from(["feng2020", "kratzert2019"]), st.floats(-30, 30))
def test_discharge_is_never_below_zero_and_grows_with_the_target(recipe, value):
    scaler = TargetScaler(recipe, 0.2, 0.7, 1, *SCALES["p_mean"])
    targets = torch.tensor([[value], [value + 0.1]], dtype=torch.float64).expand(2, 3)
    low, high = scaler.unscale(targets, ATTRIBUTES)
    assert (low >= 0).all()
    assert (high >= low).all()


def test_state_is_plain_and_complete():
    scaler = TargetScaler.fit("feng2020", discharge(), ATTRIBUTES, SCALES)
    state = scaler.state()
    assert all(isinstance(value, str | int | float) for value in state.values())
    assert TargetScaler.from_state(state) == scaler


def test_a_constant_target_keeps_its_spread():
    scaler = TargetScaler.fit("kratzert2019", torch.full((10, 3), 2.0), ATTRIBUTES, SCALES)
    assert (scaler.mean, scaler.std) == (2.0, 1.0)


def test_feng_without_precipitation_says_what_to_do():
    with pytest.raises(DataError, match=r"needs the attribute p_mean or clim_p_mean, got aridity; add one of them"):
        TargetScaler.fit("feng2020", discharge(), ATTRIBUTES[:, :1], {"aridity": (1.0, 0.5)})


def test_nothing_observed_is_an_error():
    with pytest.raises(DataError, match="needs observed discharge"):
        TargetScaler.fit("kratzert2019", torch.full((10, 3), torch.nan), ATTRIBUTES, SCALES)
