"""The verbs that show what a model is: its tables, and the program that is generated from them. Part of the command line."""

from enum import Enum
from typing import Annotated

import typer

from studyhub.catalog import PHYSICS, SCHEMES
from studyhub.errors import SpecError
from studyhub.physics.structure import Flux, Physics
from studyhub.study.wording import unknown
from studyhub.verbs.options import AsJson
from studyhub.verbs.printing import print_columns, print_json

Capillary = Annotated[bool, typer.Option("--capillary-rise", help="with capillary rise")]
OUTSIDE = "outside"


class Target(Enum):
    CPU, CUDA = "cpu", "cuda"


class Precision(Enum):
    FLOAT32, FLOAT64 = "float32", "float64"


def physics(
    name: Annotated[str, typer.Argument(metavar="PHYSICS", help="a water-balance model, such as hbv")],
    capillary_rise: Capillary = False,
    as_json: AsJson = False,
) -> None:
    """Print a water-balance model.

    Parameters with units and ranges, stores, and fluxes from store to store.

    Example: studyhub physics hbv
    """
    model = _model(name, capillary_rise)
    parameters = [(p.name, p.meaning, p.unit, f"{p.low:g}", f"{p.high:g}") for p in model.parameters]
    stores = [(s.name, s.meaning, "mm") for s in model.stores]
    fluxes = [(f.name, f.source or OUTSIDE, f.sink or OUTSIDE, _needs(model, f), _about(f)) for f in model.fluxes]
    outputs = [(output, " + ".join(names)) for output, names in model.outputs]
    tables: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]] = {
        "parameters": (("parameter", "meaning", "unit", "low", "high"), parameters),
        "stores": (("store", "meaning", "unit"), stores),
        "fluxes": (("flux, mm/d", "from", "to", "depends on", "equation"), fluxes),
        "outputs": (("output, mm/d", "sum of"), outputs),
    }
    if as_json:
        print_json({title: [dict(zip(header, row, strict=True)) for row in rows] for title, (header, rows) in tables.items()})
        return
    print(f"{model.name}; forcing: {', '.join(f'{symbol} = {variable}' for symbol, variable in model.symbols)}")
    for header, rows in tables.values():
        print()
        print_columns(header, rows)


def kernel(
    name: Annotated[str, typer.Argument(metavar="PHYSICS", help="a water-balance model, such as hbv")],
    scheme: Annotated[str, typer.Option(metavar="SCHEME", help="a numerical scheme, such as implicit")] = "sequential",
    capillary_rise: Capillary = False,
    target: Annotated[Target, typer.Option(help="processor that it is for")] = Target.CPU,
    dtype: Annotated[Precision, typer.Option(help="precision")] = Precision.FLOAT32,
    as_json: AsJson = False,
) -> None:
    """Print the program that solves a model's equations.

    As it is generated for a processor, and how much it computes.

    Example: studyhub kernel hbv --scheme implicit
    """
    if scheme not in SCHEMES:
        raise SpecError(unknown("scheme", scheme, SCHEMES))
    model = _model(name, capillary_rise)
    from studyhub.kernels.count import COLUMNS, operations
    from studyhub.kernels.source import kernel_source
    from studyhub.solvers.march import SCHEMES as MODULES

    source = kernel_source(model, MODULES[scheme], dtype.value, target.value)
    counts = operations(source)
    if as_json:
        print_json({"source": source, "operations": counts})
        return
    print(source, end="\n\n")
    print("# Operations per unit and call:")
    rows = [(f"# {function}", *(count[kind] for kind in COLUMNS), count.total()) for function, count in counts.items()]
    print_columns(("# function", *COLUMNS, "all"), rows)


def _model(name: str, capillary_rise: bool) -> Physics:
    if name not in PHYSICS:
        raise SpecError(unknown("physics", name, PHYSICS))
    if capillary_rise and PHYSICS[name].capillary is None:
        raise SpecError(f"physics {name} has no capillary rise; leave --capillary-rise out")
    return PHYSICS[name].variant(capillary_rise=capillary_rise)


def _needs(model: Physics, flux: Flux) -> str:
    """Names that the rate is computed from, stores first."""
    return ", ".join(sorted(flux.arguments, key=lambda name: name not in model.store_names))


def _about(flux: Flux) -> str:
    return (flux.rate.__doc__ or "").strip().split("\n")[0]
