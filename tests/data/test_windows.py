import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studyhub.data import scaling
from studyhub.data.record import Record, days
from studyhub.data.scaling import Scaler
from studyhub.data.windows import Inputs, Sampler, _windows, epoch_length
from studyhub.errors import DataError
from studyhub.study.settings import Period

WHOLE = Period(date(2000, 1, 1), date(2001, 12, 31))
TRAIN = Period(date(2000, 1, 1), date(2000, 12, 31))
FORCING, ATTRIBUTES = ("prcp", "tmean"), ("slope", "area", "flat")


@pytest.fixture
def record() -> Record:
    rng = np.random.default_rng(0)
    shape = (4, WHOLE.days)
    series = {
        "prcp": rng.gamma(0.5, 4, shape),
        "tmean": 10 + 8 * rng.normal(size=shape),
        "pet": rng.random(shape),
        "qobs": np.where(rng.random(shape) < 0.1, np.nan, rng.random(shape)),
    }
    attributes = np.column_stack([[1.0, 2, 3, np.nan], [10.0, 20, 30, 400], [0.5, 0.5, 0.5, 0.5]])
    return Record(tuple("abcd"), days(WHOLE), {k: v.astype(np.float32) for k, v in series.items()}, attributes, ATTRIBUTES)


def fitted(record, basins=("a", "b", "c")):
    return Scaler.fit(record, TRAIN, basins, FORCING, ATTRIBUTES, logged=("prcp",))


def test_statistics_by_hand(record):
    scaler = fitted(record)
    rain = np.log10(np.sqrt(record.series["prcp"][:3, :366].astype(float)) + 0.1)
    assert scaler.forcing["prcp"] == pytest.approx((rain.mean(), rain.std()))
    tmean = record.series["tmean"][:3, :366]
    assert scaler.forcing["tmean"] == pytest.approx((tmean.mean(), tmean.std()), rel=1e-5)
    assert scaler.attributes["slope"] == pytest.approx((2, np.sqrt(2 / 3)))
    assert scaler.attributes["flat"] == (0.5, 1.0)  # what does not vary is only centred
    record.attributes[:, 2] += [0, 1e-4, 0, 0]
    assert fitted(record).attributes["flat"][1] == 1.0  # nor what hardly does


def test_never_sees_other_days_or_basins(record):
    spoilt = replace(record, series={name: values.copy() for name, values in record.series.items()}, attributes=record.attributes.copy())
    for name in FORCING:
        spoilt.series[name][:, 366:] = 1e6
        spoilt.series[name][3] = np.nan
    spoilt.attributes[3] = -1e6
    assert fitted(spoilt) == fitted(record)
    assert fitted(spoilt, ("a", "d")) != fitted(record, ("a", "d"))


@given(order=st.permutations("abcdefghi"), cuts=st.sets(st.integers(1, 8)), at_once=st.integers(1, 9))
def test_how_basins_are_cut_up_and_ordered_does_not_change_a_bit(order, cuts, at_once):
    rng = np.random.default_rng(3)
    rain = rng.gamma(0.5, 4, (9, WHOLE.days)).astype(np.float32)
    rain[rng.random(rain.shape) < 0.1] = np.nan
    attributes = rng.lognormal(0, 3, (9, 2))
    attributes[2, 1] = np.nan
    record = Record(tuple("abcdefghi"), days(WHOLE), {"prcp": rain}, attributes, ("slope", "area"))
    edges = [0, *sorted(cuts), 9]
    parts = [record.select(tuple(order[first:last])) for first, last in zip(edges, edges[1:], strict=False)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, "BASINS_AT_ONCE", at_once)
        found = Scaler.fit(iter(parts), TRAIN, tuple("abcdefgh"), ("prcp",), ("slope", "area"))
    assert found == Scaler.fit(record, TRAIN, tuple("abcdefgh"), ("prcp",), ("slope", "area"))


