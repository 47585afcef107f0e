"""What an engine is given to run: one trial, and how far."""

from dataclasses import dataclass

from studyhub.study.settings import Trial


@dataclass(frozen=True)
class Task:
    """One trial that may be run now.

    Parameters
    ----------
    name : the trial's id
    trial : what it is
    until : the epoch after which it is to be judged and left, to go on from there perhaps another time; None: to its end
    alone : it needs a device for itself, since with others beside it memory did not suffice
    """

    name: str
    trial: Trial
    until: int | None = None
    alone: bool = False
