"""Names that become folders: only characters that every filesystem takes, and no way out of the folder above."""

import re

from studyhub.errors import SpecError

STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
TRIAL = re.compile(r"[0-9a-f]{16}")


def check_study(name: str, source: str = "--name") -> str:
    """Return ``name`` if it can name a study's folder; ``source`` is who gave it."""
    if not STUDY.fullmatch(name):
        message = "a study's name begins with a letter or digit and holds letters, digits, `.`, `_` and `-` (at most 100)"
        raise SpecError(f"{message}, got {name!r}", file=source)
    return name


def safe(text: str) -> tuple[str, bool]:
    """Return the text in characters fit for a name, and whether nothing but brackets, quotes and spaces after commas was lost."""
    plain = re.sub(r"[\[\]\"']", "", re.sub(r",\s*", "-", text.strip())).strip()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).lstrip("._-")
    return name, name == plain
