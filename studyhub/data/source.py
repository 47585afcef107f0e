"""What every reader of basins is: the one contract between raw data and `studyhub.data.ingest`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from studyhub.data.record import Basin


class Source(Protocol):
    """Basins somewhere, found but not yet read.

    A source is made by a function ``find(...)`` of its reader's module, which names what is missing at once. It can be pickled: the basins
    are read in other processes too.

    Parameters
    ----------
    reader : its name in ``catalog.READERS``
    settings : what it was told, as plain values for the manifest; paths are no part of it
    basins : ids, sorted
    units : unit of each variable that its basins have, in the order of their series
    codes : attribute that is a category -> its names in the order of their codes (0, 1, ...; -1 is missing). A code must not depend on
        which basins are read.
    """

    @property
    def reader(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def basins(self) -> tuple[str, ...]: ...

    @property
    def units(self) -> Mapping[str, str]: ...

    @property
    def codes(self) -> Mapping[str, Sequence[str]]: ...

    def read(self, basins: Sequence[str]) -> Iterator[Basin]:
        """Read some basins, in the order given.

        Each has all variables of ``units`` in that order, in these units, on contiguous days, NaN where missing; and the same attributes as
        every other basin, NaN where missing. What a reader met and mended on the way (doubled rows, days that were not there) it counts in
        the basin's ``met``.

        Raises
        ------
        DataError
            What is there cannot be understood: file and line, basin or day are named.
        """
        ...
