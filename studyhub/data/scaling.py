"""Scales of what networks see, from training basins and training days only."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studyhub.data.record import Record
from studyhub.study.settings import Period

BASINS_AT_ONCE = 64  # bounds memory: they are taken in double precision
LEAST_STD = 1e-3  # below it a z-score would blow up what hardly varies


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of what the networks see, from training basins and training days only.

    Variables in ``logged`` go through log10(sqrt(x) + 0.1) first. A standard deviation below 1e-3 counts as 1. A missing attribute is 0
    after scaling.

    Parameters
    ----------
    forcing, attributes : name -> (mean, standard deviation)
    logged : variables whose logarithm is scaled
    """

    forcing: Mapping[str, tuple[float, float]]
    attributes: Mapping[str, tuple[float, float]]
    logged: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        parts: Record | Iterable[Record],
        period: Period,
        basins: Sequence[str],
        forcing: Sequence[str],
        attributes: Sequence[str],
        logged: Sequence[str] = (),
    ) -> "Scaler":
        """Statistics over ``basins`` in ``period`` of the named variables and attributes.

        Parameters
        ----------
        parts : records that together hold the basins, each in one of them; how they are cut up, and in which order, does not change a bit
        """
        logged, wanted = tuple(name for name in logged if name in forcing), set(basins)
        moments: dict[str, list[np.ndarray]] = {name: [] for name in forcing}
        known: list[np.ndarray] = []
        for part in (parts,) if isinstance(parts, Record) else parts:
            within, chosen = part.during(period), tuple(basin for basin in part.basins if basin in wanted)
            for first in range(0, len(chosen), BASINS_AT_ONCE):
                seen = within.select(chosen[first : first + BASINS_AT_ONCE])
                for name in forcing:
                    moments[name].append(_moments(_transformed(seen.variable(name).astype(np.float64), name in logged)))
                known.append(seen.attribute(tuple(attributes)))
        values = np.concatenate(known) if known else np.empty((0, len(attributes)))
        return cls(
            {name: _together(np.concatenate(each, axis=1)) for name, each in moments.items()},
            {name: _together(_moments(values[:, [column]])) for column, name in enumerate(attributes)},
            logged,
        )

    def scale_forcing(self, record: Record, names: Sequence[str]) -> np.ndarray:
        """Scaled forcing, float32 [basin, time, len(names)]."""
        x = np.empty((len(record.basins), len(record.dates), len(names)), dtype=np.float32)
        for i, name in enumerate(names):
            mean, std = self.forcing[name]
            x[:, :, i] = (_transformed(record.variable(name), name in self.logged) - mean) / std
        return x

    def scale_attributes(self, record: Record) -> np.ndarray:
        """Scaled attributes, float32 [basin, attribute], 0 where missing."""
        values = record.attribute(tuple(self.attributes))
        mean, std = np.array(list(self.attributes.values())).reshape(-1, 2).T
        return np.nan_to_num((values - mean) / std, nan=0.0).astype(np.float32)

    def state(self) -> dict[str, list]:
        """Plain lists that `from_state` takes back."""
        tables = {"forcing": self.forcing, "attributes": self.attributes}
        names = {key: list(table) for key, table in tables.items()}
        scales = {f"{key}_scale": [list(pair) for pair in table.values()] for key, table in tables.items()}
        return names | scales | {"logged": list(self.logged)}

    @classmethod
    def from_state(cls, state: Mapping[str, Sequence[Any]]) -> "Scaler":
        def table(key: str) -> dict[str, tuple[float, float]]:
            pairs = zip(state[key], state[f"{key}_scale"], strict=True)
            return {str(name): (float(mean), float(std)) for name, (mean, std) in pairs}

        return cls(table("forcing"), table("attributes"), tuple(str(name) for name in state["logged"]))


def _transformed(values: np.ndarray, logged: bool) -> np.ndarray:
    return np.log10(np.sqrt(np.maximum(values, 0.0)) + 0.1) if logged else values


def _moments(values: np.ndarray) -> np.ndarray:
    """Count, mean and sum of squared deviations of what is not missing in each row of [row, value], as [3, row]."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    mean = np.where(there, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(there, values - mean[:, None], 0.0)
    return np.stack([count, mean, (squares**2).sum(axis=1)])


def _together(moments: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of all rows; (0, 1) where nothing is there."""
    count, mean, squares = moments
    total = math.fsum(count)
    if not total:
        return 0.0, 1.0
    overall = math.fsum(count * mean) / total  # exact sums: the order of the basins does not matter
    std = math.sqrt(math.fsum(squares + count * (mean - overall) ** 2) / total)
    return overall, std if std >= LEAST_STD else 1.0
