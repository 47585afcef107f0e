"""Verbs about what came out of a study: its report, its runs in MLflow, and comparisons of scores."""

import sys
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from studyhub.errors import StoreError
from studyhub.verbs.options import AsJson, Home, Stored, located
from studyhub.verbs.printing import print_json

LONGEST = 120  # characters of a folder's name


class Alternative(Enum):
    GREATER, LESS, TWO_SIDED = "greater", "less", "two-sided"


class Direction(Enum):
    LARGER, SMALLER, ZERO, ONE = "larger", "smaller", "zero", "one"


def report(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY...", help="names of studies that were launched, or their folders (studies/NAME)")
    ],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the report, in place of reports/STUDY")] = None,
    boundaries: Annotated[Path | None, typer.Option(metavar="FILE", help="GeoJSON file whose lines are drawn behind maps")] = None,
    home: Home = Path(),
) -> None:
    """Write the report of a study, or one of several studies, as far as they are.

    A page, and its tables and figures as data. A launch writes it too, in the end. Of several studies the arms stand side by side, each
    called STUDY/ARM; studies of other data or another test period are shown, and not compared.

    Example: studyhub report my_study
    """
    from studyhub.report.beside import helped
    from studyhub.study import remote
    from studyhub.study.store import Store

    places = [located(study, home) for study in studies]
    twice = [name for place, name in places if places.count((place, name)) > 1]
    if twice:
        raise StoreError(f"each study is named once, got {twice[0]} {len(twice)} times")
    for place, name in places:
        remote.pull(place, name, want=remote.REPORT)
    first, name = places[0]
    folder = out or remote.reports(first) / _called([name for _, name in places])
    with helped():
        from studyhub.report.render import report_together

        page = report_together([(Store(place), name) for place, name in places], folder, boundaries)
    if len(places) == 1:
        remote.push(first, name, page.parent)
    print(page)


def _called(names: list[str]) -> str:
    """Folder of a report on some studies."""
    together = "+".join(names)
    return together if len(together) <= LONGEST else f"{names[0]}+{len(names) - 1}_more"


def compare(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="scores, .csv or .parquet: columns basin, arm, metrics, and fold, seed, period where there are several"
        ),
    ],
    metric: Annotated[str, typer.Option(metavar="NAME", help="column to compare, such as nse")],
    better: Annotated[str | None, typer.Option(metavar="ARM", help="arm that may be better; without, all arms are ranked")] = None,
    than: Annotated[str | None, typer.Option(metavar="ARM", help="arm to compare it with")] = None,
    alternative: Annotated[Alternative, typer.Option(help="ask whether --better is better, worse, or either")] = Alternative.GREATER,
    direction: Annotated[Direction | None, typer.Option(help="what is better in this metric; for the project's own it is known")] = None,
    period: Annotated[str | None, typer.Option(metavar="NAME", help="which one, where the table has several")] = None,
    basins: Annotated[
        Path | None, typer.Option(metavar="FILE", help="table of basins: basin, lat, lon, regions; else columns of TABLE are taken")
    ] = None,
    blocks: Annotated[
        str, typer.Option(metavar="NAME", help="what makes blocks of neighbours: coordinates, or a column of regions")
    ] = "auto",
    margin: Annotated[float | None, typer.Option(min=0.0, metavar="X", help="differences up to this do not matter in practice")] = None,
    by: Annotated[str | None, typer.Option(metavar="COLUMN", help="ask it of each group of basins too; numbers in thirds")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two arms over basins, in any table of scores.

    By the paired Wilcoxon signed-rank test, folds and seeds averaged within a basin first; and over blocks of neighbouring basins, where
    their places are known.

    Example: studyhub compare scores.csv --metric kge --better implicit --than sequential --basins basins.csv --by aridity
    """
    from studyhub.verbs.comparing import Asked, compare_two, rank_all

    asked = Asked(table, metric, direction and direction.value, period, basins, blocks, margin, by, as_json)
    if better is not None and than is not None:
        compare_two(asked, better, than, alternative.value)
    else:
        rank_all(asked, better, than)


def mirror(study: Stored, home: Home = Path(), as_json: AsJson = False) -> None:
    """Bring MLflow up to date with a study.

    A launch does that by itself; this makes up for what MLflow has missed, or makes all of its runs anew.

    Example: studyhub mirror my_study
    """
    from studyhub.runner.mirroring import Writer
    from studyhub.study import remote
    from studyhub.study.store import Store

    home, name = located(study, home)
    remote.pull(home, name)
    store = Store(home)
    store.read_study(name)
    writer = Writer(store, name)
    if not writer.take():
        print(f"another process is bringing MLflow up to date with {name} just now, such as a launch: left to it", file=sys.stderr)
        return
    try:
        counts = asdict(writer.sync(mark=True))
    finally:
        writer.give_back()
    if as_json:
        print_json({"study": name, "mlflow": str(writer.tracking), **counts})
    else:
        print(f"{name}: {', '.join(f'{count} {what}' for what, count in counts.items())} runs in {writer.tracking}")


def ui(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="name of a study; all where none is given")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="port of this machine to serve the pages on")] = 5000,
    home: Home = Path(),
) -> None:
    """Show studies in MLflow's web pages, until Ctrl-C.

    On this machine only.

    Example: studyhub ui my_study
    """
    from functools import partial

    from studyhub.runner.browse import browse
    from studyhub.study import remote
    from studyhub.study.store import Store

    names = []
    if study is not None:
        home, name = located(study, home)
        names.append(name)
    remote.pull(home, *names)
    browse(Store(home), names, port, say=partial(print, file=sys.stderr, flush=True), show=partial(print, flush=True))
