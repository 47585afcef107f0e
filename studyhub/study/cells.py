"""The table that ties a study to its trials."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One arm, in one fold, with one seed: the trial that answers it, and the trial whose weights that one starts from, if any.

    Folds are counted from 1. Until a search has chosen the arm's configuration, or its parent's, the trial's id is a placeholder.
    """

    arm: str
    fold: int
    seed: int
    trial: str
    parent: str | None = None
