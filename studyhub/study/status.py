"""How far a study is: its cells by state, and why any of them failed, diverged or must run again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studyhub.study.cells import Cell
from studyhub.study.store import STATES, Store


@dataclass(frozen=True)
class Trouble:
    """A cell that has not finished as it should, and why, in one line."""

    arm: str
    fold: int
    seed: int
    trial: str
    state: str
    cause: str


@dataclass(frozen=True)
class Status:
    """``counts`` holds the number of cells by state, the states in the order of ``STATES``; those with no cell are left out."""

    study: str
    counts: dict[str, int]
    troubles: tuple[Trouble, ...]


def status(store: Store, name: str) -> Status:
    """Look at every cell of a study as it was last launched."""
    cells = store.read_study(name).cells
    states = [store.state(cell.trial) for cell in cells]
    counts = Counter(states)
    troubles = [_trouble(store, cell, state) for cell, state in zip(cells, states, strict=True)]
    return Status(name, {state: counts[state] for state in STATES if counts[state]}, tuple(filter(None, troubles)))


def _trouble(store: Store, cell: Cell, state: str) -> Trouble | None:
    match state:
        case "failed":
            cause = (store.failure(cell.trial) or {}).get("cause")
        case "diverged":
            cause = (store.result(cell.trial) or {}).get("cause")
        case _:
            cause = store.damage(cell.trial)
            if cause is None:
                return None
    return Trouble(cell.arm, cell.fold, cell.seed, cell.trial, state, in_words(cause) or "no cause was recorded")


def told(count: Mapping[str, int]) -> str:
    """Counts by state in words.

    >>> told({"failed": 1, "finished": 2})
    '2 finished, 1 failed'
    """
    order = ("finished", *(state for state in STATES if state != "finished"))
    return ", ".join(f"{count[state]} {state}" for state in order if count.get(state))


def in_words(cause: Any) -> str | None:
    """Return a recorded cause as one line; None stays None.

    >>> in_words({"basin": "01013500", "store": "SM", "day": "1990-05-01"})
    'basin 01013500, store SM, day 1990-05-01'
    """
    if isinstance(cause, dict):
        return ", ".join(f"{key} {value}" for key, value in cause.items())
    return None if cause is None else str(cause)
