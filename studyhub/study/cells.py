"""The table that ties a study to its trials."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One arm, in one fold, with one seed: the trial that answers it. Folds are counted from 1."""

    arm: str
    fold: int
    seed: int
    trial: str
