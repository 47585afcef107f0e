"""``studyhub ingest``: raw basins of every kind into shards that studies read."""

import inspect
import os
from collections.abc import Callable
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studyhub.study.settings import Period
from studyhub.verbs.options import help_of

if TYPE_CHECKING:
    from studyhub.data.source import Source

    Finder = Callable[..., Source]

app = typer.Typer(no_args_is_help=True, help="Turn raw basins into shards that studies read.")


def period(text: str) -> Period:
    """Read ``1980-10-01:2010-09-30``."""
    first, colon, last = text.partition(":")
    try:
        found = Period(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError:
        raise typer.BadParameter(f"a first and a last day such as 1980-10-01:2010-09-30 are required, got {text!r}") from None
    if found.days < 1:
        raise typer.BadParameter(f"the last day comes before the first: {text}; swap them")
    return found


class Pet(Enum):
    GIVEN, HARGREAVES, OUDIN = "given", "hargreaves", "oudin"


Raw = Annotated[Path, typer.Argument(metavar="DIR", help="the data as distributed")]
Out = Annotated[str, typer.Option(metavar="SHARDS", help="folder to make, a path, s3://... or gs://...")]
WHICH = "Which basins and days"
Basins = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="take these basins only: a list, or the first column of a CSV file", rich_help_panel=WHICH),
]
Without = Annotated[list[str] | None, typer.Option(metavar="BASIN", help="leave this basin out; may be repeated", rich_help_panel=WHICH)]
Complete = Annotated[
    bool,
    typer.Option("--complete-only", help="leave out basins that lack a file or attributes, and say which", rich_help_panel=WHICH),
]
Days = Annotated[
    Period | None, typer.Option(metavar="A:B", parser=period, help="keep these days, such as 1980-10-01:2010-09-30", rich_help_panel=WHICH)
]
DERIVED = "What is derived"
Climate = Annotated[
    Period | None,
    typer.Option(metavar="A:B", parser=period, help="days that climate attributes are computed from", rich_help_panel=DERIVED),
]
Years = Annotated[
    float, typer.Option(min=0, metavar="N", help="flag basins with fewer observed years of discharge", rich_help_panel=DERIVED)
]
Method = Annotated[
    Pet,
    typer.Option(
        help="potential evapotranspiration: the data's own, else Hargreaves (given); or computed for every basin, so that data sets can be "
        "taken together: Hargreaves needs tmin and tmax, Oudin tmean",
        rich_help_panel=DERIVED,
    ),
]
Processes = Annotated[int | None, typer.Option(min=1, metavar="N", help="processes that read at once; all processors by default")]


class Forcing(Enum):
    DAYMET, MAURER, NLDAS = "daymet", "maurer", "nldas"
    MAURER_EXTENDED, NLDAS_EXTENDED = "maurer_extended", "nldas_extended"


class CaravanPet(Enum):
    AUTO, FAO, ERA5, HARGREAVES, OUDIN = "auto", "fao", "era5", "hargreaves", "oudin"


class Format(Enum):
    CSV, NETCDF = "csv", "netcdf"


def reader(name: str) -> Callable[["Finder"], "Finder"]:
    """Make a verb of a function that finds raw basins: its arguments, and the options of `run`, which ingests what it has found.

    An option that both have is the function's own, and both are given it.
    """

    def add(find: "Finder") -> "Finder":
        own, (_, *shared) = inspect.signature(find).parameters.values(), inspect.signature(run).parameters.values()
        names = {parameter.name for parameter in own}
        others = [parameter for parameter in shared if parameter.name not in names]
        every = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in (*own, *others)]

        def verb(**given: Any) -> None:
            mine = {name: given[name] for name in names}
            run(find(**mine), **{parameter.name: given[parameter.name] for parameter in shared})

        # What typer reads a verb's options from.
        verb.__signature__ = inspect.Signature(every)  # pyright: ignore[reportFunctionMemberAccess]
        verb.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        app.command(name, help=help_of(find))(verb)
        return find

    return add


