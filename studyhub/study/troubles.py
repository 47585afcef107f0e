"""What went wrong with trials: one by one, and grouped by the kind of fault with the last lines of a log."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studyhub.study.leases import attempt_name
from studyhub.study.standing import Standing

LOG = "log.txt"
LAST_LINES, LONGEST_LINE = 8, 300
TAIL_BYTES = 8192
# What failure.json calls the kinds of fault, in words and in the order in which they are told.
KINDS = {
    "memory": "out of memory",
    "disk": "disk full or not writable",
    "data": "data",
    "worker": "killed or lost",
    "loss": "loss not a number",
    "code": "code",
    "diverged": "diverged",
}


@dataclass(frozen=True)
class Trouble:
    """A cell, or a training of a search, that has not finished as it should, and why, in one line.

    ``kind`` is one of ``KINDS``; None for a result that was damaged and will be made again. ``number`` is that of the training in its arm's
    search, which has no seed of the study's.
    """

    arm: str
    fold: int
    seed: int | None
    trial: str
    state: str
    cause: str
    kind: str | None = None
    number: int | None = None


@dataclass(frozen=True)
class Group:
    """Troubles of one kind.

    Parameters
    ----------
    kind : one of ``KINDS``
    called : the kind in words
    count : how many there are
    causes : each cause with how often it came, the most frequent first
    example : one of them
    lines : the last ones of its log
    """

    kind: str
    called: str
    count: int
    causes: tuple[tuple[str, int], ...]
    example: Trouble
    lines: tuple[str, ...]


def cause(standing: Standing) -> str | None:
    """Why a trial has diverged or failed, or must be run again; None where nothing is wrong."""
    said = standing.result.get("cause") if standing.result else standing.failure.get("cause") or standing.damage
    return in_words(said)


def kind(standing: Standing) -> str | None:
    """What kind of fault it was: one of ``KINDS``; None for a trial that has neither failed nor diverged."""
    if standing.state == "failed":
        said = standing.failure.get("kind")
        return said if said in KINDS else "code"
    return "diverged" if standing.state == "diverged" else None


def groups(troubles: Iterable[tuple[Trouble, Path, int]]) -> tuple[Group, ...]:
    """Group troubles by their kind.

    Parameters
    ----------
    troubles : each with its trial's folder and the number of its attempt
    """
    found: dict[str, list[tuple[Trouble, Path, int]]] = {name: [] for name in KINDS}
    for trouble, folder, attempt in troubles:
        if trouble.kind is not None:
            found[trouble.kind].append((trouble, folder, attempt))
    return tuple(_group(name, every) for name, every in found.items() if every)


def _group(name: str, every: list[tuple[Trouble, Path, int]]) -> Group:
    counts = Counter(trouble.cause for trouble, _, _ in every)
    example, folder, attempt = next(item for item in every if item[0].cause == counts.most_common(1)[0][0])
    return Group(name, KINDS[name], len(every), tuple(counts.most_common()), example, last_lines(folder, attempt))


def last_lines(folder: Path, attempt: int) -> tuple[str, ...]:
    """Return the last lines of a trial's log. An attempt that only records the death of a worker has none: then those of the one before."""
    for number in range(attempt, 0, -1):
        try:
            with (folder / attempt_name(number) / LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
                lines = [line for line in file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines() if not line.endswith("^^^")]
        except OSError:
            continue
        return tuple(line[:LONGEST_LINE] for line in lines[-LAST_LINES:])
    return ()


def in_words(cause: Any) -> str | None:
    """Return a recorded cause as one line; None stays None.

    >>> in_words({"basin": "01013500", "store": "SM", "day": "1990-05-01"})
    'basin 01013500, store SM, day 1990-05-01'
    """
    if isinstance(cause, dict):
        return ", ".join(f"{key} {value}" for key, value in cause.items())
    return None if cause is None else str(cause)
