"""Ids of basins that tables write differently: programs that take an id for a number write 1013500 for 01013500."""

from collections.abc import Iterable

from studyhub.data.manifest import shorten
from studyhub.errors import DataError


class Ids:
    """The ids of one table. ``where`` is for messages."""

    def __init__(self, where: str, ids: Iterable[str]):
        self.where, self.ids = where, frozenset(ids)
        self.numbers: dict[str, list[str]] = {}
        for written in sorted(self.ids):
            if written.isdecimal():
                self.numbers.setdefault(written.lstrip("0"), []).append(written)

    def find(self, basin: str) -> str | None:
        """How this table writes the basin: by its text, else by its number. None: not at all.

        Raises
        ------
        DataError
            Several ids of the table are this number.
        """
        if basin in self.ids:
            return basin
        alike = self.numbers.get(basin.lstrip("0"), []) if basin.isdecimal() else []
        if len(alike) > 1:
            raise DataError(f"{self.where}: basin {basin} may be any of {shorten(alike)}; write the ids as text, with their leading zeros")
        return alike[0] if alike else None


def full_names(where: str, written: Iterable[str], others: Iterable[Ids]) -> dict[str, str]:
    """Name of each basin -> how its table writes it. A name is the longest spelling in any table, which has its leading zeros."""
    others = tuple(others)
    names: dict[str, str] = {}
    for basin in written:
        name = max((basin, *filter(None, (ids.find(basin) for ids in others))), key=len)
        if name in names:
            raise DataError(f"{where}: {names[name]} and {basin} are both basin {name}; write the ids as text, with their leading zeros")
        names[name] = basin
    return dict(sorted(names.items()))