def test_scaled_values(record):
    scaler = fitted(record)
    x = scaler.scale_forcing(record, FORCING)
    assert x.shape == (4, WHOLE.days, 2) and x.dtype == np.float32
    assert abs(x[:3, :366].mean()) < 1e-4 and x[:3, :366].std() == pytest.approx(1, abs=1e-3)
    attributes = scaler.scale_attributes(record)
    assert attributes[3, 0] == 0  # missing
    np.testing.assert_allclose(attributes[:3, 0], [-1.2247449, 0, 1.2247449], rtol=1e-6)
    np.testing.assert_array_equal(attributes[:, 2], 0)


def test_an_attribute_missing_everywhere_is_zero(record):
    record.attributes[:, 0] = np.nan
    scaler = fitted(record)
    assert scaler.attributes["slope"] == (0, 1)
    np.testing.assert_array_equal(scaler.scale_attributes(record)[:, 0], 0)


def test_no_attributes_at_all(record):
    scaler = Scaler.fit(record, TRAIN, ("a",), FORCING, ())
    assert scaler.scale_attributes(record).shape == (4, 0)


def test_state_survives_json_and_arrays(record):
    scaler = fitted(record)
    assert Scaler.from_state(json.loads(json.dumps(scaler.state()))) == scaler
    assert Scaler.from_state({name: np.array(values) for name, values in scaler.state().items()}) == scaler


def test_inputs(record):
    inputs = Inputs.build(record, fitted(record), ("tmean",), ("prcp", "tmean", "pet"), "cpu", torch.float64)
    assert inputs.x.shape == (WHOLE.days, 4, 1) and inputs.x.dtype == torch.float64
    np.testing.assert_array_equal(inputs.forcing[:, 2, 2], record.series["pet"][2])
    np.testing.assert_array_equal(inputs.q.T, record.series["qobs"].astype(np.float64))
    assert Inputs.build(record, fitted(record), FORCING).forcing is None
    part = Inputs.build(record.during(TRAIN), fitted(record), FORCING, ("prcp", "pet"))  # days of a basin lie together in memory
    assert all(values.transpose(0, 1).is_contiguous() for values in (part.x, part.forcing, part.q))


def test_missing_forcing_is_named_and_missing_discharge_is_not(record):
    record.series["pet"][1, 59] = np.nan
    Inputs.build(record, fitted(record), FORCING)
    with pytest.raises(DataError, match="basin b has no pet on 2000-02-29"):
        Inputs.build(record, fitted(record), FORCING, ("prcp", "tmean", "pet"))


def sampler(record, *, warmup=30, window=60, batch=3, updates=None, seed=0):
    inputs = Inputs.build(record, fitted(record), FORCING, ("prcp", "pet"))
    return Sampler(inputs, warmup, window, batch, updates, torch.Generator().manual_seed(seed))


def test_a_batch_holds_windows_of_the_inputs(record):
    draws = sampler(record)
    for _ in range(20):
        batch = draws.draw()
        assert (batch.x.shape, batch.q.shape, batch.forcing.shape, batch.attributes.shape) == ((90, 3, 2), (60, 3), (90, 3, 2), (3, 3))
        for i, basin in enumerate(batch.basin.tolist()):
            own = draws.inputs.forcing[:, basin, 0]
            begin = next(t for t in range(len(own) - 89) if torch.equal(own[t : t + 90], batch.forcing[:, i, 0]))
            assert torch.equal(batch.x[:, i], draws.inputs.x[begin : begin + 90, basin])
            torch.testing.assert_close(batch.q[:, i], draws.inputs.q[begin + 30 : begin + 90, basin], rtol=0, atol=0, equal_nan=True)
            assert torch.equal(batch.attributes[i], draws.inputs.attributes[basin])


shapes = {"basins": st.integers(1, 5), "warmup": st.integers(0, 6), "window": st.integers(1, 6), "spare": st.integers(0, 5)}


