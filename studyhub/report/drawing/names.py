"""Names as they may stand in a drawing, and how much room they take."""

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from os.path import commonprefix

SIZE = 9.0  # points, of all text: legible where a phone shows a figure at its natural width
ELLIPSIS = "…"
# What XML 1.0 cannot hold, and the controls that turn the direction of the text after them.
NOT_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NARROW, WIDE = set("fijlrtI1.,:;'!|()[] -/"), set("mwMW@%")


def plain(text: object) -> str:
    """One line of text that any XML may hold."""
    return " ".join(NOT_TEXT.sub("\ufffd", str(text)).split()) or "(no name)"


def measure(text: str, size: float = SIZE) -> float:
    """Estimate the width of a text in points; wide rather than narrow, as the reader's font is not known."""
    return size * sum(map(_em, text))


def _em(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if letter in NARROW:
        return 0.42
    return 0.95 if letter in WIDE else 0.7 if letter.isupper() else 0.63


def shorten(text: object, width: float, size: float = SIZE) -> str:
    """Leave out the middle of a name that is wider than ``width`` points: names of arms often differ at their ends."""
    name = plain(text)
    if measure(name, size) <= width:
        return name
    for kept in range(min(len(name), int(2 * width / size)) - 1, 1, -1):
        short = name[: (kept + 1) // 2].rstrip() + ELLIPSIS + name[len(name) - kept // 2 :].lstrip()
        if measure(short, size) <= width:
            return short
    return name[:1] + ELLIPSIS


def labels(names: Sequence[str], width: float) -> dict[str, str]:
    """A short label for each name, another one for each."""
    found = {name: shorten(name, width) for name in names}
    for alike in _alike(found):
        found |= _from_difference(alike, width)
    for alike in _alike(found):
        found |= {name: f"{shorten(name, width - 3 * SIZE)} ({place})" for place, name in enumerate(alike, 1)}
    return found


def _alike(found: Mapping[str, str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name, label in found.items():
        groups.setdefault(label, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _from_difference(names: Sequence[str], width: float) -> dict[str, str]:
    """Leave out what long names begin with in common, but for a few letters, and what is too much at their ends."""
    texts = {name: plain(name) for name in names}
    start = max(0, len(commonprefix(list(texts.values()))) - 4)
    return {name: _cut(ELLIPSIS + text[start:] if start else text, width) for name, text in texts.items()}


def _cut(text: str, width: float) -> str:
    if measure(text) <= width:
        return text
    kept = max(1, sum(measure(text[:end] + ELLIPSIS) <= width for end in range(1, len(text))))
    return text[:kept].rstrip() + ELLIPSIS


def stem(*parts: str) -> str:
    """A file name stem of lower-case letters, digits and underscores, another one for other parts."""
    return "_".join(map(_stem, parts))


def _stem(part: str) -> str:
    kept = re.sub("[^a-z0-9]+", "_", part.lower()).strip("_")[:40]
    if kept == part:
        return kept
    return f"{kept}_{hashlib.sha256(part.encode('utf-8', 'replace')).hexdigest()[:6]}".lstrip("_")


def listed(names: Iterable[str], most: int = 4) -> str:
    """Names in a sentence; of many the first few."""
    found = [plain(name) for name in names]
    if len(found) > most:
        return f"{', '.join(found[: most - 1])} and {len(found) - most + 1} more"
    return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def basins_in_words(count: int) -> str:
    return "1 basin" if count == 1 else f"{count} basins"


def number(value: float) -> str:
    """Three digits of a score, "not defined" where there is none."""
    return f"{value:.3g}".replace("-", "\u2212") if math.isfinite(value) else "not defined"
