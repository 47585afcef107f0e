"""How far a study is: its cells by state, what runs where, how long it will take, and why any failed, diverged or must run again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studyhub.errors import StoreError
from studyhub.study.cells import Cell
from studyhub.study.files import now_on
from studyhub.study.launches import Launch, launches
from studyhub.study.leases import ENDS
from studyhub.study.names import TRIAL
from studyhub.study.running import Member, Pace, Running, end_of, pace, running, seconds_left
from studyhub.study.standing import STATES, Standing
from studyhub.study.store import Store
from studyhub.study.troubles import Group, Trouble, cause, groups, in_words, kind
from studyhub.study.wording import nearest

__all__ = ["SearchProgress", "Status", "Trouble", "cause", "cell_states", "failed_trials", "in_words", "look", "status", "told", "tried"]


@dataclass(frozen=True)
class SearchProgress:
    """How far the search of one arm in one fold is.

    Parameters
    ----------
    ended, running : trainings, of ``budget`` (None: not said)
    chosen : the configuration it has chosen; None before it is done, and where none could be
    note : what else there is to know of it
    """

    arm: str
    fold: int
    done: bool
    ended: int
    running: int
    budget: int | None
    chosen: Mapping[str, Any] | None
    note: str | None = None


@dataclass(frozen=True)
class Status:
    """A study as it stands.

    Parameters
    ----------
    counts : number of cells by state, the states in the order of ``STATES``; those with no cell are left out
    troubles : cells and trainings of searches that have not finished as they should
    failures : the same, grouped by what went wrong
    running : trials that run, those of searches too
    pace : how fast it went in the last hour
    seconds_left : until all is done, with as many trials running as now; None where nothing runs, or nothing tells
    searches : how far each search is
    launches : launches of this study that live
    """

    study: str
    counts: dict[str, int]
    troubles: tuple[Trouble, ...]
    failures: tuple[Group, ...]
    running: tuple[Running, ...]
    pace: Pace
    seconds_left: float | None
    searches: tuple[SearchProgress, ...]
    launches: tuple[Launch, ...]

    @property
    def open(self) -> int:
        """Cells that are still to be run, or run just now."""
        return sum(self.counts.get(state, 0) for state in ("pending", "blocked", "running", "stopped"))


def status(store: Store, name: str) -> Status:
    """Look at every cell of a study as it was last launched, and at every training of its searches."""
    cells, entries = store.read_study(name).cells, store.searches(name)
    searched = tried(entries)
    stands = store.look_at([*_trials_of(cells), *(member.trial for member in searched)])
    states = _states(cells, stands)
    # Several cells may share a trial, as a search may with them: it is one trial that runs.
    members = {member.trial: member for member in (*searched, *(Member(c.arm, c.fold, c.seed, c.trial) for c in reversed(cells)))}
    places = {trial: (member, store.trial_folder(trial), stands[trial]) for trial, member in members.items()}
    now = now_on(store.home / "store" / "trials")
    runs = tuple(running(*place) for place in places.values() if place[2].state == "running")
    ends = [(member.arm, end) for member, folder, standing in places.values() if (end := end_of(folder, standing)) is not None]
    open_cells = [cell.arm for cell, state in zip(cells, states, strict=True) if state in ("pending", "blocked", "stopped")]
    searches = tuple(_progress(entry, stands) for entry in entries)
    waiting = open_cells + [one.arm for one in searches if not one.done for _ in range((one.budget or 0) - one.ended - one.running)]
    finished = [(arm, seconds) for arm, (_, seconds) in ends]
    troubles = _troubles(cells, states, stands, searched)
    counts = Counter(states)
    return Status(
        study=name,
        counts={state: counts[state] for state in STATES if counts[state]},
        troubles=troubles,
        failures=groups((trouble, store.trial_folder(trouble.trial), stands[trouble.trial].attempt) for trouble in troubles),
        running=runs,
        pace=pace((end for _, end in ends), runs, now),
        seconds_left=seconds_left(waiting, finished, runs, now),
        searches=searches,
        launches=launches(store.study_folder(name)),
    )


def look(store: Store, cells: Sequence[Cell]) -> list[tuple[str, Standing]]:
    """State of each cell, "blocked" where it waits for its parent, and how its trial stands."""
    stands = store.look_at(_trials_of(cells))
    return [(state, stands[cell.trial]) for cell, state in zip(cells, _states(cells, stands), strict=True)]


def cell_states(store: Store, cells: Sequence[Cell]) -> list[str]:
    """State of each cell: one of ``STATES``."""
    return [state for state, _ in look(store, cells)]


def failed_trials(store: Store, name: str, arm: str | None = None) -> tuple[str, ...]:
    """Trials of a study that have failed, in the order of its cells; of one arm where one is named. Divergence is a result, no failure.

    Raises
    ------
    StoreError
        there is no such study, or no such arm in it
    """
    cells = store.read_study(name).cells
    arms = dict.fromkeys(cell.arm for cell in cells)
    if arm is not None and arm not in arms:
        raise StoreError(f"study {name} has no arm {arm!r}; {nearest(arm, arms)}")
    chosen = [cell for cell in cells if arm in (None, cell.arm)]
    states = zip(chosen, cell_states(store, chosen), strict=True)
    return tuple(dict.fromkeys(cell.trial for cell, state in states if state == "failed"))


def _trials_of(cells: Iterable[Cell]) -> list[str]:
    return [trial for cell in cells for trial in (cell.trial, cell.parent) if trial is not None]


def _states(cells: Iterable[Cell], stands: Mapping[str, Standing]) -> list[str]:
    return ["blocked" if _is_blocked(cell, stands) else stands[cell.trial].state for cell in cells]


def _is_blocked(cell: Cell, stands: Mapping[str, Standing]) -> bool:
    return stands[cell.trial].state == "pending" and cell.parent is not None and stands[cell.parent].state != "finished"


def tried(entries: Iterable[Mapping[str, Any]]) -> list[Member]:
    """Trainings of searches. An entry that is no such thing is left out: it may be half of a newer version's."""
    found = []
    for entry in entries:
        for said in entry.get("trials") or ():
            trial, number = said.get("trial"), said.get("number")
            if isinstance(trial, str) and TRIAL.fullmatch(trial):
                found.append(Member(str(entry.get("arm")), int(entry.get("fold") or 1), None, trial, number))
    return found


