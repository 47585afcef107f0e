"""HBV's implicit step against a solution that knows HBV: all of it follows from soil moisture, which is found by bisection."""

import numpy as np
import torch
from problems import IMPROVED, extremes, parameters, weather

from studyhub.solvers.march import march


def snow(a, LQ0, CWH, M, F, dt):
    """Snowpack and its liquid water; ``a`` is the snowpack with today's snow, M potential melt and F potential refreezing."""
    limited = a - dt * M >= M
    SP = np.where(limited, a - dt * M, a / (1 + dt))
    b = LQ0 + dt * np.minimum(M, SP)
    LQ = np.where(b <= CWH * SP, b, (b + dt * CWH * SP) / (1 + dt))
    found, violation = np.stack([SP, LQ]), np.where(F > 0, np.inf, -np.inf)
    for all_freezes in (False, True):
        for overflows in (False, True):
            if all_freezes:
                LQ = (LQ0 + dt * CWH * a) / (1 + 2 * dt - dt**2 * CWH) if overflows else LQ0 / (1 + dt)
            else:
                LQ = LQ0 - dt * F
                LQ = (LQ + dt * CWH * (a + dt * F)) / (1 + dt) if overflows else LQ
            SP = a + dt * (LQ if all_freezes else F)
            wrong = np.maximum((LQ - F) * (1 if all_freezes else -1), (CWH * SP - LQ) * (1 if overflows else -1))
            better = wrong < violation
            found, violation = np.where(better, np.stack([SP, LQ]), found), np.where(better, wrong, violation)
    return found


def upper_zone(b, p, dt):
    """UZ + dt (min(PERC, UZ) + K0 max(UZ - UZL, 0) + K1 UZ) = b, which rises from piece to piece."""

    def left(UZ):
        return UZ + dt * (np.minimum(p["PERC"], UZ) + p["K0"] * np.maximum(UZ - p["UZL"], 0) + p["K1"] * UZ)

    full, quick = b >= left(p["PERC"]), b >= left(p["UZL"])
    return (b - dt * p["PERC"] * full + dt * p["K0"] * p["UZL"] * quick) / (1 + dt * (~full + p["K1"] + p["K0"] * quick))


def reference(x, p, stores, dt):
    """Stores [unit, store] after one implicit step."""
    (P, T, EP), (SP0, LQ0, SM0, UZ0, LZ0) = x.T, stores.T
    degrees, FC = p["CFMAX"] * (T - p["TT"]), p["FC"]
    cold = p["TT"] > T
    SP, LQ = snow(SP0 + dt * P * cold, LQ0, p["CWH"], np.maximum(degrees, 0), np.maximum(-p["CFR"] * degrees, 0), dt)
    water = P * ~cold + np.maximum(LQ - p["CWH"] * SP, 0)

    def rest(SM):
        seen = np.maximum(SM, 1e-8)
        below = np.minimum((seen / FC) ** p["BETA"], 1) * water + np.maximum(seen - FC, 0)
        et = np.minimum(np.minimum((seen / (p["LP"] * FC)) ** p["BETAET"], 1) * EP, seen)
        UZ = upper_zone(UZ0 + dt * below, p, dt)
        rise = p["C"] * (1 - np.minimum(seen / (p["NDC"] * FC), 1))
        LZ = (LZ0 + dt * np.minimum(p["PERC"], UZ)) / (1 + dt * (rise + p["K2"]))
        return SM - SM0 - dt * (water - below - et + rise * LZ), UZ, LZ

    low, high = np.zeros_like(SM0), SM0 + LZ0 + dt * (water + p["PERC"])
    for _ in range(120):
        middle = (low + high) / 2
        over = rest(middle)[0] > 0
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    SM = (low + high) / 2
    return np.stack([SP, LQ, SM, *rest(SM)[1:]], axis=-1)


def test_a_day_of_hbv():
    """Ordinary units and the corners of every range. A day that was cut into shorter steps has another root."""
    units = 3000
    rng = np.random.default_rng(11)
    ordinary = (weather(1, units), parameters(IMPROVED, 1, units, 1), torch.tensor(rng.gamma(0.5, 100, (units, 1, 5))))
    for forcing, values, start in (ordinary, extremes(IMPROVED, 1, units, seed=4)):
        with torch.no_grad():
            marched = march(IMPROVED, "implicit", forcing, values, stores=start)
        p = {name: v.detach()[:, 0].numpy() for name, v in values.items()}
        error = np.abs(reference(forcing[0].numpy(), p, start[:, 0].numpy(), 1.0) - marched.stores[:, 0].numpy()).max(-1)
        assert (error > 1e-8).sum() <= marched.report.cut_days <= 6


def test_steps_within_the_day_of_hbv():
    units, steps = 500, 4
    forcing, values = weather(1, units, seed=3), parameters(IMPROVED, 1, units, 1, seed=2)
    start = torch.tensor(np.random.default_rng(12).gamma(0.5, 100, (units, 1, 5)))
    with torch.no_grad():
        marched = march(IMPROVED, "implicit", forcing, values, stores=start, steps_per_day=steps)
    stores, p = start[:, 0].numpy(), {name: v.detach()[:, 0].numpy() for name, v in values.items()}
    for _ in range(steps):
        stores = reference(forcing[0].numpy(), p, stores, 1 / steps)
    np.testing.assert_allclose(marched.stores[:, 0].numpy(), stores, rtol=0, atol=1e-8)