def run(
    source: "Source",
    out: Out,
    basins: Basins = None,
    without: Without = None,
    complete_only: Complete = False,
    period: Days = None,
    climate: Climate = None,
    years: Years = 5,
    pet: Method = Pet.GIVEN,
    processes: Processes = None,
) -> None:
    """Ingest with a progress bar, then say what has come of it."""
    import numpy as np

    from studyhub.catalog import TARGET
    from studyhub.data.derived import GIVEN
    from studyhub.data.ingest import Choice, ingest
    from studyhub.data.pet import METHODS
    from studyhub.study.lists import read_basins
    from studyhub.verbs.bars import bar

    if not out.strip():
        raise typer.BadParameter("the name of a folder to make is required, got nothing", param_hint="--out")
    taken = None if basins is None else read_basins(basins)
    method = pet.value if pet.value in METHODS else GIVEN
    choice = Choice(taken, tuple(without or ()), complete_only, period, climate, years, method)
    with bar("basins") as progress:
        shards = ingest(source, out, choice, processes=processes or len(os.sched_getaffinity(0)), progress=progress)
    manifest = shards.manifest
    print(
        f"{out}: {len(shards.basins)} basins, {shards.period}, {len(shards.variables)} variables, {len(shards.attribute_names)} attributes"
    )
    for basin, why in manifest.left_out.items():
        print(f"left out {basin}: {why}")
    lacking = int(np.isnan(shards.read(variables=(), attributes=("clim_p_mean",)).attributes).sum())
    if lacking:
        days = f"in {climate}" if climate else ""
        print(f"without climate attributes: {lacking} basins, for want of a year of prcp, tmean and pet {days}".rstrip())
    if TARGET not in shards.variables:
        print(f"no observed discharge (the variable {TARGET}): these basins can be simulated, neither trained nor tested on")
    flagged = {check: found["flagged"] for check, found in manifest.quality.items() if found.get("flagged")}
    told = ", ".join(f"{check} {count}" for check, count in flagged.items())
    print(f"quality: {told or 'no basin flagged'}; see {out}/quality.parquet, or `studyhub data {out}`")


@reader("camels-us")
def camels_us(folder: Raw, forcing: Annotated[Forcing, typer.Option(help="which forcing to read")] = Forcing.DAYMET) -> "Source":
    """Read CAMELS-US as distributed.

    Forcing, USGS discharge and attribute files.

    Example: studyhub ingest camels-us CAMELS --out shards/camels_us
    """
    from studyhub.data.camels_us import find

    return find(folder, forcing=forcing.value)


@reader("caravan")
def caravan(
    folder: Raw,
    pet: Annotated[
        CaravanPet,
        typer.Option(
            help="potential evapotranspiration: Caravan's own, auto takes FAO Penman-Monteith where all basins have it; or computed",
            rich_help_panel=DERIVED,
        ),
    ] = CaravanPet.AUTO,
    others: Annotated[str, typer.Option(metavar="NAMES", help="further columns to take, comma between; all, or none")] = "all",
    format: Annotated[Format, typer.Option(help="which files to read where there are both")] = Format.CSV,
) -> "Source":
    """Read Caravan, all sub-datasets that are there.

    Example: studyhub ingest caravan Caravan --out shards/caravan --basins basins.txt
    """
    from studyhub.data.caravan import find

    columns = None if others == "all" else () if others == "none" else tuple(name.strip() for name in others.split(","))
    return find(folder, pet=pet.value, format=format.value, others=columns)


@reader("table")
def table(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="a CSV or Parquet table, or a folder of them")],
    mapping: Annotated[str, typer.Option(metavar="MAPPING.yaml", help="what its columns are; a file, or the name of one that comes along")],
    attributes: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the attribute files, if they lie elsewhere")] = None,
) -> "Source":
    """Read a table of your own, by a small mapping file.

    Or a folder with one table per basin. The mapping says which column is what, in which unit.

    Example: studyhub ingest table mydata --mapping mydata.yaml --out shards/mydata
    """
    from studyhub.data.table import find
    from studyhub.study.mapping import read

    return find(data, read(mapping), attributes)


@app.command("synthetic")
def synthetic(
    out: Out,
    basins: Annotated[int, typer.Option(min=1, max=9999, metavar="N", help="number of virtual basins")] = 40,
    length: Annotated[int, typer.Option("--record", min=1, max=200, metavar="N", help="years of the record, from 1985-10-01")] = 10,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="of everything drawn")] = 1,
    processes: Processes = None,
) -> None:
    """Make virtual basins whose truth is known.

    Their true discharge and parameters are, so that models can be judged by them.

    Example: studyhub ingest synthetic --basins 20 --record 5 --out shards/virtual
    """
    from studyhub.data.synthetic import VirtualBasins
    from studyhub.data.synthetic_settings import SyntheticSettings

    run(VirtualBasins(SyntheticSettings(basins, length, seed)), out, processes=processes)


@app.command("model-output")
def model_output(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of <basin>_<seed>_model_output.txt files, at any depth")],
    out: Annotated[Path, typer.Option(metavar="TABLE.parquet", help="table to write")],
    seed: Annotated[str | None, typer.Option(metavar="SEED", help="take this calibration, such as 05, not the mean of all")] = None,
) -> None:
    """Make a table of CAMELS-US's own SAC-SMA simulations.

    A study takes it as `external:`, to compare with.

    Example: studyhub ingest model-output CAMELS/model_output --out sacsma.parquet
    """
    from rich.console import Console

    from studyhub.data.camels_model_output import ingest

    with Console(stderr=True).status("reading") as shown:
        written = ingest(folder, out, seed=seed, progress=lambda done, of, basin: shown.update(f"{done} of {of} basins"))
    kept = f"seed {seed}" if seed else f"mean of seeds {', '.join(written.seeds)}"
    print(f"{out}: {len(written.basins)} basins, {written.period}, {kept}")
