from dataclasses import replace
from datetime import date

import pytest

from studyhub.runner import precompile
from studyhub.runner.precompile import Wanted
from studyhub.study.settings import Model, Period, Split, Training, Trial

MODEL = Model(kind="dpl", forcing=("prcp", "tmean", "pet"), attributes=())
PERIOD = Period(date(1990, 10, 1), date(1991, 9, 30))
TRIAL = Trial(MODEL, Training(), Split(PERIOD, PERIOD), ("a",), ("a",), seed=1, data="0")
SEQUENTIAL = Wanted("hbv", False, "sequential", False, "float32", "cpu")


def trials(*models: Model) -> list[Trial]:
    return [replace(TRIAL, model=model, seed=seed) for model in models for seed in (1, 2)]


def test_each_kernel_is_wanted_once_and_networks_want_none():
    improved = replace(MODEL, scheme="implicit", capillary_rise=True)
    models = (MODEL, replace(MODEL, hidden_size=8), replace(MODEL, kind="lstm"), improved)
    assert precompile.wanted(trials(*models), "cpu") == [SEQUENTIAL, Wanted("hbv", True, "implicit", False, "float32", "cpu")]


def test_steps_and_dynamic_parameters_share_a_kernel():
    model = replace(MODEL, scheme="implicit")
    assert len(precompile.wanted(trials(model, replace(model, steps_per_day=24), replace(model, dynamic=("BETA",))), "cpu")) == 1


@pytest.mark.slow
def test_kernels_are_compiled_in_a_process_of_their_own_and_found_by_others(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path))
    assert not SEQUENTIAL.there()
    assert precompile.compile_lacking([SEQUENTIAL]) == (1, [])
    assert SEQUENTIAL.there()
    assert precompile.compile_lacking([SEQUENTIAL]) == (0, [])


def test_a_kernel_that_cannot_be_compiled_ahead_is_told_and_left_to_its_trials():
    lacking, (fault,) = precompile.compile_lacking([replace(SEQUENTIAL, dtype="float17")])
    assert lacking == 1
    assert "hbv sequential could not be compiled ahead" in fault and "float17" in fault


def test_a_kernel_that_a_search_comes_upon_is_compiled_once_per_worker(monkeypatch):
    asked = []
    monkeypatch.setattr(precompile, "compile_lacking", asked.append)
    precompile.ensure.cache_clear()
    for _ in range(3):
        precompile.ensure(SEQUENTIAL)
    precompile.ensure.cache_clear()
    assert asked == [[SEQUENTIAL]]
