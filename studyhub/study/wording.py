"""Words of messages: the nearest known name, and values as a study file would show them."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any


def nearest(word: object, known: Iterable[str]) -> str:
    """Return ``did you mean `x`?`` where a known name is near, else the list of known names."""
    names = list(known)
    lower = {name.lower(): name for name in names}
    close = get_close_matches(str(word).lower(), lower, n=1)
    return f"did you mean `{lower[close[0]]}`?" if close else f"known: {listed(names)}"


def unknown(what: str, word: object, known: Iterable[str]) -> str:
    """Words for a name that is none of the known ones."""
    names = list(known)
    hint = nearest(word, names)
    return f"unknown {what} {word!r}; {hint}" + ("" if hint.startswith("known") else f" Known: {listed(names)}")


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names with commas between them, at most ``most``."""
    names = [str(name) for name in names]
    if not names:
        return "none"
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")


def shown(value: Any) -> str:
    """Return a value as a study file would write it, cut where it is long."""
    text = _written(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _written(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value)
        case date():
            return value.isoformat()
        case dict():
            return "{" + ", ".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_written(item) for item in value) + "]"
        case _:
            return str(value)


def mixed_pet(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Say where PET is not one quantity in all basins; empty where it is, as far as is known.

    Parameters
    ----------
    known : basin -> its facts; "pet_method" is as `data.derived.completed` notes it
    """
    counts: dict[str, int] = {}
    for facts in known.values():
        if method := facts.get("pet_method"):
            how = f"as {facts.get('dataset') or 'the data'} gives it" if method == "given" else f"by {str(method).capitalize()}"
            counts[how] = counts.get(how, 0) + 1
    if len(counts) < 2:
        return ""
    told = ", ".join(f"{how} in {count} basin{'s' * (count > 1)}" for how, count in counts.items())
    return (
        f"PET is {told}: models that learn from one kind may fail on another; `studyhub ingest ... --pet oudin` gives all basins the same"
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(7.4), duration(130), duration(3900), duration(200000)
    ('7 s', '2 min 10 s', '1 h 5 min', '2 d 7 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def size(count: float) -> str:
    """Bytes as a person says them.

    >>> size(900), size(3_400_000), size(2.5e12)
    ('900 B', '3.4 MB', '2.5 TB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def shortened(arms: Iterable[str], width: int) -> list[str]:
    """Arms' names in at most ``width`` characters: of their keys only the beginnings, for levels tell arms apart; then without the middle.

    >>> shortened(["lstm+hidden_size=16", "lstm+hidden_size=4"], 14), shortened(["sequential_daily"], 10)
    (['lstm+hidde=16', 'lstm+hidde=4'], ['seque…aily'])
    """
    arms = list(arms)
    for letters in range(9, 0, -2):
        if all(len(arm) <= width for arm in arms):
            return arms
        arms = [re.sub(rf"(?<![^+])([^+=]{{{letters}}})[^+=]*=", r"\1=", arm) for arm in arms]
    end = (width - 1) // 2
    return [arm if len(arm) <= width else f"{arm[: width - 1 - end]}…{arm[len(arm) - end :]}" for arm in arms]
