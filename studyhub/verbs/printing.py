"""What verbs print: JSON for programs, columns for people."""

import json
from collections.abc import Sequence
from typing import Any

from studyhub.study.files import plain


def print_json(content: Any, indent: int | None = 1) -> None:
    """Print JSON; without ``indent``, which is ten times as fast, on one line."""
    print(json.dumps(plain(content), indent=indent, allow_nan=False))


def print_columns(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print("\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines))
