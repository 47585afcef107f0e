"""Quantities that no model was trained on: baseflow, evapotranspiration, snow and signatures. Table 2 of Song et al. (2024)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS, SIGNATURES
from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.contents import medians, metric_column
from studyhub.report.figures import Quantity
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, decimals, frame, significant, whole
from studyhub.study.arms import Arm

OF_ET = tuple(name for name, metric in METRICS.items() if metric.of == "et")
OF_SNOW = tuple(name for name, metric in METRICS.items() if metric.of == "swe")
BFI = Quantity("bfi", "Baseflow index, simulated and observed", "baseflow index", "", "bfi", "bfi_obs")
ET = Quantity("et", "Mean annual evapotranspiration, simulated and observed", "ET", "mm/yr", "et_mean", "et_mean_obs")
FEWEST = 3  # basins of which a correlation is told


def section(results: Results, means: pd.DataFrame) -> Section:
    """Empty where no trial has left anything of the kind."""
    signatures = results.signatures()
    if signatures.empty and not _judged(results, (*OF_ET, *OF_SNOW)):
        return Section("untrained", "Beyond discharge")
    drawn = [Later(figures.scatter, signatures, results.arms, of, told) for of, told in ((BFI, BFI_TOLD), (ET, ET_TOLD))]
    correlations, errors = _signatures(results, signatures)
    return Section(
        "untrained",
        "Beyond discharge",
        (physics(results, means, signatures),),
        drawings=tuple(drawn),
        folded=(correlations, errors) if len(correlations.data) else (),
    )


BFI_TOLD = (
    "Simulated: outflow of the lower zone over all outflow where the model has such a zone, else by the Lyne-Hollick filter, by which the "
    "observed one is made too where the data set brings none."
)
ET_TOLD = "Over the satellite's composites that were observed; the satellite's own values are estimates too."


def physics(results: Results, means: pd.DataFrame, signatures: pd.DataFrame) -> Table:
    """Dynamic parameters, how far baseflow is right in space, and evapotranspiration and snow in time: Table 2."""
    shown = [*_judged(results, OF_ET), *_judged(results, OF_SNOW)]
    columns = (
        Column("arm", "arm"),
        Column("dynamic", "dynamic parameters"),
        Column("bfi_r", "BFI, r over basins\u00a0↑", "", decimals(2)),
        Column("bfi_bias", "BFI, median error", "", decimals(2)),
        Column("bfi_basins", "basins with BFI", "", whole),
        *map(metric_column, shown),
        *((Column("et_r_space", "mean annual ET, r over basins\u00a0↑", "", decimals(2)),) if "et_mean" in signatures else ()),
        *((Column("et_basins", "basins with ET", "", whole),) if _judged(results, OF_ET) else ()),
        *((Column("swe_basins", "basins with SWE", "", whole),) if _judged(results, OF_SNOW) else ()),
    )
    found = medians(means).to_dict("index")
    rows = []
    for arm in results.spec.arms:
        own = signatures.loc[signatures["arm"] == arm.name] if len(signatures) else signatures
        bfi, et = _pairs(own, "bfi"), _pairs(own, "et_mean")
        row = {"arm": arm.name, "dynamic": _dynamic(arm) if isinstance(arm, Arm) else None}
        row |= {"bfi_r": _r(bfi), "bfi_bias": _error(bfi), "bfi_basins": len(bfi[0]) or None, "et_r_space": _r(et)}
        if known := found.get(arm.name):
            row |= {name: known[name] for name in shown} | {f"{of}_basins": known[f"{of}_nse_basins"] for of in ("et", "swe")}
        rows.append(row)
    caption = (
        "What the models were never told. BFI: share of baseflow in discharge, Pearson correlation over basins with the observed one. "
        "ET and snow (SWE): medians over the basins that have such observations; ET is compared as sums over the satellite's composites."
    )
    return Table("untrained", "Baseflow, evapotranspiration and snow", caption, columns, frame(rows, columns))


def _dynamic(arm: Arm) -> str:
    return (", ".join(arm.model.dynamic) or "none") if arm.model.kind == "dpl" else "no water balance"


def _judged(results: Results, metrics: Sequence[str]) -> list[str]:
    """Those of some metrics that any trial has."""
    return [name for name in metrics if not np.isnan(results.scores[name].to_numpy("float64")).all()]


def _pairs(own: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Simulated and observed values of the basins that have both."""
    if name not in own:
        return np.array([]), np.array([])
    simulated, observed = own[name].to_numpy("float64"), own[f"{name}_obs"].to_numpy("float64")
    keep = np.isfinite(simulated) & np.isfinite(observed)
    return simulated[keep], observed[keep]


def _r(pairs: tuple[np.ndarray, np.ndarray]) -> float | None:
    """Pearson's correlation over basins; None where it is not defined."""
    simulated, observed = pairs
    if len(simulated) < FEWEST or not np.ptp(simulated) or not np.ptp(observed):
        return None
    return float(np.corrcoef(simulated, observed)[0, 1])


def _error(pairs: tuple[np.ndarray, np.ndarray]) -> float | None:
    return float(np.median(pairs[0] - pairs[1])) if len(pairs[0]) else None


def _signatures(results: Results, signatures: pd.DataFrame) -> tuple[Table, Table]:
    """Correlation over basins and median error of every signature, a row for each arm."""
    there = [name for name in SIGNATURES if name in signatures and np.isfinite(signatures[name].to_numpy("float64")).any()]
    known = [SIGNATURES[name] for name in there]
    correlated = (Column("arm", "arm"), *(Column(one.name, one.label, "", decimals(2)) for one in known))
    wrong = (Column("arm", "arm"), *(Column(one.name, one.label, one.unit.strip("-"), significant(2)) for one in known))
    pairs = [(arm, {name: _pairs(own, name) for name in there}) for arm, own in _by_arm(signatures)]
    r = [{"arm": arm} | {name: _r(pair) for name, pair in of.items()} for arm, of in pairs]
    errors = [{"arm": arm} | {name: _error(pair) for name, pair in of.items()} for arm, of in pairs]
    means = "; ".join(f"{one.label}: {one.meaning}" for one in known)
    made = "Pearson correlation over basins of simulated and observed signatures, of the test period's days that have both."
    return (
        Table("signatures", "Signatures: correlation over basins", f"{made} {means}.", correlated, frame(r, correlated)),
        Table("signature_errors", "Signatures: median error", "Median over basins, simulated less observed.", wrong, frame(errors, wrong)),
    )


def _by_arm(signatures: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(arm), own) for arm, own in signatures.groupby("arm", sort=False)] if len(signatures) else []
