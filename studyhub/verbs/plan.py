"""``studyhub plan``: what a launch would run, what is there already, and what the rest will cost."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyhub.errors import StoreError
from studyhub.verbs.options import AsJson, Changes, Data, Home, Name, StudyFile
from studyhub.verbs.printing import print_columns, print_json

if TYPE_CHECKING:
    from studyhub.launch import Prepared
    from studyhub.study.cells import Cell
    from studyhub.study.store import Store

OPEN = "search decides"


def plan(
    study: StudyFile,
    changes: Changes = None,
    name: Name = None,
    data: Data = None,
    home: Home = Path(),
    as_json: AsJson = False,
) -> None:
    """Print what a study will run, and what of it is there.

    Every trial with its id, what differs between arms, which trials other studies have run already, and what the rest will cost, as far as
    trials of the same kind have been run. Nothing is run or written.

    Example: studyhub plan my_study.yaml
    Example: studyhub plan my_study.yaml --set training.epochs=3 --json
    """
    from studyhub.launch import prepare
    from studyhub.study.describe import describe

    prepared = prepare(study, home, changes or (), data or (), name)
    rows = list(_rows(prepared))
    if as_json:
        print_json(_facts(prepared, rows))
        return
    print(describe(prepared.spec, prepared.plan), end="\n\n")
    print_columns(*_table(rows))


def _rows(prepared: "Prepared") -> Iterable[dict[str, Any]]:
    """Each cell: what it is, how it stands, and which other studies hold its trial."""
    store, plan = prepared.store, prepared.plan
    standing = store.look_at({cell.trial for cell in plan.cells})
    there = {trial for trial, look in standing.items() if look.state != "pending"}
    holders = _holders(store, prepared.spec.name, there) if there else {}
    for cell in plan.cells:
        more = {"state": standing[cell.trial].state, "open": cell.trial in plan.open, "also_in": holders.get(cell.trial, [])}
        yield {**vars(cell), **more}


def _holders(store: "Store", name: str, trials: set[str]) -> dict[str, list[str]]:
    """Studies other than ``name`` that hold these trials."""
    found: dict[str, list[str]] = {}
    for other in store.studies():
        cells: tuple[Cell, ...] = ()
        with suppress(StoreError):  # that one's own launch will say what is wrong with it
            cells = store.read_study(other).cells if other != name else ()
        for trial in {cell.trial for cell in cells} & trials:
            found.setdefault(trial, []).append(other)
    return found


def _table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[object]]]:
    """Columns of all trials; those that say nothing are left out."""
    shown = ["trial", "arm", "fold", "seed", "state"]
    shown += [key for key in ("parent", "also_in") if any(row[key] for row in rows)]
    titles = {"parent": "starts from", "also_in": "also in"}
    table = []
    for row in rows:
        texts = row | {"trial": OPEN if row["open"] else row["trial"], "parent": row["parent"] or "", "also_in": ", ".join(row["also_in"])}
        table.append([texts[key] for key in shown])
    return [titles.get(key, key) for key in shown], table


def _facts(prepared: "Prepared", rows: list[dict[str, Any]]) -> dict[str, Any]:
    plan = prepared.plan
    return {
        "study": prepared.spec.name,
        "question": prepared.spec.question,
        "folds": [asdict(fold) for fold in plan.folds],
        "left_out": [asdict(left_out) for left_out in plan.left_out],
        "cells": rows,
    }
