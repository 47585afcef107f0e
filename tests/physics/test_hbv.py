import subprocess
import sys

import pytest

from studyhub.physics.hbv import HBV


def test_parameters_are_those_of_the_paper():
    assert HBV.parameter_names == ("BETA", "FC", "K0", "K1", "K2", "LP", "PERC", "UZL", "TT", "CFMAX", "CFR", "CWH", "BETAET")
    assert HBV.variant(capillary_rise=True).parameter_names == (*HBV.parameter_names, "C", "NDC")
    assert {p.name: (p.low, p.high) for p in HBV.parameters}["K2"] == (0.001, 0.2)
    assert HBV.forcing == ("prcp", "tmean", "pet")


def test_capillary_rise_only_moves_water_between_stores():
    flux = HBV.variant(capillary_rise=True).flux("capillary_rise")
    assert (flux.source, flux.sink) == ("LZ", "SM")


def test_a_flux_that_uses_what_no_table_has_is_refused():
    from dataclasses import replace

    from studyhub.physics.structure import Flux

    def evaporation(SM, WIND):
        return SM * WIND

    with pytest.raises(AssertionError, match="WIND"):
        replace(HBV, fluxes=(*HBV.fluxes, Flux(evaporation, "SM", None)))


def test_tables_are_read_without_torch():
    code = "import sys; from studyhub.physics.hbv import HBV; assert HBV.parameters; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