def _progress(entry: Mapping[str, Any], stands: Mapping[str, Standing]) -> SearchProgress:
    done, states = bool(entry.get("done")), [stands[member.trial].state for member in tried([entry])]
    # A training that was stopped at a rung may go on: it has ended only once the search has.
    ended = len(states) if done else sum(state in (*ENDS, "failed") for state in states)
    budget = entry.get("budget")
    return SearchProgress(
        str(entry.get("arm")),
        int(entry.get("fold") or 1),
        done,
        ended,
        0 if done else states.count("running"),
        budget if isinstance(budget, int) else None,
        entry.get("chosen"),
        entry.get("note"),
    )


def _troubles(
    cells: Iterable[Cell], states: Iterable[str], stands: Mapping[str, Standing], searched: Iterable[Member]
) -> tuple[Trouble, ...]:
    of_cells = [(Member(cell.arm, cell.fold, cell.seed, cell.trial), state) for cell, state in zip(cells, states, strict=True)]
    found = []
    for member, state in (*of_cells, *((member, stands[member.trial].state) for member in searched)):
        standing = stands[member.trial]
        if state in ("failed", "diverged") or standing.damage is not None:
            why = cause(standing) or "no cause was recorded"
            place = (member.arm, member.fold, member.seed, member.trial)
            found.append(Trouble(*place, state, why, kind(standing), member.number))
    return tuple(found)


def told(count: Mapping[str, int]) -> str:
    """Counts by state in words.

    >>> told({"failed": 1, "finished": 2})
    '2 finished, 1 failed'
    """
    order = ("finished", *(state for state in STATES if state != "finished"))
    return ", ".join(f"{count[state]} {state}" for state in order if count.get(state))
