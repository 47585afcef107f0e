"""A simulation from elsewhere becomes a finished trial: paired with the observed days of the test period and scored as a trained one is.

Neither torch nor Ray is needed, and it takes a second: the process that launches a study does it, before anything is trained.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studyhub.catalog import TARGET
from studyhub.data import long_table
from studyhub.data.record import Record
from studyhub.data.shards import Shards
from studyhub.errors import DataError
from studyhub.runner import outputs
from studyhub.runner.judged import Observed, Simulated
from studyhub.study.external import SEED
from studyhub.study.files import writing
from studyhub.study.leases import Lease
from studyhub.study.provenance import provenance
from studyhub.study.settings import External
from studyhub.study.store import Store

WAIT_SECONDS = 0.2
BASINS_AT_ONCE = 128  # bounds memory while they are scored
ABSENT, PARTIAL = "not in the table", "no simulated value on some observed day"


@dataclass(frozen=True)
class Paired:
    """What is to be scored.

    Parameters
    ----------
    record : observed discharge of the test period
    qsim : [basin, time], mm/d; all of a dropped basin's days are NaN
    dropped : reason -> basins that are not scored for it
    renamed : basin -> its name in the table, where that lacks leading zeros
    """

    record: Record
    qsim: np.ndarray
    dropped: dict[str, list[str]]
    renamed: dict[str, str]


def run(name: str, external: External, table: Path, shards: Shards, store: Store) -> dict[str, Any]:
    """Score a simulation and keep the result under the trial's id ``name``; return what its result.json says.

    Raises
    ------
    DataError
        the table cannot be read or holds what no simulation of daily discharge can; no basin can be scored
    """
    begun = time.perf_counter()
    paired = pair(external, table, shards)
    while (result := store.result(name)) is None:
        lease = store.claim(name)
        if lease is None:
            time.sleep(WAIT_SECONDS)  # another launch is at it
        else:
            _keep(lease, external, table, paired, shards, begun)
    return result


def pair(external: External, table: Path, shards: Shards) -> Paired:
    """Read simulated and observed days.

    Arms are compared on the same days: a basin counts only where the table has a value on every day on which discharge was observed.
    """
    record = shards.read(external.test_basins, (TARGET,), external.test, attributes=())
    observed = np.isfinite(record.variable(TARGET))
    if not observed.any():
        count = len(external.test_basins)
        raise DataError(f"observed discharge in the test period {external.test} is required, none of the {count} test basins has any")
    simulated = long_table.read(table, external.columns, external.test_basins, external.test)
    lacking = (observed & np.isnan(simulated.qsim)).sum(axis=1)
    faults = {ABSENT: ~simulated.there, PARTIAL: simulated.there & (lacking > 0)}
    basins = np.array(record.basins)
    dropped = {reason: basins[wrong].tolist() for reason, wrong in faults.items() if wrong.any()}
    out = np.logical_or.reduce(list(faults.values()))
    if not (observed.any(axis=1) & ~out).any():
        days = dict(zip(record.basins, lacking.tolist(), strict=True))
        raise DataError(f"{table}: no basin can be scored in {external.test}; {_unscored(dropped, days)}")
    return Paired(record, np.where(out[:, None], np.nan, simulated.qsim), dropped, simulated.renamed)


def _unscored(dropped: dict[str, list[str]], lacking: dict[str, int]) -> str:
    counts = [f"{reason}: {len(basins)} basins" for reason, basins in dropped.items()]
    counts += [f"of basin {basin}, {lacking[basin]} observed days are lacking" for basin in dropped.get(PARTIAL, [])[:1]]
    return f"{'; '.join(counts)}; choose a test period that the table covers"


def _keep(lease: Lease, external: External, table: Path, paired: Paired, shards: Shards, begun: float) -> None:
    with writing(lease.folder):
        with outputs.Outputs(lease.folder, paired.record.basins) as files:
            for first in range(0, len(paired.record.basins), BASINS_AT_ONCE):
                some = slice(first, first + BASINS_AT_ONCE)
                basins = paired.record.basins[some]
                files.add_days(paired.record.select(basins), Simulated(paired.qsim[some]), Observed.read(shards, basins, external.test))
    lease.finish(
        {
            "state": "finished",
            "cause": None,
            "external": {"file": table.name, "hash": external.table, "columns": asdict(external.columns)},
            "dropped": paired.dropped,
            "renamed": paired.renamed,
            "seconds": time.perf_counter() - begun,
            "seed": SEED,
            "data": external.data,
            "provenance": provenance(device="cpu", dtype="float64"),
        }
    )


def told(result: dict[str, Any], basins: int) -> str:
    """Say in a line what a result of `run` is of."""
    dropped = result["dropped"]
    parts = [f"{basins - sum(map(len, dropped.values()))} of {basins} basins scored", *(f"{len(b)} {why}" for why, b in dropped.items())]
    if result["renamed"]:
        parts.append(f"{len(result['renamed'])} found by their number, for the table's ids lack leading zeros")
    return "; ".join(parts)
