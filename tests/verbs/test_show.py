import ast
import json

import pytest

from studyhub import cli
from studyhub.catalog import PHYSICS


def said(capsys, *arguments: str) -> str:
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", PHYSICS)
def test_physics_shows_every_row_of_the_tables(name, capsys):
    model, tables = PHYSICS[name], json.loads(said(capsys, "physics", name, "--json"))
    assert [(row["parameter"], float(row["low"]), float(row["high"])) for row in tables["parameters"]] == [
        (p.name, p.low, p.high) for p in model.parameters
    ]
    assert [row["store"] for row in tables["stores"]] == list(model.store_names)
    assert [(row["from"], row["to"]) for row in tables["fluxes"]] == [(f.source or "outside", f.sink or "outside") for f in model.fluxes]
    assert all(row["equation"] for row in tables["fluxes"])
    shown = said(capsys, "physics", name)
    assert all(p.meaning in shown and p.unit in shown for p in model.parameters)


def test_capillary_rise_is_another_table(capsys):
    assert "capillary_rise" not in said(capsys, "physics", "hbv")
    assert "capillary_rise" in said(capsys, "physics", "hbv", "--capillary-rise")


@pytest.mark.parametrize(("scheme", "target"), [("implicit", "cpu"), ("sequential", "cuda")])
def test_kernel_prints_a_program_that_says_what_its_names_mean(scheme, target, capsys):
    shown = said(capsys, "kernel", "hbv", "--scheme", scheme, "--target", target)
    functions = {node.name for node in ast.parse(shown).body if isinstance(node, ast.FunctionDef)}
    assert {"forward", "backward", "adjoint"} <= functions
    assert "# p: 0 BETA, 1 FC" in shown and "torch" not in shown
    assert ("cuda" if target == "cuda" else "njit") in shown


def test_kernel_counts_operations(capsys):
    """The sequential step of HBV takes two powers: two logarithms and two exponentials, shared with their derivatives."""
    counts = json.loads(said(capsys, "kernel", "hbv", "--json"))["operations"]
    assert {name: (count["exp"], count["log"]) for name, count in counts.items()} == {"step": (2, 2), "adjoint": (2, 2)}
    assert sum(counts["step"].values()) < sum(counts["adjoint"].values()) < 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("physics", "hbw"), "unknown physics 'hbw'; did you mean `hbv`?"),
        (("kernel", "hbv", "--scheme", "implcit"), "did you mean `implicit`?"),
        (("kernel", "gr4j", "--capillary-rise"), "physics gr4j has no capillary rise"),
    ],
)
def test_names_that_are_unknown(arguments, message, capsys):
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err
