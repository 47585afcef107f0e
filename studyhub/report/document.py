"""A text of a report that is to be read, copied and taken along."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """``paragraphs`` as they stand in the page; ``forms`` by ending ("txt", "md", "tex")."""

    name: str
    title: str
    paragraphs: tuple[str, ...]
    forms: Mapping[str, str]
