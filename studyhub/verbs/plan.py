"""``studyhub plan``: what a launch would run, what is there already, and what the rest will cost."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studyhub.errors import StoreError
from studyhub.verbs.options import AsJson, Changes, Data, Home, Name, StudyFile
from studyhub.verbs.printing import print_columns, print_json

if TYPE_CHECKING:
    from studyhub.prepared import Prepared
    from studyhub.study.cells import Cell
    from studyhub.study.estimate import Estimate
    from studyhub.study.store import Store

OPEN = "search decides"


def plan(
    study: StudyFile,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="train one trial of each kind that was never run for a moment, to know what it takes")
    ] = False,
    changes: Changes = None,
    name: Name = None,
    data: Data = None,
    home: Home = Path(),
    as_json: AsJson = False,
) -> None:
    """Print what a study will run, and what of it is there.

    Every trial with its id, what differs between arms, which trials are there already and in which other studies, and what the rest will
    cost, as far as trials of the same kind have been run. Nothing is run or written.

    Example: studyhub plan my_study.yaml
    Example: studyhub plan my_study.yaml --set training.epochs=3 --json
    """
    from studyhub.prepared import prepare
    from studyhub.study.describe import describe
    from studyhub.study.estimate import estimate
    from studyhub.study.estimate_text import lines

    say = partial(print, file=sys.stderr)
    prepared = _as_chosen(prepare(study, home, changes or (), data or (), name, say))
    if calibrate:
        from studyhub.runner.calibrate import calibrate_unknown

        prepared.data(say)  # virtual basins are made here, if it was not done before
        there = {"shards": prepared.shards, "device": prepared.backend, "study": prepared.spec.name}
        calibrate_unknown(prepared.store, prepared.plan, prepared.spec.resources, **there, say=say)
    rows = list(_rows(prepared))
    cost = estimate(prepared.store, prepared.plan, prepared.spec.resources, study=prepared.spec.name)
    changed = prepared.since_launched()
    if as_json:
        print_json(_facts(prepared, rows, changed, cost), indent=None)  # of ten thousand trials
        return
    print(describe(prepared.spec, prepared.plan), end="\n\n")
    print_columns(*_table(rows))
    if changed:
        print("\nsince it was launched last:", *changed, sep="\n  ")
    if cost.missing:
        print("", *lines(cost), sep="\n")


def _as_chosen(prepared: "Prepared") -> "Prepared":
    """The plan with what its searches have chosen, if that is of this very study: a trial of the launched one tells."""
    store, name = prepared.store, prepared.spec.name
    searches = store.searches(name) if prepared.plan.open else []
    chosen = {(str(said["arm"]), int(said["fold"])): said["chosen"] for said in searches if said.get("done") and said.get("chosen")}
    if not chosen:
        return prepared
    launched = {cell.trial for cell in store.read_study(name).cells}
    cells = prepared.planned(chosen=chosen).plan.cells
    same = {(cell.arm, cell.fold) for cell in cells if cell.trial in launched}
    return prepared.planned(chosen={place: params for place, params in chosen.items() if place in same})


def _rows(prepared: "Prepared") -> Iterable[dict[str, Any]]:
    """Each cell: what it is, how it stands, and which other studies hold its trial."""
    from studyhub.study.status import cell_states

    store, plan = prepared.store, prepared.plan
    states = cell_states(store, plan.cells)
    there = {cell.trial for cell, state in zip(plan.cells, states, strict=True) if state not in ("pending", "blocked")}
    holders = _holders(store, prepared.spec.name, there) if there else {}
    for cell, state in zip(plan.cells, states, strict=True):
        yield {**vars(cell), "state": state, "open": cell.trial in plan.open, "also_in": holders.get(cell.trial, [])}


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
    placeholders = {row["trial"] for row in rows if row["open"]}
    titles = {"parent": "starts from", "also_in": "also in"}
    table = []
    for row in rows:
        trial, parent = (OPEN if row[key] in placeholders else row[key] or "" for key in ("trial", "parent"))
        texts = row | {"trial": trial, "parent": parent, "also_in": ", ".join(row["also_in"])}
        table.append([texts[key] for key in shown])
    return [titles.get(key, key) for key in shown], table


def _facts(prepared: "Prepared", rows: list[dict[str, Any]], changed: list[str], cost: "Estimate") -> dict[str, Any]:
    plan = prepared.plan
    searches = [
        {"arm": one.arm, "fold": one.fold, "budget": one.settings.budget, "over": [d.key for d in one.domains]} for one in plan.searches
    ]
    return {
        "study": prepared.spec.name,
        "question": prepared.spec.question,
        "folds": [asdict(fold) for fold in plan.folds],
        "left_out": [asdict(left_out) for left_out in plan.left_out],
        "searches": searches,
        "changes": changed,
        "cells": rows,
        "estimate": asdict(cost),
    }
