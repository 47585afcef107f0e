"""The verbs of the command line. What is heavy is imported inside them, so that help and plans come at once.

Exit codes: 0 everything ended as expected, 1 some trial did not, 2 bad input, 3 our own fault (a report is written), 130 stopped.
"""

import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from studyhub.errors import StoreError, StudyhubError
from studyhub.verbs import basins, ingest, show
from studyhub.verbs.show import AsJson, print_columns, print_json

OUR_FAULT, STOPPED = 3, 130

HELP = "Ablation studies of hydrological models: a YAML file in, trained trials and scores per basin out."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=HELP)
app.add_typer(ingest.app, name="ingest")

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="the study file")]
Stored = Annotated[str, typer.Argument(metavar="STUDY", help="name of a study that was launched, or its folder (studies/NAME)")]
Home = Annotated[Path, typer.Option(metavar="DIR", envvar="STUDYHUB_HOME", help="folder of studies/ and store/")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="PATH.TO.KEY=VALUE", help="change a key; may be repeated")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="name of the study, in place of the file's")]
Data = Annotated[
    list[str] | None,
    typer.Option(metavar="SHARDS", help="run on these ingested basins, in place of the study's data; may be repeated to join data sets"),
]


class Alternative(Enum):
    GREATER, LESS, TWO_SIDED = "greater", "less", "two-sided"


class Direction(Enum):
    LARGER, SMALLER, ZERO = "larger", "smaller", "zero"


@app.command()
def launch(
    study: StudyFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the trials, as `studyhub plan` does, and run nothing")] = False,
    changes: Changes = None,
    name: Name = None,
    data: Data = None,
    home: Home = Path(),
) -> None:
    """Run the trials of a study that are not finished yet, then write its scores and report."""
    if dry_run:
        return plan(study, changes, name, data, home)
    from studyhub.launch import launch as run

    raise typer.Exit(run(study, home, changes or (), data or (), name))


@app.command()
def plan(
    study: StudyFile,
    changes: Changes = None,
    name: Name = None,
    data: Data = None,
    home: Home = Path(),
    as_json: AsJson = False,
) -> None:
    """Print the trials of a study, and what differs between its arms."""
    from studyhub.launch import prepare
    from studyhub.study.describe import describe

    prepared = prepare(study, home, changes or (), data or (), name)
    rows = [asdict(cell) | {"state": prepared.store.state(cell.trial)} for cell in prepared.plan.cells]
    if as_json:
        folds = [asdict(fold) for fold in prepared.plan.folds]
        out = [asdict(left_out) for left_out in prepared.plan.left_out]
        print_json({"study": prepared.spec.name, "question": prepared.spec.question, "folds": folds, "left_out": out, "cells": rows})
        return
    print(describe(prepared.spec, prepared.plan), end="\n\n")
    columns = ("trial", "arm", "fold", "seed", "state")
    print_columns(columns, [[row[column] for column in columns] for row in rows])


@app.command()
def status(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="name of a study; all where none is given")] = None,
    home: Home = Path(),
    as_json: AsJson = False,
) -> None:
    """Print how many trials of a study are in which state, and why any failed or diverged."""
    from studyhub.study.status import status as status_of
    from studyhub.study.store import Store

    store = Store(home)
    found = [status_of(store, name) for name in ((study,) if study else store.studies())]
    if as_json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        print(f"no study in {store.home / 'studies'} yet; `studyhub launch STUDY.yaml` starts one")
    for one in found:
        print(f"{one.study}: {', '.join(f'{count} {state}' for state, count in one.counts.items())}")
        for trouble in one.troubles:
            print(f"  {trouble.arm}, fold {trouble.fold}, seed {trouble.seed}: {trouble.state}: {trouble.cause}")


@app.command()
def report(
    study: Stored,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of the report, in place of reports/STUDY")] = None,
    home: Home = Path(),
) -> None:
    """Write the report of a study as far as it is: a page, and its tables and figures as data."""
    from studyhub.report.render import report as write
    from studyhub.study.store import Store

    home, name = _located(study, home)
    print(write(Store(home), name, out or home / "reports" / name))


