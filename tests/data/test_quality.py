"""Every check against the fault that it is for, planted into a series that passes all of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studyhub.catalog import FORCINGS
from studyhub.data.quality import SCHEMA, check, summary, table
from studyhub.data.quality_checks import CHECKS
from studyhub.data.record import UNITS, Basin
from studyhub.data.weather import Climate, place, weather

START = date(1980, 10, 1)
DAYS = 25 * 365
MILD = Climate("Europe", 48, 2, 180, 11, 7.5, 900, 0.1, 330, 0.45, 8, 0.95)
rng = np.random.default_rng


def discharge(forcing: dict[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
    """Snow, a soil of 150 mm and two linear stores, mm/d: discharge enough like a river's."""
    snow, soil, fast, slow, q = 0.0, 75.0, 0.0, 20.0, np.zeros(len(noise))
    for t, (p, temperature, pet) in enumerate(zip(*(forcing[name].tolist() for name in ("prcp", "tmean", "pet")), strict=True)):
        melt = min(snow, max(3 * temperature, 0.0))
        rain = p if temperature > 0 else 0.0
        snow += p - rain - melt
        excess = (rain + melt) * (soil / 150) ** 2
        soil += rain + melt - excess
        soil -= min(soil, pet * min(soil / 100, 1.0))
        over = max(soil - 150, 0.0)
        soil -= over
        fast += 0.5 * (excess + over)
        slow += 0.5 * (excess + over)
        q[t] = 0.3 * fast + 0.02 * slow
        fast, slow = 0.7 * fast, 0.98 * slow
    return q * np.exp(0.03 * noise)


def clean(seed: int = 0, climate: Climate = MILD, days: int = DAYS) -> Basin:
    generator = rng(seed)
    dates = np.datetime64(START) + np.arange(days)
    forcing = weather(climate, dates, generator)
    return Basin(
        f"clean-{seed}", START, forcing | {"qobs": discharge(forcing, generator.normal(size=days))}, {}, {"gauge_lat": climate.latitude}
    )


CLEAN = clean()


def flagged(basin: Basin, years: float = 5) -> set[str]:
    return {finding.check for finding in check(basin, years=years) if finding.verdict == "flagged"}


def finding(basin: Basin, name: str, variable: str | None = None):
    return next(f for f in check(basin) if f.check == name and variable in (None, f.variable))


def with_series(**changes: Callable[[np.ndarray], np.ndarray]) -> Basin:
    return replace(CLEAN, series={name: changes[name](v.copy()) if name in changes else v for name, v in CLEAN.series.items()})


