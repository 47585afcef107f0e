"""Trials that no node is left to run. Ray waits for one that is, for ever and without a word: here it is said."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from ray.exceptions import RayError

from studyhub.runner.workers.cluster import living
from studyhub.runner.workers.share import Node, Share
from studyhub.study.leases import repeating

LOOK_SECONDS = 10.0


@dataclass
class Waiting:
    """Trials that were asked for and have not begun.

    Parameters
    ----------
    warn : takes the line that says so
    called : id of a trial -> what it is called
    """

    warn: Callable[[str], None]
    called: Callable[[str], str]
    asked: dict[str, Share] = field(default_factory=dict)
    told: bool = False

    def begun(self, name: str) -> None:
        self.asked.pop(name, None)

    def watched(self) -> AbstractContextManager[None]:
        """Look again and again, from a thread of its own."""

        def act() -> bool:
            with suppress(RayError):
                self.look(living())
            return True

        return repeating(act, LOOK_SECONDS, "nodes")

    def look(self, nodes: Sequence[Node]) -> None:
        """Say which trials wait for what, where no living node has it: once, and once more where one has come and gone."""
        lacking = {name: share for name, share in list(self.asked.items()) if not any(_has(node, share) for node in nodes)}
        if not lacking:
            self.told = False
        elif not self.told:
            self.told = True
            self.warn(self._words(lacking, nodes))

    def _words(self, lacking: Mapping[str, Share], nodes: Sequence[Node]) -> str:
        first, *others = lacking
        share = lacking[first]
        needs = f"{share.cpus} CPU{'s' * (share.cpus > 1)}" + (f" and {share.gpus:g} GPU{'s' * (share.gpus > 1)}" if share.gpus else "")
        more = f" and {len(others)} more" if others else ""
        left = (
            f"none of the {len(nodes)} that are left has that"
            if len(nodes) > 1
            else "the last that is left has less"
            if nodes
            else "none is left"
        )
        waits = f"{self.called(first)}{more}: waiting since {time.strftime('%H:%M')} for a node with {needs}"
        return f"{waits}, {left}; add one, or stop with Ctrl-C"


def _has(node: Node, share: Share) -> bool:
    """Whether a node could run it once nothing else runs there. A part of a GPU must be a part of one."""
    return node.cpus >= share.cpus and node.gpus >= share.gpus
