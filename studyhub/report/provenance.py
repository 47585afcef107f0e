"""What made the results: every trial, libraries and machines, MLflow, and the study file itself."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from studyhub.report.collect import Results, Run
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, frame, whole
from studyhub.study.store import settings_hash

FEW = 40  # trials of a page; the CSV has all
QUERY = re.compile(r"[?#].*", re.S)


def section(results: Results, studies: Sequence[Results]) -> Section:
    """Provenance of all trials, and of each study that they are of."""
    notes = [note for study in studies for note in _notes(study, f"{study.spec.name}: " if len(studies) > 1 else "")]
    return Section(
        "provenance",
        "Provenance",
        folded=(trials(results), versions(results)),
        notes=tuple(notes),
        text_title="Study file" if len(studies) == 1 else "Study files",
        text="\n".join(study.text for study in studies),
    )


def _notes(study: Results, begin: str) -> list[str]:
    source, content, name = study.data.get("source", "unknown"), study.data.get("hash", "unknown"), study.spec.name
    notes = [f"{begin}Study file (with all defaults): hash {settings_hash(study.text)}. Data: {source}, content hash {content}."]
    if place := address(study.mlflow):
        notes.append(f"{begin}Runs in MLflow: {place}, experiment {name}; `studyhub ui {name}` shows them in a browser.")
    return notes


def address(uri: str | None) -> str:
    """Where runs are, without user, password or anything that follows a question mark; a local file without its folders."""
    if not uri:
        return ""
    parts = urlsplit(QUERY.sub("", uri))
    if parts.scheme.startswith("sqlite") or parts.scheme in ("", "file"):
        return f"{parts.path.rpartition('/')[2] or 'a folder'} in the study's home"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def trials(results: Results) -> Table:
    """Every trial and what made it."""
    columns = (
        Column("arm", "arm"),
        Column("fold", "fold"),
        Column("seed", "seed"),
        Column("state", "state"),
        Column("trial", "trial"),
        Column("commit", "commit"),
        Column("device", "device"),
        Column("dtype", "dtype"),
        Column("backend", "backend"),
        Column("host", "host"),
        Column("data", "data"),
        Column("table", "external table"),
    )
    rows = [_trial(run) for run in results.runs]
    caption = (
        "A trial's id hashes its settings, its data and the version of the science; the same id means the same training. "
        "+ marks a commit with changes that it does not hold."
    )
    return Table("trials", "Trials", caption, columns, frame(rows, columns), most=FEW)


def _trial(run: Run) -> dict[str, Any]:
    made = run.result.get("provenance") or {}
    commit = made.get("commit")
    return {
        "arm": run.cell.arm,
        "fold": run.cell.fold,
        "seed": run.cell.seed,
        "state": run.state,
        "trial": run.cell.trial,
        "commit": commit[:10] + ("+" if made.get("dirty") else "") if commit else None,
        "device": made.get("device"),
        "dtype": made.get("dtype"),
        "backend": (run.result.get("test_solve") or {}).get("backend"),
        "host": made.get("host"),
        "data": run.result.get("data"),
        "table": f"{table.get('file')}, hash {table.get('hash')}" if (table := run.result.get("external")) else None,
    }


def versions(results: Results) -> Table:
    """Libraries and machines, each with the number of trials that used it."""
    columns = (Column("what", "what"), Column("version", "version"), Column("trials", "trials", "", whole))
    counts: dict[tuple[str, str], int] = {}
    for run in results.runs:
        for pair in _made_with(run.result.get("provenance") or {}):
            counts[pair] = counts.get(pair, 0) + 1
    rows = [{"what": what, "version": version, "trials": count} for (what, version), count in counts.items()]
    return Table("versions", "Software and machines", "What the trials ran with.", columns, frame(rows, columns))


def _made_with(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    machine = [(key, str(made[key])) for key in ("python", "platform", "cpu", "device", "dtype") if made.get(key)]
    return [*((name, str(version)) for name, version in (made.get("packages") or {}).items()), *machine]
