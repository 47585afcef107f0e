"""Metrics against programs by others: hydroeval (Hallouin) and HydroErr (Roberts et al. 2018)."""

import HydroErr
import hydroeval
import numpy as np
import pytest

from studyhub.evaluation import metrics


@pytest.fixture(scope="module")
def flows() -> tuple[np.ndarray, np.ndarray]:
    """Five basins of ten years, gaps in either."""
    rng = np.random.default_rng(5)
    obs = np.exp(np.cumsum(rng.normal(0, 0.15, (5, 3650)), axis=1) * 0.2)
    sim = np.roll(obs, 1, axis=1) * rng.lognormal(0.1, 0.3, obs.shape) + 0.02
    obs[rng.random(obs.shape) < 0.05] = np.nan
    sim[1, 100:200] = np.nan
    return sim, obs


def test_efficiencies_and_their_components_are_those_of_hydroeval(flows):
    sim, obs = flows
    ours = metrics.score(sim, obs)
    for basin in range(len(obs)):

        def theirs(function, basin=basin, **options):
            both = np.isfinite(sim[basin])  # it drops what is not observed only
            return hydroeval.evaluator(function, sim[basin, both], obs[basin, both], **options).ravel()

        assert ours["nse"][basin] == pytest.approx(theirs(hydroeval.nse)[0], rel=1e-12)
        kge = [ours[name][basin] for name in ("kge", "kge_r", "kge_alpha", "kge_beta")]
        np.testing.assert_allclose(kge, theirs(hydroeval.kge), rtol=1e-12)
        modified = [ours[name][basin] for name in ("kge_2012", "kge_r", "kge_gamma", "kge_beta")]
        np.testing.assert_allclose(modified, theirs(hydroeval.kgeprime), rtol=1e-12)
        assert ours["rmse"][basin] == pytest.approx(theirs(hydroeval.rmse)[0], rel=1e-12)
        assert ours["bias"][basin] == pytest.approx(-theirs(hydroeval.pbias)[0], rel=1e-9)  # theirs is observed less simulated
        assert ours["log_nse"][basin] == pytest.approx(theirs(hydroeval.nse, transform="log")[0], rel=1e-12)


def test_efficiencies_and_correlation_are_those_of_hydroerr(flows):
    sim, obs = flows
    ours = metrics.score(sim, obs)
    names = {"nse": "nse", "kge": "kge_2009", "kge_2012": "kge_2012", "kge_r": "pearson_r", "rmse": "rmse"}
    for basin in range(len(obs)):
        both = np.isfinite(sim[basin]) & np.isfinite(obs[basin])
        for name, function in names.items():
            theirs = getattr(HydroErr, function)(sim[basin, both], obs[basin, both])
            assert ours[name][basin] == pytest.approx(float(theirs), rel=1e-10), name
