import numpy as np
import pytest

from studyhub.catalog import ATTRIBUTE_SETS
from studyhub.data.landscape import CODES, PREDICTORS, RULES, hidden_parameters, land
from studyhub.data.weather import REGIONS
from studyhub.physics.hbv import HBV
from studyhub.physics.routing import ROUTE_A, ROUTE_B

PHYSICS = HBV.variant(capillary_rise=True)
RANGES = {p.name: (p.low, p.high) for p in (*PHYSICS.parameters, ROUTE_A, ROUTE_B)}
CLIMATE = dict(zip(ATTRIBUTE_SETS["table_a1"][:9], [3.0, 2.5, 0.1, 0.2, 0.83, 20.0, 1.2, 240.0, 4.0], strict=True))


def basins(count=60):
    return [CLIMATE | land(REGIONS[i % 20], CLIMATE, np.random.default_rng(i)) for i in range(count)]


def test_table_a1_and_nothing_else():
    assert all(tuple(basin) == ATTRIBUTE_SETS["table_a1"] for basin in basins(3))


def test_attributes_are_possible():
    for basin in basins():
        assert basin["sand_frac"] + basin["silt_frac"] + basin["clay_frac"] == pytest.approx(100)
        for name in ("frac_forest", "gvf_max", "carbonate_rocks_frac", "geol_porostiy", "soil_porosity", "dom_land_cover_frac"):
            assert 0 <= basin[name] <= 1, name
        assert basin["glim_1st_class_frac"] + basin["glim_2nd_class_frac"] <= 1
        assert all(0 <= basin[name] < len(names) and basin[name] == int(basin[name]) for name, names in CODES.items())
        assert basin["geol_1st_class"] != basin["geol_2nd_class"]
        assert min(basin[name] for name in ("area_gages2", "slope_mean", "lai_max", "lai_diff", "root_depth_50")) > 0


def test_every_parameter_has_a_rule_and_lies_in_its_range():
    assert set(RULES) == set(RANGES)
    assert {part for rule in RULES.values() for key in rule.weights for part in key.split("*")} <= set(PREDICTORS)
    for basin in basins():
        assert all(low < hidden_parameters(basin, RANGES)[name] < high for name, (low, high) in RANGES.items())


def test_parameters_differ_between_basins():
    table = np.array([list(hidden_parameters(basin, RANGES).values()) for basin in basins()])
    low, high = np.array(list(RANGES.values())).T
    assert (np.ptp(table, axis=0) / (high - low) > 0.05).all()


@pytest.mark.parametrize("name", ["frac_forest", "slope_mean", "clay_frac", "geol_permeability", "aridity"])
def test_the_map_is_smooth(name):
    """A step half as large changes every parameter half as much: the map has a slope."""
    basin = basins(1)[0]

    def change(step):
        moved = hidden_parameters(basin | {name: basin[name] * (1 + step)}, RANGES)
        return np.array([moved[p] - hidden_parameters(basin, RANGES)[p] for p in RANGES])

    whole, half = change(1e-3), change(5e-4)
    assert np.abs(whole).max() > 0
    np.testing.assert_allclose(whole, 2 * half, rtol=0.01, atol=1e-9)
