"""How a trial stands, from one look at its folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studyhub.study.files import read_json
from studyhub.study.leases import FAILURE, STOPPED, attempt_name, is_live, latest, number_of, read_result, usable_result

# "blocked" is a cell whose trial waits for its parent; a trial itself knows nothing of that.
STATES = ("pending", "blocked", "running", "finished", "diverged", "failed", "stopped")
NO_ROOM = "there was no room on the disk to say why"


@dataclass(frozen=True)
class Standing:
    """How a trial stands.

    Parameters
    ----------
    state : one of ``STATES``, though never "blocked"
    attempt : number of the attempt that gave the result; without a result, of the latest one; 0 where there was none
    result : what its result.json says; empty unless it has finished or diverged
    failure : what the attempt failed of; empty unless the state is "failed"
    damage : what is wrong with a result that cannot be used, and so will be made again
    """

    state: str
    attempt: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] = field(default_factory=dict)
    damage: str | None = None


def look(folder: Path, now: Callable[[], float] | None = None) -> Standing:
    """Look at a trial's folder, which need not exist.

    Parameters
    ----------
    now : the time on that filesystem, for those who look at many trials
    """
    damage = None
    try:
        result = read_result(folder)
        if result is not None:
            return Standing(result["state"], number_of(result["attempt"]), result)
    except ValueError as error:
        damage = f"{error}; the trial counts as not finished and will run again"
    number = latest(folder)
    if number == 0:
        return Standing("pending", damage=damage)
    attempt = folder / attempt_name(number)
    try:
        failure = read_json(attempt / FAILURE)
    except ValueError as error:
        failure = {"cause": str(error)} if (attempt / FAILURE).stat().st_size else {"cause": NO_ROOM, "kind": "disk"}
    if failure is not None:
        return Standing("failed", number, failure=failure, damage=damage)
    if (attempt / STOPPED).exists():
        return Standing("stopped", number, damage=damage)
    if is_live(folder, number, now):
        return Standing("running", number, damage=damage)
    # A process that is dead now may have finished since the first look.
    result = usable_result(folder)
    return Standing("stopped", number, damage=damage) if result is None else Standing(result["state"], number_of(result["attempt"]), result)
