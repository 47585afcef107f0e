"""Parts of Ray that a launch has no use for and no setting turns off: put aside while it would come to them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ray._private import utils
from ray._private.node import Node
from ray.air._internal import usage


def helpers() -> AbstractContextManager[None]:
    """Processes for more nodes, for a page and for workers' output in a terminal: 3 of the 6 s that Ray takes to start."""
    return _aside(Node, "start_monitor", "start_api_server", "start_log_monitor")


def signals() -> AbstractContextManager[None]:
    """How Ray takes SIGTERM for itself when it starts."""
    return _aside(utils, "set_sigterm_handler")


def counts() -> AbstractContextManager[None]:
    """How Tune counts callbacks for a record of its use, which is off: it would load MLflow for that, before the first trial."""
    return _aside(usage, "tag_callbacks")


@contextmanager
def _aside(owner: Any, *parts: str) -> Iterator[None]:
    before: dict[str, Callable[..., Any]] = {part: getattr(owner, part) for part in parts}
    for part in parts:
        setattr(owner, part, _nothing)
    try:
        yield
    finally:
        for part, act in before.items():
            setattr(owner, part, act)


def _nothing(*args: Any, **options: Any) -> None:
    """What is done in place of a part."""
