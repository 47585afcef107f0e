"""What a child takes from its parent's weights: all but the rows of its head that the parent does not have."""

from dataclasses import replace

import pytest
import torch
from problems import weather

from studyhub.errors import DataError
from studyhub.models.build import build
from studyhub.models.target import TargetScaler
from studyhub.models.transfer import head_rows, transfer
from studyhub.study.settings import Model

DAYS, BASINS, WARMUP = 40, 3, 15
PARENT = Model("dpl", ("prcp", "tmean", "pet"), ("a", "b"), hidden_size=6, components=2, dynamic=("BETA",))
LSTM = replace(PARENT, kind="lstm", dynamic=())


def drawn(settings: Model, seed: int = 0):
    """A model as its seed gives it, in double precision."""
    target = TargetScaler("kratzert2019", 0.0, 1.0) if settings.kind == "lstm" else None
    return build(settings, target, torch.Generator().manual_seed(seed)).double()


def child_of(parent, settings: Model, of: Model = PARENT, seed: int = 1):
    child = drawn(settings, seed)
    transfer(child, settings, parent.state_dict(), of)
    return child


def simulate(model):
    forcing = weather(DAYS, BASINS, 0)
    attributes = torch.randn(BASINS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return model.eval()((forcing - forcing.mean((0, 1))) / forcing.std((0, 1)), attributes, forcing, WARMUP, parameters=True)


@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
def test_a_child_with_the_same_parameters_is_its_parent_before_its_first_update(scheme):
    parent, settings = drawn(PARENT), replace(PARENT, scheme=scheme, warmup_gradients=True, dropout=0.1)
    child = child_of(parent, settings)
    theirs, ours = simulate(parent), simulate(child)
    assert theirs.parameters.keys() == ours.parameters.keys()
    assert all(torch.equal(values, ours.parameters[name]) for name, values in theirs.parameters.items())
    if scheme == "sequential":
        assert torch.equal(theirs.discharge, ours.discharge)
    else:
        assert not torch.equal(theirs.discharge, ours.discharge)


def rows(model, settings: Model) -> dict[tuple[str, int], tuple[float, ...]]:
    head = model.network.head
    values = torch.cat([head.weight, head.bias[:, None]], dim=1).tolist()
    return dict(zip(head_rows(settings), map(tuple, values), strict=True))


CHILDREN = {
    "capillary rise": replace(PARENT, capillary_rise=True, scheme="implicit"),
    "more components": replace(PARENT, components=4),
    "fewer components": replace(PARENT, components=1),
    "other daily parameters": replace(PARENT, dynamic=("FC", "K0")),
    "fixed parameters": replace(PARENT, fixed=(("K0", 0.3), ("CFR", 0.05))),
}


@pytest.mark.parametrize("case", CHILDREN)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_rows_of_the_head_are_copied_by_parameter_and_component(case, turned):
    of, settings = (CHILDREN[case], PARENT) if turned else (PARENT, CHILDREN[case])
    parent, fresh = drawn(of), drawn(settings, seed=1)
    child = child_of(parent, settings, of)
    theirs, ours, new = rows(parent, of), rows(child, settings), rows(fresh, settings)
    shared = theirs.keys() & ours.keys()
    assert {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}
    assert {key: ours[key] for key in ours.keys() - shared} == {key: new[key] for key in ours.keys() - shared}, "as its own seed draws them"
    assert {("route_a", 0), ("route_b", 0), ("BETA", 0)} <= shared
    for name, values in parent.state_dict().items():
        if "head" not in name:
            assert torch.equal(values, child.state_dict()[name])


def test_the_rows_are_where_the_model_reads_them():
    """Of each row of the head, as `head_rows` names it, exactly that parameter and component depends."""
    settings = replace(PARENT, dynamic=("BETA", "K2"), fixed=(("K0", 0.3),), capillary_rise=True)
    model = drawn(settings)
    before = simulate(model).parameters
    for row, (name, component) in enumerate(head_rows(settings)):
        with torch.no_grad():
            model.network.head.bias[row] += 0.1
        after = simulate(model).parameters
        changed = {key for key, values in after.items() if not torch.equal(values, before[key])}
        assert changed == {name}
        where = (after[name] != before[name]).reshape(-1, after[name].shape[-1] if after[name].ndim > 1 else 1).any(0)
        assert where.nonzero().flatten().tolist() == [component]
        before = after


def test_an_lstm_is_its_parent():
    parent = drawn(LSTM)
    child = child_of(parent, LSTM, LSTM)
    assert all(torch.equal(values, child.state_dict()[name]) for name, values in parent.state_dict().items())


def test_nothing_of_the_parent_changes_with_its_child():
    parent = drawn(PARENT)
    before = {name: values.clone() for name, values in parent.state_dict().items()}
    child = child_of(parent, PARENT)
    with torch.no_grad():
        for values in child.parameters():
            values += 1.0
    assert all(torch.equal(values, before[name]) for name, values in parent.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"physics": "gr4j", "dynamic": ()}, "a parent of the same model, got dpl with hbv for dpl with gr4j"),
        ({"kind": "lstm", "dynamic": ()}, "a parent of the same model, got dpl with hbv for lstm"),
        ({"hidden_size": 8}, "a parent with the same hidden_size, got 6 for 8"),
        ({"forcing": ("prcp", "pet", "tmean")}, "a parent with the same forcing, got prcp tmean pet for prcp pet tmean"),
        ({"attributes": ("a",)}, "a parent with the same attributes, got a b for a"),
        ({"recipe": "kratzert2019"}, "a parent with the same recipe, got feng2020 for kratzert2019"),
    ],
)
def test_a_parent_that_is_another_model_is_refused(changes, message):
    settings = replace(PARENT, **changes)
    child = drawn(settings, seed=1)
    before = [values.clone() for values in child.state_dict().values()]
    with pytest.raises(DataError, match=message):
        transfer(child, settings, drawn(PARENT).state_dict(), PARENT)
    assert all(torch.equal(*pair) for pair in zip(before, child.state_dict().values(), strict=True))