@app.command()
def compare(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="scores, .csv or .parquet: columns basin, arm, metrics, and fold, seed, period where there are several"
        ),
    ],
    metric: Annotated[str, typer.Option(metavar="NAME", help="column to compare, such as nse")],
    better: Annotated[str, typer.Option(metavar="ARM", help="arm that may be better")],
    than: Annotated[str, typer.Option(metavar="ARM", help="arm to compare it with")],
    alternative: Annotated[Alternative, typer.Option(help="ask whether --better is better, worse, or either")] = Alternative.GREATER,
    direction: Annotated[Direction | None, typer.Option(help="what is better in this metric; for the project's own it is known")] = None,
    period: Annotated[str | None, typer.Option(metavar="NAME", help="which one, where the table has several")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two arms over the basins of any table of scores, by the paired Wilcoxon signed-rank test."""
    from studyhub.catalog import METRICS
    from studyhub.stats.compare import Question
    from studyhub.stats.compare import compare as answer
    from studyhub.stats.table import direction_of, read_scores
    from studyhub.stats.wording import details, sentence

    scores, column = read_scores(table, metric, (better, than), period)
    question = Question(better, than, column, direction_of(column, direction and direction.value), alternative.value)
    (found,) = answer(scores, [question])
    known = METRICS.get(column.lower())
    label, unit = (known.label, known.unit) if known else (column, "-")
    if as_json:
        print_json(asdict(found) | {"unit": unit, "sentence": sentence(found, label, unit)})
        return
    print(sentence(found, label, unit), end="\n\n")
    first, *others = details(found, label, unit)
    print_columns(first, others)


@app.command()
def mirror(study: Stored, home: Home = Path(), as_json: AsJson = False) -> None:
    """Bring MLflow up to date with a study, or make its runs anew where there are none."""
    from studyhub.runner.mirroring import Writer
    from studyhub.study.store import Store

    home, name = _located(study, home)
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


@app.command()
def ui(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="name of a study; all where none is given")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="port of this machine to serve the pages on")] = 5000,
    home: Home = Path(),
) -> None:
    """Show studies in MLflow's web pages, on this machine, until Ctrl-C."""
    from functools import partial

    from studyhub.runner.browse import browse
    from studyhub.study.store import Store

    names = []
    if study is not None:
        home, name = _located(study, home)
        names.append(name)
    browse(Store(home), names, port, say=partial(print, file=sys.stderr, flush=True), show=partial(print, flush=True))


app.command()(basins.data)
app.command()(basins.predict)
app.command()(basins.split)
app.command()(show.physics)
app.command()(show.kernel)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the only place where errors become messages and exit codes."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        app(arguments, prog_name="studyhub")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except StudyhubError as error:
        print(f"studyhub: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return STOPPED
    except Exception as error:
        report = _write_report(arguments, error)
        print(f"studyhub: a fault of ours, {type(error).__name__}; please report it with the file {report}", file=sys.stderr)
        return OUR_FAULT
    return 0


def _write_report(arguments: Sequence[str], error: Exception) -> Path:
    """Write what is needed to find the fault: command, versions, machine, traceback."""
    from studyhub.study.provenance import provenance

    facts = json.dumps({"arguments": arguments} | provenance(device="-", dtype="-"), indent=1)
    text = f"{facts}\n\n{''.join(traceback.format_exception(error))}"
    name = f"crash-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    for folder in (Path(os.environ.get("STUDYHUB_HOME") or "."), Path(tempfile.gettempdir())):
        path = (folder / name).absolute()
        try:
            path.write_text(text, encoding="utf-8")
            return path
        except OSError:
            continue
    print(text, file=sys.stderr)
    return Path(os.devnull)


def _located(study: str, home: Path) -> tuple[Path, str]:
    """Home and name of a study that is given by its name, or by its folder ``<home>/studies/<name>``."""
    folder = Path(study)
    if len(folder.parts) < 2:
        return home, study
    if folder.parent.name != "studies":
        raise StoreError(f"a study is given by its name or by its folder studies/NAME, got {study}")
    return folder.parent.parent, folder.name


if __name__ == "__main__":
    sys.exit(main())
