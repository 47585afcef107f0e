"""Changes from the command line: ``--set path.to.key=value``, ``--data SHARDS``, and the names that changed studies get."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studyhub.errors import SpecError
from studyhub.storage import last_part
from studyhub.study.names import safe
from studyhub.study.shape import StudyFile
from studyhub.study.wording import nearest, shown
from studyhub.study.yaml import Document, Key, parse

LONGEST = 80  # characters of a derived name, before its hash
TWICE = ("seed", "exclude")  # keys of more than one section, which a name must tell apart


@dataclass(frozen=True)
class Override:
    """One ``--set``: ``text`` as given, ``written`` its value's text."""

    text: str
    key: Key
    written: str
    value: Any
    texts: dict[Key, str]


def parse_override(text: str) -> Override:
    """Read ``path.to.key=value``; the value is YAML."""
    option = f"--set {text}"
    path, equals, written = text.partition("=")
    parts = [part.strip() for part in path.split(".")]
    if not equals or not all(parts):
        raise SpecError("path.to.key=value is required, such as training.epochs=5", file=option)
    document = parse(written, option)
    key = tuple(int(part) if part.isdecimal() else part for part in parts)
    return Override(text, key, written.strip(), document.values, document.texts)


def apply(document: Document, change: Override) -> None:
    """Write the change into the document. A path may end in a key that the file leaves out, but must lead through what there is."""
    option = f"--set {change.text}"
    for depth in range(len(change.key)):
        problem = _problem(document, change.key[:depth], change.key[depth], last=depth == len(change.key) - 1)
        if problem:
            raise SpecError(problem, file=option, key=".".join(str(part) for part in change.key[: depth + 1]))
    document.put(change.value, option, *change.key, texts=change.texts)


def _problem(document: Document, above: Key, part: str | int, *, last: bool) -> str | None:
    """What keeps a path from going on from ``above`` to ``part``; sections that the file leaves out are begun."""
    parent = document.get(*above) if above else document.values
    if isinstance(parent, list):
        return None if isinstance(part, int) and part < len(parent) else f"the list has {len(parent)} items, counted from 0"
    if parent is None and len(above) <= 2:
        document.put({}, "--set", *above)
        return _problem(document, above, part, last=last)
    if not isinstance(parent, dict):
        return f"`{'.'.join(map(str, above))}` is {shown(parent)}, which holds no keys"
    if not above:
        known = tuple(StudyFile.model_fields)
        if part not in known:
            return f"unknown key; {nearest(part, known)}"
        if not last:
            parent.setdefault(part, None)
        return None
    if part in parent or (last and above != ("arms",)):
        return None
    return f"there is no such key; {nearest(part, parent)}"


def replace_data(document: Document, shards: Sequence[str]) -> None:
    """Take the basins from ``shards``. A choice among basins stays, where the file chose among shards before."""
    old = document.get("data")
    known = old if isinstance(old, dict) else {}
    kept = ("basins", "exclude", "without", "fill") if "shards" in known else ("without", "fill")
    option = " ".join(f"--data {folder}" for folder in shards)
    document.put({"shards": list(shards), **{key: known[key] for key in kept if key in known}}, option, "data")


def derive_name(path: str | Path, changes: Sequence[Override], data: Sequence[str] = ()) -> str:
    """Name a study after its file and the changes from the command line, so that a changed study never takes another's folder."""
    stem, exact = safe(Path(path).stem)
    if not stem:
        raise SpecError("no study name can be made of this file's name; give one with --name", file=str(path))
    parts = [safe(last_part(folder)) for folder in data]
    parts += [_change(change) for change in changes]
    name = "-".join([stem, *(text for text, _ in parts)])
    if len(name) <= LONGEST and exact and all(exact for _, exact in parts):
        return name
    identity = repr([Path(path).stem, list(data), [change.text for change in changes]])
    return f"{name[:LONGEST].rstrip('.-')}-{hashlib.sha256(identity.encode()).hexdigest()[:6]}"


def _change(change: Override) -> tuple[str, bool]:
    section, *inner = change.key
    key = inner if section in ("shared", "training", "split", "data") and inner and inner[0] not in TWICE else change.key
    return safe("-".join(str(part) for part in (*key, change.written or "none")))
