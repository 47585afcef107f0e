"""Pydantic's findings in a hydrologist's words: what was required, what was given, what to do, and on which line."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from studyhub.errors import SpecError
from studyhub.study.shape import ShardFolder, StudyFile, Synthetic, keys_at
from studyhub.study.wording import nearest, shown
from studyhub.study.yaml import Document, Key

NEEDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "tuple_type": "a list",
}
BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "above"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "below"),
}
EXAMPLES = {
    "question": "what the study asks, in a sentence",
    "split": "{train: [1985-10-01, 1995-09-30], test: [1997-10-01, 2007-09-30]}",
    "train": "[1985-10-01, 1995-09-30]",
    "test": "[1997-10-01, 2007-09-30]",
    "parameters": "{learning_rate: {low: 1e-4, high: 0.01, log: true}}",
    "budget": "trainings for each arm and fold, such as 12",
    "arm": "an arm",
    "levels": "[1, 4, 16]",
    "seeds": "[1, 2, 3]",
    "better": "an arm",
    "than": "an arm",
    "metric": "kge",
}


def translate(
    document: Document,
    error: ValidationError,
    keys: Callable[[Key], tuple[str, ...]] | None = None,
    examples: Mapping[str, str] = EXAMPLES,
    at: Callable[[Key], Key] = lambda key: key,
) -> list[SpecError]:
    """One SpecError for each of pydantic's findings; a required key that is only misspelt is not missed too.

    ``keys`` says which keys the mapping at a place may hold, None for those of a study; ``examples`` what a required key may say; ``at``
    where in the document a finding's key stands, where only part of it was checked.
    """
    details = [(at(_key(detail)), detail) for detail in error.errors(include_url=False)]
    unknown = {key: _unknown_key(document, key, keys) for key, detail in details if detail["type"] == "extra_forbidden"}
    known = keys or (lambda parent: _known(document, parent))
    meant = {(*key[:-1], name) for key, words in unknown.items() for name in known(key[:-1]) if f"`{name}`" in words}
    return [
        document.error(unknown[key] if key in unknown else _words(key, detail, examples), *key)
        for key, detail in details
        if detail["type"] != "missing" or key not in meant
    ]


def _key(detail: Any) -> Key:
    """Place of a finding, without pydantic's own marks: <shards> is which kind of data was tried, [key] a mapping's key."""
    return tuple(part for part in detail["loc"] if not str(part).startswith(("<", "[")))


def _words(key: Key, detail: Any, examples: Mapping[str, str]) -> str:
    if detail["type"] == "missing":
        example = examples.get(str(key[-1]))
        return "is required" + (f": {example}" if example else "")
    return _message(detail["type"], detail)


def _message(kind: str, detail: Any) -> str:
    given = shown(detail["input"])
    context = detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in BOUNDS:
        bound, words = BOUNDS[kind]
        return f"needs a number {words} {context[bound]:g}, got {given}"
    if kind == "too_short":
        return f"needs at least {context['min_length']}, got {given}"
    if kind in NEEDS:
        return f"needs {NEEDS[kind]}, got {given}"
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, got {given}"


def _known(document: Document, parent: Key) -> tuple[str, ...]:
    """Keys that the mapping at ``parent`` may hold."""
    if parent[:1] == ("data",):
        return tuple((ShardFolder if "shards" in document.get("data") else Synthetic).model_fields)
    return keys_at(parent)


def _unknown_key(document: Document, key: Key, keys: Callable[[Key], tuple[str, ...]] | None) -> str:
    *parent, name = key
    hint = nearest(name, _known(document, tuple(parent)) if keys is None else keys(tuple(parent)))
    if keys is None and hint.startswith("known") and (home := _home(str(name), tuple(parent))):
        return f"unknown key here; it belongs in `{home}`"
    return f"unknown key; {hint}"


def _home(name: str, parent: Key) -> str | None:
    """Section that does have the key ``name``."""
    sections = ("shared", "training", "split", "resources", "arms")
    if parent and name in StudyFile.model_fields:
        return "the outermost level"
    return next((section for section in sections if (section,) != parent and name in keys_at((section,))), None)
