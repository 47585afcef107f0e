import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conformance import ReaderCase
from servers import s3

from studyhub.catalog import ATTRIBUTE_SETS
from studyhub.data import synthetic
from studyhub.data.composites import begins, sums
from studyhub.data.record import UNITS, day_of_year
from studyhub.data.synthetic import RANGES, VirtualBasins, build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.errors import DataError

SETTINGS = SyntheticSettings(basins=10, years=3, seed=4)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(SETTINGS, tmp_path_factory.mktemp("world") / "shards")


def test_what_a_plan_knows_before_the_world_is_built(world):
    assert world.basins == SETTINGS.names == tuple(f"syn-{i:03d}" for i in range(1, 11))
    assert world.period == SETTINGS.period and str(SETTINGS.period) == "1985-10-01..1988-09-30"
    assert set(world.variables) == set(UNITS)
    assert SETTINGS.variables == world.variables and SETTINGS.attribute_names == world.attribute_names
    assert set(world.attribute_names) == {*ATTRIBUTE_SETS["table_a1"], *ATTRIBUTE_SETS["climate"]}
    assert world.hash(world.basins[:3], ("prcp", "qobs")) == SETTINGS.hash(SETTINGS.names[:3], ("qobs", "prcp"))


def test_settings_have_their_own_hash():
    others = [replace(SETTINGS, **change) for change in ({"basins": 11}, {"years": 4}, {"seed": 5}, {"noise": 0.1}, {"gaps": 0.0})]
    assert len({settings.identity for settings in [SETTINGS, *others]}) == 6
    assert str(SyntheticSettings().period) == "1985-10-01..1995-09-30" and SyntheticSettings().basins == 40


@pytest.mark.parametrize("wrong", [{"basins": 0}, {"years": 0}, {"seed": -1}, {"noise": -0.1}, {"gaps": 0.9}])
def test_impossible_settings(wrong):
    with pytest.raises(DataError, match="got"):
        SyntheticSettings(**wrong)


def test_five_climates_on_several_continents(world):
    facts = world.manifest.metadata.values()
    assert {fact["climate_group"] for fact in facts} == {"tropical", "arid", "temperate", "cold", "polar"}
    assert len({fact["continent"] for fact in facts}) >= 4


def test_the_truth_is_kept(world):
    truth = world.truth()
    assert set(truth.series) == {"q_true", "et_true", "baseflow_true"} and truth.attribute_names == tuple(RANGES)
    assert all(np.isfinite(values).all() and (values >= 0).all() for values in truth.series.values())
    one = world.truth((SETTINGS.names[7],), ("et_true",))
    np.testing.assert_array_equal(one.series["et_true"][0], truth.series["et_true"][7])
    np.testing.assert_array_equal(one.attributes[0], truth.attributes[7])


def test_water_is_neither_made_nor_lost(world):
    """Precipitation = discharge + evapotranspiration but for what the stores took up or gave: a small part over the years."""
    prcp = world.read(variables=("prcp",)).series["prcp"].sum(axis=1)
    truth = world.truth()
    left = prcp - truth.series["q_true"].sum(axis=1) - truth.series["et_true"].sum(axis=1)
    assert (np.abs(left) < 0.2 * prcp + 100).all()
    pet = world.read(variables=("pet",)).series["pet"]
    assert (truth.series["et_true"] <= pet + 1e-4).all()


def test_observations_are_the_truth_with_noise_and_gaps(world):
    qobs, true = world.read(variables=("qobs",)).series["qobs"], world.truth().series["q_true"]
    missing = np.isnan(qobs).mean(axis=1)
    assert missing.max() <= SETTINGS.gaps + 1e-3 and 0 < (missing > 0).sum() < len(missing)
    seen = np.isfinite(qobs) & (true > 1e-6)
    error = np.log(qobs[seen] / true[seen])
    assert error.std() == pytest.approx(SETTINGS.noise, rel=0.05) and abs(error.mean()) < 0.005
    gaps = [len(run) for row in np.isnan(qobs) for run in "".join("x" if day else " " for day in row).split()]
    assert np.mean(gaps) > 5


