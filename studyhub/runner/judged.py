"""What a simulation is judged by, and the judgements: of discharge, of what no model is trained on, of how basins behave, of benchmarks."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS, TARGET
from studyhub.data import composites
from studyhub.data.shards import Shards
from studyhub.evaluation import benchmarks, et, metrics, signatures, snow
from studyhub.study.settings import Period

BASEFLOW_INDEX = "baseflow_index"  # attribute of CAMELS, over 1989-10-01 to 2009-09-30
OBSERVED = "_obs"

Values = np.ndarray


@dataclass(frozen=True)
class Observed:
    """What is known of some basins beside discharge in the test period; None where the data do not have it.

    A trial's id does not depend on it: neither is it trained on, nor does it change a score of discharge.

    Parameters
    ----------
    et : [basin, time], mm over a composite on its first day
    swe : [basin, time], mm
    prcp : [basin, time], mm/d
    baseflow_index : [basin]
    earlier : days of the training period, and discharge [basin, day] observed there, mm/d
    """

    et: Values | None = None
    swe: Values | None = None
    prcp: Values | None = None
    baseflow_index: Values | None = None
    earlier: tuple[Values, Values] | None = None

    @classmethod
    def read(cls, shards: Shards, basins: tuple[str, ...], test: Period, train: Period | None = None) -> Self:
        """Read all of it that the shards have; what was observed before the test only where a training period is given."""
        # Precipitation is in memory for most trials, the others are in the files alone.
        beside = [name for name in ("et_obs", "swe_obs") if name in shards.variables]
        series = shards.read(basins, beside, test, ()).series
        if "prcp" in shards.variables:
            series |= shards.read(basins, ("prcp",), test, ()).series
        index = None
        if BASEFLOW_INDEX in shards.attribute_names:
            index = shards.read(basins, (), test, (BASEFLOW_INDEX,)).attributes[:, 0]
        earlier = None if train is None else shards.read(basins, (TARGET,), train, ())
        before = None if earlier is None else (earlier.dates, earlier.variable(TARGET))
        return cls(series.get("et_obs"), series.get("swe_obs"), series.get("prcp"), index, before)


@dataclass(frozen=True)
class Simulated:
    """What a simulation says of the same basins and days, [basin, time] in mm/d; None where it does not.

    Parameters
    ----------
    swe : water in snow at the end of the day, mm
    runoff : discharge before it is routed, to which ``baseflow`` belongs
    """

    qsim: Values
    et: Values | None = None
    swe: Values | None = None
    baseflow: Values | None = None
    runoff: Values | None = None


def scores_of(simulated: Simulated, qobs: Values, dates: Values, observed: Observed) -> dict[str, Values]:
    """All metrics of the catalog and ``days`` (those of discharge), each [basin]; NaN where something to compare is lacking."""
    found = metrics.score(simulated.qsim, qobs)
    if simulated.et is not None and observed.et is not None:
        found |= et.score(*_composites(simulated.et, observed.et, dates)[:2])
    if simulated.swe is not None and observed.swe is not None:
        found |= snow.score(simulated.swe, observed.swe)
    nothing = np.full(len(qobs), np.nan)
    return {name: found.get(name, nothing) for name in (*METRICS, "days")}


def signatures_of(simulated: Simulated, qobs: Values, dates: Values, observed: Observed) -> dict[str, Values]:
    """Signatures of the simulation and, as ``<name>_obs``, of what was observed, each [basin], over the days that have both.

    The baseflow index is the share of the simulated baseflow over all days, where there is any, and the attribute of CAMELS, where there is
    one; else by the filter of Lyne and Hollick.
    """
    there = ~(np.isnan(simulated.qsim) | np.isnan(qobs))
    both = np.where(there, np.concatenate([simulated.qsim[None], qobs[None]]), np.nan)
    prcp = None if observed.prcp is None else np.concatenate([observed.prcp, observed.prcp])
    found = {name: np.split(values, 2) for name, values in signatures.signatures(np.concatenate(both), prcp).items()}
    if simulated.baseflow is not None and simulated.runoff is not None:
        found["bfi"][0] = _share(simulated.baseflow, simulated.runoff)
    if observed.baseflow_index is not None:
        found["bfi"][1] = np.where(np.isnan(observed.baseflow_index), found["bfi"][1], observed.baseflow_index)
    found["et_mean"] = [np.full(len(qobs), np.nan)] * 2
    if simulated.et is not None and observed.et is not None:
        found["et_mean"] = list(et.mean_annual(*_composites(simulated.et, observed.et, dates)))
    return {f"{name}{kind}": values for name, pair in found.items() for kind, values in zip(("", OBSERVED), pair, strict=True)}


def benchmarks_of(basins: tuple[str, ...], qobs: Values, dates: Values, observed: Observed) -> pd.DataFrame | None:
    """Metrics of discharge of the climatology and the mean of earlier observations: basin, benchmark, metrics, days."""
    if observed.earlier is None:
        return None
    days, q = observed.earlier
    seasons = metrics.score(benchmarks.climatology(q, days, dates), qobs)
    mean = metrics.score(benchmarks.mean(q, len(dates)), qobs)
    mean |= dict.fromkeys(("kge", "kge_2012"), benchmarks.kge_of_mean(mean["kge_beta"]))
    parts = [pd.DataFrame({"basin": basins, "benchmark": name} | made) for name, made in (("climatology", seasons), ("mean", mean))]
    return pd.concat(parts, ignore_index=True)


def _composites(simulated: Values, seen: Values, dates: Values) -> tuple[Values, Values, Values]:
    """Sums over composites, simulated and observed [basin, composite], and how long each is, d."""
    first = composites.begins(dates)
    length = composites.sums(np.ones(len(dates)), dates)[first]
    return composites.sums(simulated, dates)[:, first], seen[:, first].astype(np.float64), np.nan_to_num(length)


def _share(part: Values, whole: Values) -> Values:
    with np.errstate(all="ignore"):
        return part.sum(axis=1) / whole.sum(axis=1)
