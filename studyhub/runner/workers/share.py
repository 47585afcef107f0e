"""How trials share the nodes of a cluster: processors by what the study says, GPUs by parts or by memory."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studyhub.errors import ResourceError
from studyhub.study.ids import kind_of
from studyhub.study.shape import Resources
from studyhub.study.tasks import Task

# A measured peak is what torch has handed out. Beside that a process holds a CUDA context [GiB], and blocks that torch keeps for later.
CONTEXT, HEADROOM = 0.6, 1.2
# Ray counts a GPU in ten-thousandths.
PARTS = 10_000


@dataclass(frozen=True)
class Node:
    """What one node has.

    Parameters
    ----------
    name : what people call it
    gpu_memory : of each of its GPUs, in GiB; None where nobody can tell
    id : what Ray calls it
    """

    name: str
    cpus: float
    gpus: float = 0.0
    gpu_memory: float | None = None
    id: str = ""


@dataclass(frozen=True)
class Share:
    """What is kept for one trial while it runs."""

    cpus: int
    gpus: float


class Shares:
    """Works out what each trial gets.

    Where the study leaves GPUs to us (``gpus: auto``), a trial gets as much of one as its memory asks for: what the study declares, else
    what a finished trial of the same kind took. Before that is known, equal parts, as many as trials that run at once; and none where
    there are no GPUs.

    Parameters
    ----------
    resources : what the study says of one trial
    trials : how many there are to run
    measured : kind -> memory that trials of it took on a GPU, in MiB

    Raises
    ------
    ResourceError
        No node has what one trial needs: Ray would wait for it for ever.
    """

    def __init__(self, resources: Resources, nodes: Sequence[Node], trials: int, measured: Mapping[str, float] | None = None):
        self.cpus = resources.cpus
        self._measured, self._declared = dict(measured or {}), resources.gpu_memory
        self._given = None if resources.gpus == "auto" else float(resources.gpus)
        self._hosts = _hosts(self.cpus, self._given, nodes)
        self.device = "cuda" if (any(node.gpus for node in self._hosts) if self._given is None else self._given) else "cpu"
        at_once, gpus = min(trials, self.slots), sum(node.gpus for node in self._hosts)
        self._equal = 1 / math.ceil(at_once / gpus) if gpus and at_once else 1.0
        sizes = [node.gpu_memory for node in self._hosts if node.gpu_memory is not None]
        self._memory = min(sizes) if sizes and len(sizes) == len(self._hosts) else None
        if self._declared is not None and self._memory is not None and self._declared > self._memory:
            asked = f"`resources.gpu_memory`: {self._declared:g} GiB per trial are asked for"
            raise ResourceError(f"{asked}, but the smallest GPU has {self._memory:.3g} GiB; lower it")

    @property
    def slots(self) -> int:
        """How many trials the processors can run at once."""
        return sum(int(node.cpus // self.cpus) for node in self._hosts)

    def of(self, task: Task) -> Share:
        """What this trial gets; one that is to run alone gets what keeps others away."""
        if self.device == "cpu":
            return Share(int(max(node.cpus for node in self._hosts)) if task.alone else self.cpus, 0.0)
        if task.alone:
            return Share(self.cpus, max(self._given or 0.0, 1.0))
        return Share(self.cpus, self._by_memory(task) or self._equal if self._given is None else self._given)

    def learn(self, result: Mapping[str, Any]) -> None:
        """Take in what a trial took that has just finished."""
        self._measured = measured([result], self._measured)

    def _by_memory(self, task: Task) -> float | None:
        peak = self._measured.get(kind_of(task.trial))
        need = self._declared if self._declared is not None else None if peak is None else peak / 1024 * HEADROOM + CONTEXT
        if need is None or self._memory is None:
            return None
        return math.floor(PARTS / max(self._memory // need, 1)) / PARTS


def measured(results: Iterable[Mapping[str, Any]], known: Mapping[str, float] | None = None) -> dict[str, float]:
    """Kind -> the most memory [MiB] that a trial of it took on a GPU, from what their result.json say."""
    found = dict(known or {})
    for result in results:
        kind, peak, device = result.get("kind"), result.get("peak_memory_mib"), result.get("provenance", {}).get("device", "cpu")
        if isinstance(kind, str) and isinstance(peak, int | float) and device != "cpu":
            found[kind] = max(found.get(kind, 0.0), float(peak))
    return found


def _hosts(cpus: int, gpus: float | None, nodes: Sequence[Node]) -> list[Node]:
    """Nodes that can run a trial; where GPUs are left to us, those with GPUs if there are any."""
    wide = [node for node in nodes if node.cpus >= cpus]
    if not wide:
        raise ResourceError(f"`resources.cpus`: {cpus} per trial are asked for, but {_had(nodes)}; lower it")
    if gpus is None:
        return [node for node in wide if node.gpus >= 1] or wide
    if gpus > 1 and gpus != int(gpus):
        raise ResourceError(f"`resources.gpus`: a part of one GPU or whole GPUs are required, got {gpus:g}")
    hosts = [node for node in wide if node.gpus >= gpus]
    if not hosts:
        raise ResourceError(f"`resources.gpus`: {gpus:g} per trial are asked for, but {_had(nodes)}; set `gpus: auto` to use what there is")
    return hosts


def _had(nodes: Sequence[Node]) -> str:
    parts = [f"{node.cpus:g} CPUs and {node.gpus:g} GPUs" for node in nodes]
    return f"this machine has {parts[0]}" if len(parts) == 1 else "the nodes have " + "; ".join(parts)
