"""A model that starts from the weights of another one, instead of from chance."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from studyhub.catalog import PHYSICS
from studyhub.errors import DataError
from studyhub.models.dpl import ROUTING
from studyhub.study.settings import Model

HEAD = "network.head."
ALIKE = ("recipe", "forcing", "attributes", "hidden_size")  # what gives a network's weights their shape and meaning


def transfer(child: nn.Module, settings: Model, parent: Mapping[str, Tensor], of: Model) -> None:
    """Copy a parent's weights into a child that has been drawn afresh.

    The network is copied whole; of its head, the rows of the parameters and components that both models have. The child's other rows stay
    as they were drawn. Nothing of an optimiser is copied.

    Parameters
    ----------
    child : as `models.build.build` makes it
    settings : of the child
    parent : the parent's ``state_dict()``
    of : settings of the parent

    Raises
    ------
    DataError
        the two are different models, or their networks see different things
    """
    for what in ("kind", "physics") if settings.kind == "dpl" else ("kind",):
        if getattr(settings, what) != getattr(of, what):
            raise DataError(f"`init_from` needs a parent of the same model, got {_called(of)} for {_called(settings)}; name another arm")
    for key in ALIKE:
        ours, theirs = getattr(settings, key), getattr(of, key)
        if ours != theirs:
            raise DataError(f"`init_from` needs a parent with the same {key}, got {_text(theirs)} for {_text(ours)}; make them equal")
    rows = {name: row for row, name in enumerate(head_rows(of))}
    both = [(row, rows[name]) for row, name in enumerate(head_rows(settings)) if name in rows]
    to, source = torch.tensor(both).T
    weights = child.state_dict()
    for name, drawn in weights.items():
        theirs = parent[name].to(drawn)
        weights[name] = drawn.index_copy(0, to.to(drawn.device), theirs[source]) if name.startswith(HEAD) else theirs
    child.load_state_dict(weights)


def head_rows(settings: Model) -> list[tuple[str, int]]:
    """What each row of the head gives: a parameter and its component, or of the routing; an LSTM's only row gives discharge."""
    if settings.kind == "lstm":
        return [("qsim", 0)]
    physics = PHYSICS[settings.physics].variant(capillary_rise=settings.capillary_rise)
    learned = [name for name in physics.parameter_names if name not in dict(settings.fixed)]
    rows = [(name, component) for name in learned for component in range(settings.components)]
    return rows + [(table.name, 0) for table in ROUTING if physics.routed]


def _called(settings: Model) -> str:
    return settings.kind if settings.kind == "lstm" else f"{settings.kind} with {settings.physics}"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