def test_a_satellite_sees_sums_of_eight_days(world):
    record, et = world.read(variables=("et_obs", "swe_obs")), world.truth().series["et_true"]
    seen = record.series["et_obs"]
    first = np.isfinite(seen)
    assert set(day_of_year(record.dates[first.any(axis=0)]) % 8) == {1}
    assert 0.75 < first[:, begins(record.dates)].mean() < 0.95  # clouds
    true = sums(et.astype(float), record.dates)
    assert np.corrcoef(seen[first], true[first])[0, 1] > 0.95
    assert np.nansum(seen[first]) == pytest.approx(np.nansum(true[first]), rel=0.02)
    snow = record.series["swe_obs"]
    groups = [facts["climate_group"] for facts in world.manifest.metadata.values()]
    assert all((row.max() == 0) == (group == "tropical") for row, group in zip(snow, groups, strict=True) if group in ("tropical", "polar"))


def test_virtual_basins_are_of_good_quality(world):
    flagged = {check: counts["flagged"] for check, counts in world.manifest.quality.items() if counts["flagged"]}
    assert flagged == {"short_record": 10}


def test_a_basin_does_not_depend_on_how_many_others_there_are(world):
    alone = VirtualBasins(SyntheticSettings(basins=5, years=3, seed=4)).read(("syn-005", "syn-002"))
    for row, basin in zip((4, 1), alone, strict=True):
        record = world.read(SETTINGS.names[row : row + 1])
        for name, values in basin.series.items():
            np.testing.assert_array_equal(np.asarray(values, dtype=np.float32), record.series[name][0], err_msg=name)
        np.testing.assert_array_equal(list(basin.attributes.values()), record.attributes[0, : len(basin.attributes)])


def test_a_world_is_built_once(world):
    folder = Path(world.manifest.folder)
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert build(SETTINGS, folder).manifest == world.manifest
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="does not exist yet is required"):
        build(SyntheticSettings(basins=1, years=1), folder)


def test_a_world_that_another_launch_has_made_meanwhile_is_taken(world, tmp_path, monkeypatch):
    given = synthetic.write

    def slower(folder, basins, **options):
        def drawn():
            yield from basins
            shutil.copytree(world.manifest.folder, folder)

        return given(folder, drawn(), **options)

    monkeypatch.setattr(synthetic, "write", slower)
    built = build(SETTINGS, tmp_path / "world")
    built.require_unaltered()
    assert built.hash(built.basins, built.variables) == world.hash(world.basins, world.variables)
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def changed_low_flow(world, monkeypatch):
    """Low flow (mean of the lowest 30 % of days) without capillary rise over that with it, per basin."""
    given = synthetic.hidden_parameters
    monkeypatch.setattr(synthetic, "hidden_parameters", lambda *args: given(*args) | {"C": 0.0})
    without = np.stack([basin.truth["q_true"] for basin in VirtualBasins(SETTINGS).read(SETTINGS.names)])
    low = [np.sort(q, axis=1)[:, : q.shape[1] * 3 // 10].mean(axis=1) for q in (without, world.truth().series["q_true"])]
    return low[0] / low[1]


def test_capillary_rise_matters_for_low_flow_in_a_fair_share_of_basins(world, monkeypatch):
    ratio = changed_low_flow(world, monkeypatch)
    assert (ratio > 1.1).mean() >= 0.3 and (ratio > 0.99).all()


def test_the_solution_is_tight(world, monkeypatch):
    monkeypatch.setattr(synthetic, "STEPS_PER_DAY", 4 * synthetic.STEPS_PER_DAY)
    finer = np.stack([basin.truth["q_true"] for basin in VirtualBasins(SETTINGS).read(SETTINGS.names)])
    assert np.abs(finer - world.truth().series["q_true"]).max() < 5e-4


class TestVirtualBasins(ReaderCase):
    @pytest.fixture
    def source(self):
        return VirtualBasins(SyntheticSettings(basins=4, years=2, seed=4))


def test_a_world_in_an_object_store(world, monkeypatch):
    with s3(monkeypatch) as bucket:
        there = build(SETTINGS, f"{bucket}/worlds/one")
        assert there.manifest.folder == f"{bucket}/worlds/one"
        np.testing.assert_array_equal(there.read().series["qobs"], world.read().series["qobs"])
        monkeypatch.setattr(synthetic, "write", lambda *_, **__: pytest.fail("made twice"))
        assert build(SETTINGS, f"{bucket}/worlds/one").basins == world.basins
