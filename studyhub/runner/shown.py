"""A run as a tracker has it, beside the trial that it stands for."""

from dataclasses import dataclass

from studyhub.runner.members import MEANINGLESS, Member
from studyhub.runner.runs import Run
from studyhub.study.leases import ENDS

STATUS = {"finished": "FINISHED", "diverged": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "running": "RUNNING"}
SHORT, SHARE = 10_000, 0.1  # a run's length may err by so much: ms, and part of it


@dataclass
class Counts:
    """What a look at all runs of a study did."""

    made: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0


@dataclass
class Shown:
    """A run as MLflow has it.

    ``losses`` holds the epochs it has, None while nobody has asked; ``seen`` is what it was, and what the store said, when it was last up
    to date.
    """

    id: str
    status: str
    begun: int
    params: dict[str, str]
    tags: dict[str, str]
    losses: dict[int, float | None] | None = None
    seen: tuple[Member, str, int] | None = None

    def is_settled(self, member: Member) -> bool:
        """Tell whether it holds all that there will ever be."""
        return self.seen is not None and self.seen[0] == member and self.seen[1] in ENDS

    def ended_as(self, run: Run) -> bool:
        """Tell whether it holds all epochs and the end of this attempt. The status is written last."""
        attempt = self.tags.get("state"), self.tags.get("attempt")
        return run.state != "running" and self.status == STATUS[run.state] and attempt == (run.state, str(run.attempt))

    def contradicts(self, run: Run) -> bool:
        """Tell whether it holds what MLflow cannot change: other parameters, another end, or a begin that makes it last much longer."""
        if any(run.params.get(key, value if value == MEANINGLESS else None) != value for key, value in self.params.items()):
            return True
        if self.status == "FINISHED" and not self.ended_as(run):
            return True
        return run.state in ENDS and abs(self.begun - run.begun) > max(SHORT, SHARE * ((run.ended or 0) - run.begun))
