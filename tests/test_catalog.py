from importlib import import_module

import numpy as np
import pytest

from studyhub import catalog
from studyhub.study import versions


def test_metrics_are_named_once_in_the_order_of_the_scores():
    main = [name for name, metric in catalog.METRICS.items() if metric.main]
    assert main == list(catalog.METRICS)[:9] == "nse kge kge_2012 flv abs_flv fhv abs_fhv low_rmse peak_rmse".split()
    assert all(name == metric.name and metric.meaning and metric.margin for name, metric in catalog.METRICS.items())
    directions = {name: metric.direction for name, metric in catalog.METRICS.items()}
    assert {name for name in main if directions[name] == "larger"} == {"nse", "kge", "kge_2012"}
    assert {name for name, direction in directions.items() if direction == "zero"} == {"flv", "fhv", "bias", "fms"}
    assert {name for name, direction in directions.items() if direction == "one"} == {"kge_alpha", "kge_beta", "kge_gamma"}


def test_every_metric_has_its_function_in_the_same_order():
    from studyhub.evaluation import et, metrics, snow

    nothing = np.full((1, 3), np.nan)
    found = [*metrics.score(nothing, nothing), *et.score(nothing, nothing), *snow.score(nothing, nothing)]
    assert [name for name in found if name != "days"] == list(catalog.METRICS)


def test_every_signature_has_its_function_in_the_same_order():
    from studyhub.evaluation.signatures import signatures

    assert [*signatures(np.full((1, 3), np.nan)), "et_mean"] == list(catalog.SIGNATURES)


@pytest.mark.parametrize("name", catalog.SCHEMES)
def test_every_scheme_is_a_module(name):
    assert import_module(f"studyhub.solvers.{name}").MEANING


def test_sub_steps_are_for_schemes_that_have_them():
    assert not import_module("studyhub.solvers.sequential").SUBSTEPS
    assert set(catalog.EXPLICIT_SCHEMES) < set(catalog.SCHEMES)


@pytest.mark.parametrize("name", catalog.LOSSES)
def test_every_loss_has_its_function(name):
    assert callable(getattr(import_module("studyhub.training.losses"), name))


def test_recipes_bring_what_the_catalog_knows():
    for recipe in catalog.RECIPES.values():
        assert set(recipe.brings) == set(catalog.MODELS)
        for brings in recipe.brings.values():
            assert brings.loss in catalog.LOSSES
            assert brings.optimizer in catalog.OPTIMIZERS
            assert set(brings.forcing) <= set(catalog.FORCINGS)


def test_table_a1_has_35_attributes():
    names = catalog.ATTRIBUTE_SETS["table_a1"]
    assert len(names) == len(set(names)) == 35
    assert {"p_mean", "area_gages2", "geol_porostiy", "dom_land_cover"} <= set(names)


def test_physics_read_forcing_that_the_catalog_knows():
    for name, physics in catalog.PHYSICS.items():
        assert physics.name == name
        assert set(physics.forcing) <= set(catalog.FORCINGS)


def test_every_room_of_the_science_has_a_version():
    assert set(versions.SCIENCE_VERSION) == {"data", "physics", "solvers", "kernels", "models", "training", "evaluation"}
    for room in versions.SCIENCE_VERSION:
        import_module(f"studyhub.{room}")