def put(days: slice | list[int], value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[days] = value
        return values

    return change


def times(factor: float, days: slice = slice(None)) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[days] *= factor
        return values

    return change


def plus(shift: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: values + shift


def fahrenheit(values: np.ndarray) -> np.ndarray:
    return values * 9 / 5 + 32


def lone_day(rain: np.ndarray) -> int:
    """A day without rain for days around."""
    return next(t for t in range(200, DAYS) if rain[t - 5 : t + 5].sum() == 0)


DRY = lone_day(CLEAN.series["prcp"])
PEAK = int(np.argmax(CLEAN.series["qobs"]))
HALF = slice(DAYS // 2, None)
BALANCE = {"runoff_ratio", "budyko_factor"}

# fault -> the basin, and all checks that it sets off
FAULTS = {
    "doubled days": (replace(CLEAN, met={"doubled_days": 2}), {"doubled_days"}),
    "missing days": (replace(CLEAN, met={"missing_days": 1}), {"absent_days"}),
    "unsorted days": (replace(CLEAN, met={"unsorted_days": 1}), {"unsorted_days"}),
    "4 of 25 years": (with_series(qobs=put(slice(0, 21 * 365), np.nan)), {"short_record", "missing_discharge"}),
    "11 % of days without discharge": (with_series(qobs=put([t for t in range(DAYS) if t % 9 == 0], np.nan)), {"missing_discharge"}),
    "a gap of 400 days": (with_series(qobs=put(slice(3000, 3400), np.nan)), {"discharge_gap"}),
    "a day without tmax": (with_series(tmax=put([77], np.nan)), {"missing_forcing"}),
    "-999 as discharge": (with_series(qobs=put([500, 501], -999.0)), {"negative_discharge"}),
    "a negative day mended": (replace(CLEAN, met={"negative_qobs": 1}), {"negative_discharge"}),
    "-999 as precipitation": (with_series(prcp=put([500], -999.0)), {"negative_forcing"}),
    "-99 as PET": (with_series(pet=put([500], -99.0)), {"negative_forcing"}),
    "a gauge stuck for 31 days": (with_series(qobs=put(slice(1000, 1031), 0.7)), {"stuck_discharge"}),
    "missing written as 0": (with_series(qobs=put(slice(PEAK + 1, PEAK + 20), 0.0)), {"sudden_zeros"}),
    "a digit too many": (with_series(qobs=put([DRY], 60.0)), {"spikes"}),
    "temperature stuck for 40 days": (with_series(tmean=put(slice(50, 90), 4.0)), {"stuck_forcing"}),
    "precipitation copied for 31 days": (with_series(prcp=put(slice(50, 81), 2.5)), {"stuck_forcing"}),
    "m3/s per km2 taken as mm/d": (with_series(qobs=times(1 / 86.4)), {"budyko_factor"}),
    "mm/d taken as m3/s per km2": (with_series(qobs=times(86.4)), BALANCE),
    "ft3/s taken as m3/s": (with_series(qobs=times(35.31)), BALANCE),
    "discharge in inch": (with_series(qobs=times(1 / 25.4)), {"budyko_factor"}),
    "m3/s taken as l/s": (with_series(qobs=times(0.001)), {"budyko_factor"}),
    "the area 4 times too small": (with_series(qobs=times(4.0)), {"runoff_ratio"}),
    "precipitation in m": (with_series(prcp=times(0.001)), BALANCE | {"rain_low"}),
    "precipitation in inch": (with_series(prcp=times(1 / 25.4)), BALANCE),
    "precipitation in tenths": (with_series(prcp=times(10.0)), {"loss_over_pet", "budyko_factor", "rain_high"}),
    "a gauge moved": (with_series(qobs=times(1.8, HALF)), {"discharge_break"}),
    "temperature in K": (with_series(tmean=plus(273.15), tmin=plus(273.15), tmax=plus(273.15)), {"hot"}),
    "temperature in degF": (with_series(tmean=fahrenheit, tmin=fahrenheit, tmax=fahrenheit), {"hot"}),
    "temperature in tenths": (with_series(tmean=times(10.0), tmin=times(10.0), tmax=times(10.0)), {"hot", "frigid"}),
    "273.15 taken off twice": (with_series(tmean=plus(-273.15), tmin=plus(-273.15), tmax=plus(-273.15)), {"frigid"}),
    "tmin and tmax changed about": (
        with_series(tmin=lambda _: CLEAN.series["tmax"].copy(), tmax=lambda _: CLEAN.series["tmin"].copy()),
        {"crossed_temperatures"},
    ),
    "PET in tenths": (with_series(pet=times(10.0)), {"pet_high"}),
    "PET in m": (with_series(pet=times(0.001)), {"pet_low", "loss_over_pet"}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_sets_off_its_checks_and_no_others(fault):
    basin, due = FAULTS[fault]
    assert flagged(basin) == due


def test_every_check_has_its_fault():
    assert set().union(*(due for _, due in FAULTS.values())) == set(CHECKS)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_clean_series_passes_everything(seed):
    findings = check(clean(seed))
    assert {f.verdict for f in findings} == {"passed"}


@pytest.mark.parametrize("region", range(20))
def test_clean_series_of_every_climate(region):
    assert flagged(clean(region, place(region, rng(region)), days=20 * 365)) == set()


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.09))
@settings(max_examples=10, deadline=None)
def test_scattered_gaps_of_discharge_set_nothing_off(seed, share):
    gone = rng(seed).random(DAYS) < share
    assert flagged(with_series(qobs=lambda q: np.where(gone, np.nan, q))) == set()


def test_what_rivers_do_is_no_fault():
    """Rivers that run dry for months or most of the time, weeks of equal trickle, a winter estimated under ice, a flood after rain."""
    day = np.arange(DAYS) % 365
    assert flagged(with_series(qobs=lambda q: q * np.interp(day, [0, 200, 260, 330, 350], [1, 1, 0, 0, 1]))) == set()
    assert flagged(with_series(qobs=lambda q: np.where(day < 220, 0.0, 2 * q))) == set()
    assert flagged(with_series(qobs=put(slice(1000, 1060), 0.004))) == set()
    frost = slice(1000, 1090)
    assert flagged(with_series(qobs=put(frost, 0.5), tmean=lambda t: put(frost, 0.0)(t) - (t == 0) * rng(0).random(DAYS))) == set()
    assert flagged(with_series(qobs=put([DRY], 60.0), prcp=put([DRY - 1], 40.0))) == set()


def test_values_are_in_the_units_of_the_table_and_notes_name_days():
    gap = finding(FAULTS["a gap of 400 days"][0], "discharge_gap")
    assert (gap.value, gap.unit, gap.note) == (400, "d", "1988-12-18..1990-01-21")
    stuck = finding(FAULTS["a gauge stuck for 31 days"][0], "stuck_discharge")
    assert (stuck.value, stuck.note) == (31, "0.7 on 1983-06-28..1983-07-28")
    share = finding(with_series(qobs=put(slice(0, DAYS // 5), np.nan)), "missing_discharge")
    assert (share.value, share.unit) == (pytest.approx(20, abs=0.01), "%")
    hot = finding(FAULTS["temperature in K"][0], "hot", "tmax")
    assert hot.value == pytest.approx(CLEAN.series["tmax"].max() + 273.15)
    missing = finding(with_series(vp=put([3, 9, 10, 20, 30], np.nan)), "missing_forcing", "vp")
    assert (missing.value, missing.note) == (5, "1980-10-04, 1980-10-10..1980-10-11, 1980-10-21 and 1 more")
    moved = finding(FAULTS["a gauge moved"][0], "discharge_break")
    assert moved.value == pytest.approx(1.8, rel=0.15) and "more discharge" in moved.note
    assert str(START.year + DAYS // 365 // 2) in moved.note or str(START.year + DAYS // 365 // 2 + 1) in moved.note


@pytest.mark.parametrize(
    ("factor", "suspect"), [(86.4, "86.4 ("), (1 / 86.4, "86.4 ("), (35.31, "35.31 ("), (1 / 25.4, "25.4 ("), (0.001, "1000 (")]
)
def test_the_note_names_the_suspected_slip(factor, suspect):
    found = finding(with_series(qobs=times(factor)), "budyko_factor")
    assert suspect in found.note and ("above" if factor > 1 else "below") in found.note


def test_water_years_begin_in_autumn_on_both_hemispheres():
    """25 years from 1 October hold 25 water years of the north (the last lacks six leap days), 24 of the south."""
    north = finding(CLEAN, "runoff_ratio")
    south = finding(replace(CLEAN, facts={"gauge_lat": -30.0}), "runoff_ratio")
    assert north.note == "25 whole years 1981..2005" and south.note == "24 whole years 1982..2005"


def test_how_many_years_are_asked_for():
    assert flagged(CLEAN, years=24) == set() and flagged(CLEAN, years=26) == {"short_record"}
    assert finding(clean(days=3 * 365), "short_record").threshold == 5
    assert flagged(clean(days=3 * 365)) == {"short_record"}


def test_another_unit_is_not_checked():
    found = [f for f in check(CLEAN, UNITS | {"qobs": "m3/s"}) if f.variable == "qobs"]
    assert {f.verdict for f in found} == {"not checked"} and found[0].note == "qobs is in m3/s, mm/d is required"


def test_what_a_basin_lacks_is_not_checked_or_not_asked():
    bare = replace(CLEAN, series={name: CLEAN.series[name] for name in ("prcp", "tmean")})
    found = check(bare)
    assert {f.check for f in found} == set(CHECKS)
    assert finding(bare, "spikes").note == "no qobs" and finding(bare, "pet_high").verdict == "not checked"
    assert [f.variable for f in found if f.check == "missing_forcing"] == ["prcp", "tmean"]
    assert all((f.value is None) == (f.verdict == "not checked") for f in found)


def test_short_series_have_no_balance_and_no_break():
    found = {f.check: f.verdict for f in check(clean(days=800))}
    assert {name for name, verdict in found.items() if verdict == "not checked"} == BALANCE | {"loss_over_pet", "discharge_break"}


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 400, 2000])
@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0, -1.0, np.inf])
def test_odd_series_are_judged_without_a_warning(length, value):
    basin = Basin("odd", START, {name: np.full(length, value, dtype=np.float32) for name in (*FORCINGS, "qobs")}, {}, {})
    assert {f.check for f in check(basin)} == set(CHECKS)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_holes_anywhere_are_judged_without_a_warning(seed, missing, zero):
    generator = rng(seed)

    def spoilt(values: np.ndarray) -> np.ndarray:
        holes = np.where(generator.random(DAYS) < missing, generator.choice([np.nan, np.inf, -np.inf]), values)
        return np.where(generator.random(DAYS) < zero, 0.0, holes)

    for found in check(with_series(**dict.fromkeys(CLEAN.series, spoilt))):
        assert found.value is None or np.isfinite(found.value)


def test_findings_are_the_same_for_float32_as_shards_hold_it():
    rounded = replace(CLEAN, series={name: values.astype(np.float32) for name, values in CLEAN.series.items()})
    assert [(f.check, f.variable, f.verdict) for f in check(rounded)] == [(f.check, f.variable, f.verdict) for f in check(CLEAN)]


def test_checking_changes_nothing():
    before = {name: values.copy() for name, values in CLEAN.series.items()}
    check(CLEAN)
    for name, values in before.items():
        np.testing.assert_array_equal(values, CLEAN.series[name])


def test_summary_counts_basins():
    hot, bare = FAULTS["temperature in K"][0], replace(CLEAN, name="b", series={"prcp": CLEAN.series["prcp"]})
    counts = summary([*check(hot), *check(replace(CLEAN, name="c")), *check(bare)])
    assert list(counts) == list(CHECKS)
    assert counts["hot"] == {"flagged": 1, "passed": 1, "not checked": 1}
    assert counts["missing_forcing"] == {"flagged": 0, "passed": 3, "not checked": 0}
    assert summary([])["hot"] == {"flagged": 0, "passed": 0, "not checked": 0}


def test_table():
    found = check(replace(CLEAN, series={"qobs": CLEAN.series["qobs"]}))
    rows = table(found)
    assert rows.schema == SCHEMA and rows.schema.names == "basin check variable value unit threshold verdict note".split()
    assert rows.num_rows == len(found) and rows["value"].null_count == sum(f.value is None for f in found) > 0
    assert rows.slice(0, 1).to_pylist()[0]["check"] == "doubled_days"
    assert table([]).schema == SCHEMA


@pytest.mark.parametrize("name", CHECKS)
def test_the_table_of_checks_can_be_read(name):
    asked = CHECKS[name]
    assert asked.name == name and asked.meaning and asked.unit and asked.applies


def test_real_basins_mostly_pass(real_camels):
    """Nine basins as they were published; their gaps are the only flags."""
    for path in sorted(real_camels.glob("basin_mean_forcing/daymet/*/*.txt"))[::6]:
        lines = path.read_text().split("\n")
        prcp, tmax, tmin = np.loadtxt(lines[4:], usecols=(5, 8, 9), unpack=True)
        gauge = next(real_camels.glob(f"usgs_streamflow/*/{path.name[:8]}_streamflow_qc.txt"))
        day, cfs = np.loadtxt(gauge, usecols=(1, 2, 3), dtype=str), np.loadtxt(gauge, usecols=4)
        at = (np.array(["-".join(parts) for parts in day], dtype="datetime64[D]") - np.datetime64("1980-01-01")).astype(int)
        qobs = np.full(len(prcp), np.nan)
        qobs[at] = np.where(cfs == -999, np.nan, cfs * 0.0283168 * 86_400_000 / float(lines[2]))
        series = {"prcp": prcp, "tmin": tmin, "tmax": tmax, "tmean": (tmin + tmax) / 2, "qobs": qobs}
        basin = Basin(path.name[:8], date(1980, 1, 1), series, {}, {"gauge_lat": float(lines[0])})
        assert flagged(basin) <= {"missing_discharge", "discharge_gap"}
