import pytest
import torch
from problems import IMPROVED, parameters, weather

from studyhub.physics.hbv import HBV
from studyhub.solvers.march import march


@pytest.mark.parametrize("physics", [HBV, IMPROVED], ids=["plain", "capillary rise"])
def test_a_day_is_the_operator_split_update(physics):
    """Written out by hand, in the published order of operations."""
    days = weather(40, 4)
    values = parameters(physics, 1, 4, 3)
    stores = torch.tensor([0.001, 0.001, 0.0, 0.001, 0.001], dtype=torch.float64).expand(4, 3, 5)  # the floor makes soil moisture
    v = {k: x.detach() for k, x in values.items()}
    held = 0
    for day in days:
        with torch.no_grad():
            marched = march(physics, "sequential", day[None], values, outputs=("qsim", "et", "floor"), stores=stores, backend="eager")
        by_hand, discharge, et, made = _day(*(x[:, None].expand(4, 3) for x in day.unbind(-1)), *stores.unbind(-1), v)
        assert torch.equal(marched.stores, by_hand)
        assert torch.equal(marched.outputs["qsim"][0], discharge)
        assert torch.equal(marched.outputs["et"][0], et)
        torch.testing.assert_close(marched.outputs["floor"][0], made, rtol=0, atol=1e-12)
        held += (made > 0).sum()
        stores = marched.stores
    assert held > 0


def _day(P, T, EP, SP, LQ, SM, UZ, LZ, v):
    rain, snow = torch.where(v["TT"] > T, 0.0, P), torch.where(v["TT"] > T, P, 0.0)
    SP = SP + snow
    melt = torch.minimum((v["CFMAX"] * (T - v["TT"])).clamp(min=0), SP)
    SP, LQ = SP - melt, LQ + melt
    frozen = torch.minimum((v["CFR"] * v["CFMAX"] * (v["TT"] - T)).clamp(min=0), LQ)
    LQ, SP = LQ - frozen, SP + frozen
    soaked = (LQ - v["CWH"] * SP).clamp(min=0)
    LQ = LQ - soaked
    recharge = ((SM / v["FC"]) ** v["BETA"]).clamp(max=1) * (rain + soaked)
    SM = SM + rain + soaked - recharge
    excess = (SM - v["FC"]).clamp(min=0)
    SM = SM - excess
    et = torch.minimum(((SM / (v["LP"] * v["FC"])) ** v["BETAET"]).clamp(max=1) * EP, SM)
    SM = SM - et
    made = (1e-5 - SM).clamp(min=0)
    SM = SM.clamp(min=1e-5)
    if "C" in v:
        risen = v["C"] * LZ * (1 - (SM / (v["NDC"] * v["FC"])).clamp(max=1))
        LZ, SM = LZ - risen, SM + risen
        made = made + (1e-5 - SM).clamp(min=0) + (1e-5 - LZ).clamp(min=0)
        SM, LZ = SM.clamp(min=1e-5), LZ.clamp(min=1e-5)
    UZ = UZ + recharge + excess
    perc = torch.minimum(v["PERC"], UZ)
    UZ = UZ - perc
    q0 = v["K0"] * (UZ - v["UZL"]).clamp(min=0)
    UZ = UZ - q0
    q1 = v["K1"] * UZ
    UZ, LZ = UZ - q1, LZ + perc
    q2 = v["K2"] * LZ
    return torch.stack([SP, LQ, SM, UZ, LZ - q2], dim=-1), q0 + q1 + q2, et, made
