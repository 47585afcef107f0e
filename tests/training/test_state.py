"""Training that is stopped after any epochs and goes on from what was written to a file ends in bitwise the same weights."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from studyhub.data.stream import StreamingSampler
from studyhub.data.windows import Inputs, Sampler
from studyhub.models.lstm import Network, StreamflowLSTM
from studyhub.models.target import TargetScaler
from studyhub.solvers.march import SolveReport
from studyhub.study.settings import Training
from studyhub.training import checkpoint
from studyhub.training.loop import train
from studyhub.training.state import Epoch, State

BASINS, DAYS, WARMUP, WINDOW, EPOCHS = 7, 60, 5, 10, 6
RNG = np.random.default_rng(1)
X = torch.tensor(RNG.gamma(1.0, 2.0, (DAYS, BASINS, 2)), dtype=torch.float32)
A = torch.tensor(RNG.normal(size=(BASINS, 3)), dtype=torch.float32)
Q = 2 * X[:, :, 0] + 1


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def begin(recipe: str, resident: int | None, updates: int):
    """Model, sampler and generators as they are before the first epoch, of seeds 0 and 1."""
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    model = StreamflowLSTM(Network(2, 3, 8, 1, recipe, 0.5, generators[0]), TargetScaler(recipe, 0.2, 0.5, 0, 3.0, 1.0))
    windows = (WARMUP, WINDOW, 3, updates, generators[1])
    if resident is None:
        return model, Sampler(Inputs(X, A, None, Q), *windows), generators
    load = lambda members: Inputs(X[:, list(members)], A[list(members)], None, Q[:, list(members)])  # noqa: E731
    return model, StreamingSampler(load, Q, resident, *windows), generators


class Course:
    """A training in parts: each ends after the epochs that are asked for, and what was kept then is all that the next one knows."""

    def __init__(self, path, how: Training, recipe: str, resident: int | None, scores: list[float]):
        self.path, self.how, self.recipe, self.resident, self.scores = path, how, recipe, resident, scores
        self.result = None

    def go(self, stops: list[int]):
        for until in [*stops, None]:
            before = State.of(*checkpoint.load_with_plain(self.path)) if self.path.exists() else None
            model, sampler, generators = begin(self.recipe, self.resident, self.how.updates_per_epoch)
            validate = None
            if self.how.checkpoint == "best":
                left = iter(self.scores[len(before.epochs) if before else 0 :])
                validate = lambda left=left: next(left)  # noqa: E731
            options = {"on_epoch": lambda epoch, until=until: epoch.number == until, "validate": validate, "keep": self.keep}
            self.result = train(model, sampler, self.how, generators=generators, before=before, **options)
            getattr(sampler, "close", lambda: None)()
        epochs = [replace(epoch, seconds=0.0) for epoch in self.result.epochs]
        draws = [generator.get_state().tolist() for generator in generators]
        return [value.clone() for value in model.state_dict().values()], str(epochs), self.result.kept, draws

    def keep(self, state: State, must: bool) -> None:
        if must:
            checkpoint.save(self.path, state.arrays(), state.plain())


SCORES = [0.1, 0.7, 0.3, math.nan, 0.9, 0.2]
HOW = Training(epochs=EPOCHS, batch=3, window=WINDOW, updates_per_epoch=2, loss="rmse", gradient_norm=1.0)
HOWS = {
    "adam": replace(HOW, optimizer="adam", learning_rate=((1, 1e-2), (3, 3e-3), (5, 1e-3))),
    "adadelta": replace(HOW, learning_rate=((1, 1.0), (4, 0.3))),
}


@settings(max_examples=20, deadline=None)
@given(
    stops=st.sets(st.integers(1, EPOCHS - 1)),
    optimizer=st.sampled_from(sorted(HOWS)),
    recipe=st.sampled_from(["feng2020", "kratzert2019"]),
    kept=st.sampled_from(["last", "best"]),
    resident=st.sampled_from([None, 1, 2, 3]),
    updates=st.integers(1, 3),
)
def test_a_training_in_parts_is_the_whole_one(tmp_path_factory, stops, optimizer, recipe, kept, resident, updates):
    how = replace(HOWS[optimizer], checkpoint=kept, updates_per_epoch=updates)
    folder = tmp_path_factory.mktemp("course")
    whole, parts = (Course(folder / name, how, recipe, resident, SCORES).go(at) for name, at in (("a", []), ("b", sorted(stops))))
    assert all(torch.equal(*pair) for pair in zip(whole[0], parts[0], strict=True))
    assert whole[1:] == parts[1:]
    assert whole[2] == (5 if kept == "best" else EPOCHS)


@pytest.mark.parametrize("forgets", ["optimizer", "generators", "sampler", "weights", "best", "kept"])
def test_nothing_of_a_state_can_be_left_out(tmp_path, monkeypatch, forgets):
    how = replace(HOWS["adam"], checkpoint="best")
    scores = [0.1, 0.9, 0.3, 0.2, 0.4, 0.5]  # the best epoch lies before the stop
    whole = Course(tmp_path / "a", how, "feng2020", 2, scores).go([])
    read = State.of.__func__

    def without(cls, arrays, plain):
        fresh = begin("feng2020", 2, 2)
        empty = {"optimizer": {}, "generators": tuple(g.get_state() for g in fresh[2]), "sampler": fresh[1].position, "kept": 0}
        empty |= {"weights": fresh[0].state_dict(), "best": fresh[0].state_dict()}
        return replace(read(cls, arrays, plain), **{forgets: empty[forgets]})

    monkeypatch.setattr(State, "of", classmethod(without))
    parts = Course(tmp_path / "b", how, "feng2020", 2, scores).go([3])
    assert (*map(str, whole),) != (*map(str, parts),)


@pytest.mark.parametrize("solve", [None, SolveReport(10, 1.5, 2, 0, float("inf"), 3, "cpu kernel", float("nan"))])
def test_a_state_comes_back_from_its_file(tmp_path, solve):
    epochs = (Epoch(1, 3, math.nan, None, 0.1, 2, solve), Epoch(2, 3, 0.1 + 0.2, -math.inf, 1e-9, 2, None))
    weights = {"a.b": torch.rand(2, 3), "c": torch.rand((), dtype=torch.float64)}
    generator = torch.Generator().manual_seed(3)
    state = State(epochs, weights, {"0.step": torch.tensor(3.0)}, (generator.get_state(),), {"drawn": 4}, 2, {"c": torch.rand(0)})
    checkpoint.save(tmp_path / "file.npz", state.arrays(), state.plain())
    again = State.of(*checkpoint.load_with_plain(tmp_path / "file.npz"))
    assert str(again) == str(state)
    assert all(torch.equal(value, again.weights[name]) and value.dtype == again.weights[name].dtype for name, value in weights.items())
    assert again.weights["a.b"].data_ptr() % 64 == 0


@pytest.mark.parametrize("resident", [1, 3])
def test_a_sampler_goes_on_amid_a_group(resident):
    _, whole, _ = begin("feng2020", resident, 2)
    batches = [whole.draw() for _ in range(20)]
    for cut in (0, 1, 5, 8):
        _, first, generators = begin("feng2020", resident, 2)
        for _ in range(cut):
            first.draw()
        _, second, others = begin("feng2020", resident, 2)
        second.go_to(first.position)
        others[1].set_state(generators[1].get_state())
        for batch in batches[cut:]:
            again = second.draw()
            assert torch.equal(again.basin, batch.basin) and torch.equal(again.begin, batch.begin) and torch.equal(again.q, batch.q)
        first.close(), second.close()
    whole.close()