@given(
    **shapes, width=st.integers(1, 3), dtype=st.sampled_from([torch.float32, torch.float64]), views=st.booleans(), seed=st.integers(0, 99)
)
def test_windows_are_what_slices_are_from_the_first_day_to_the_last(basins, warmup, window, spare, width, dtype, views, seed):
    days = warmup + window + spare
    x = torch.arange(days * basins * width).to(dtype).view(basins, days, width).transpose(0, 1)
    x = x if views else x.contiguous()  # however it lies in memory
    draws = Sampler(Inputs(x, torch.empty(basins, 0), x, x[..., 0]), warmup, window, 4, 1, torch.Generator().manual_seed(seed))
    begins = set()
    for _ in range(30):
        batch = draws.draw()
        for i, (basin, begin) in enumerate(zip(batch.basin.tolist(), batch.begin.tolist(), strict=True)):
            assert torch.equal(batch.x[:, i], x[begin : begin + warmup + window, basin]) and torch.equal(batch.forcing[:, i], batch.x[:, i])
            assert torch.equal(batch.q[:, i], x[begin + warmup : begin + warmup + window, basin, 0]) and batch.q.dtype == dtype
        begins.update(batch.begin.tolist())
    assert begins <= set(range(spare + 1))
    ends = torch.tensor([0, basins - 1]), torch.tensor([spare, spare])
    assert torch.equal(_windows(x, *ends, days - spare), x[spare:, ends[0]])


def test_every_window_and_basin_can_be_drawn(record):
    part = record.during(Period(date(2000, 1, 1), date(2000, 1, 12)))
    inputs = Inputs.build(part, fitted(record), ("tmean",))
    draws = Sampler(inputs, 4, 6, 4, 1, torch.Generator().manual_seed(1))
    batches = [draws.draw() for _ in range(60)]
    seen = {(float(x), int(basin)) for batch in batches for x, basin in zip(batch.x[-1, :, 0], batch.basin, strict=True)}
    assert seen == {(float(inputs.x[t, basin, 0]), basin) for t in (9, 10, 11) for basin in range(4)}


def test_one_seed_one_sequence(record):
    first, again, other = sampler(record, seed=5), sampler(record, seed=5), sampler(record, seed=6)
    same = [torch.equal(first.draw().x, again.draw().x) for _ in range(3)]
    assert all(same) and not torch.equal(first.draw().x, other.draw().x)


def test_one_day_windows(record):
    batch = sampler(record, warmup=89, window=1).draw()
    assert batch.x.shape == (90, 3, 2) and batch.q.shape == (1, 3)


def test_batch_is_at_most_the_basins_and_updates_at_least_one(record):
    assert sampler(record, batch=100).batch == 4
    assert sampler(record, batch=100, warmup=30, window=700).updates_per_epoch == 1
    assert sampler(record, updates=7).updates_per_epoch == 7


def test_updates_per_epoch_of_the_paper():
    """431 for 671 basins over 15 years, batches of 100 and one year."""
    assert epoch_length(batch=100, window=365, basins=671, days=5479, warmup=365) == 431
    assert epoch_length(batch=50, window=365, basins=50, days=731, warmup=365) == 1


def test_too_short_a_period(record):
    with pytest.raises(DataError, match=r"30 warm-up \+ 702 scored days, got 4 basins and 731 days"):
        sampler(record, window=702)


def test_only_logged_variables_go_through_the_logarithm(record):
    record.series["prcp"][0, :366] = np.linspace(0, 100, 366)
    plain, logged = (Scaler.fit(record, TRAIN, ("a",), ("prcp",), (), names) for names in ((), ("prcp", "snow")))
    assert logged.logged == ("prcp",)
    x = plain.scale_forcing(record, ("prcp",))[0, :366, 0]
    np.testing.assert_allclose(np.diff(x, 2), 0, atol=1e-5)  # a straight line stays straight
    y = logged.scale_forcing(record, ("prcp",))[0, :366, 0] * logged.forcing["prcp"][1] + logged.forcing["prcp"][0]
    np.testing.assert_allclose(y, np.log10(np.sqrt(np.linspace(0, 100, 366)) + 0.1), atol=1e-5)
    record.series["prcp"][0, 0] = -1e-7  # as reanalyses have it: counts as none
    np.testing.assert_allclose(logged.scale_forcing(record, ("prcp",))[0, 0, 0], (-1 - y.mean()) / y.std(), rtol=1e-4)
