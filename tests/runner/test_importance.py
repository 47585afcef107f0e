import numpy as np
import pytest

from studyhub.runner.search_draws import importance
from studyhub.study.space import Domain

RATE = Domain("learning_rate", 1e-4, 1e-1, log=True)
SIZE = Domain("hidden_size", 8, 64, whole=True)
SCHEME = Domain("scheme", choices=(("implicit", "implicit"), ("sequential", "sequential")))
SHAPE = Domain("steps", 1, 8, whole=True, when=(("scheme", ("sequential",)),))


def drawn(count: int, rank):
    rng = np.random.default_rng(3)
    for _ in range(count):
        params = {"learning_rate": float(10 ** rng.uniform(-4, -1)), "hidden_size": int(rng.integers(8, 65))}
        params["scheme"] = str(rng.choice(["implicit", "sequential"]))
        if params["scheme"] == "sequential":
            params["steps"] = int(rng.integers(1, 9))
        yield params, rank(params)


DOMAINS = (RATE, SIZE, SCHEME, SHAPE)


def test_what_matters_has_the_largest_share():
    found = importance(DOMAINS, list(drawn(40, lambda p: [abs(np.log10(p["learning_rate"]) + 2.5)])))
    assert found is not None and found["learning_rate"] > 0.6 and sum(found.values()) == pytest.approx(1)
    by_scheme = importance(DOMAINS, list(drawn(40, lambda p: [float(p["scheme"] == "sequential") + 0.01 * p["hidden_size"]])))
    assert by_scheme is not None and max(by_scheme, key=by_scheme.__getitem__) in ("scheme", "hidden_size")


def test_several_objectives_count_by_the_sum_of_their_ranks():
    size = list(drawn(40, lambda p: [0.0, float(abs(p["hidden_size"] - 36))]))
    assert importance(DOMAINS, size) == importance(DOMAINS, [(params, [sum(ranks)]) for params, ranks in size])
    assert max(importance(DOMAINS, size).items(), key=lambda item: item[1])[0] == "hidden_size"


def test_too_few_or_all_alike_tell_nothing():
    assert importance(DOMAINS, list(drawn(9, lambda p: [p["hidden_size"]]))) is None
    assert importance(DOMAINS, list(drawn(20, lambda p: [1.0]))) is None


def test_the_same_trials_give_the_same_importance():
    tried = list(drawn(30, lambda p: [p["hidden_size"]]))
    assert importance(DOMAINS, tried) == importance(DOMAINS, tried)
