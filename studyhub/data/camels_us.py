"""CAMELS-US as distributed: text files of forcing, discharge and attributes.

The folder holds ``basin_mean_forcing/<forcing>/<huc>/<id>_*forcing_leap.txt`` and ``usgs_streamflow/<huc>/<id>_streamflow_qc.txt`` (or both
below ``basin_dataset_public_v1p2/``), and ``camels_attributes_v2.0/camels_*.txt`` (or these files themselves).

Newman et al. (2015), doi:10.5194/hess-19-209-2015; Addor et al. (2017), doi:10.5194/hess-21-5293-2017.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studyhub.data.camels_attributes import Attributes
from studyhub.data.climate import climate_group
from studyhub.data.manifest import shorten
from studyhub.data.pet import hargreaves
from studyhub.data.record import Basin, day_of_year
from studyhub.data.shards import Shards, write
from studyhub.data.text_table import TextTable
from studyhub.errors import DataError

SOURCE = "camels-us"
CFS = 0.028316846592  # m3/s
HEADER_LINES = 4
FORCING_FIELDS, DISCHARGE_FIELDS = 11, 6
COLUMNS = {"dayl": "dayl(s)", "prcp": "prcp(mm/day)", "srad": "srad(W/m2)", "tmax": "tmax(C)", "tmin": "tmin(C)", "vp": "vp(Pa)"}
VARIABLES = ("prcp", "tmin", "tmax", "tmean", "pet", "srad", "vp", "dayl", "qobs")


def ingest(
    folder: str | Path,
    out: str | Path,
    *,
    forcing: str = "daymet",
    basins: Sequence[str] | None = None,
    without: Sequence[str] = (),
    progress: Callable[[int, int, str], None] | None = None,
) -> Shards:
    """Turn the raw files in ``folder`` into the shards ``out``.

    Parameters
    ----------
    folder, out : the raw layout; the shards folder to make
    forcing, basins, without : as in `read`
    progress : called with basins done, basins in all and the basin's id
    """
    raw = _Raw.find(Path(folder), forcing, basins, without)

    def reported() -> Iterator[Basin]:
        for done, basin in enumerate(raw.read(), start=1):
            yield basin
            if progress is not None:
                progress(done, len(raw.forcing), basin.name)

    return Shards.open(write(out, reported(), source=SOURCE, settings={"forcing": forcing}, codes=raw.attributes.codes))


def read(folder: str | Path, forcing: str = "daymet", basins: Sequence[str] | None = None, without: Sequence[str] = ()) -> Iterator[Basin]:
    """Read basins in the order of their ids, with the variables ``VARIABLES``.

    Discharge is turned into mm/d by the area on line 3 of the forcing file; -999, any other negative value and the flag M are missing, and
    so are days that the discharge file lacks. PET is Hargreaves at the latitude on line 1. Daymet's snow water equivalent, always 0, is
    left out.

    Parameters
    ----------
    folder : the raw layout
    forcing : folder below ``basin_mean_forcing``
    basins : ids to read, None for all that have a forcing file
    without : ids to leave out

    Raises
    ------
    DataError
        A folder, file, basin or attribute is missing, or a line cannot be read (file and line are named).
    """
    return _Raw.find(Path(folder), forcing, basins, without).read()


@dataclass(frozen=True)
class _Raw:
    """The files of each basin, and the attributes."""

    forcing: dict[str, Path]
    discharge: dict[str, Path]
    attributes: Attributes

    @classmethod
    def find(cls, folder: Path, forcing: str, basins: Sequence[str] | None, without: Sequence[str]) -> "_Raw":
        forcings = _by_basin(_subfolder(folder, "basin_mean_forcing") / forcing, "*forcing_leap.txt")
        discharges = _by_basin(_subfolder(folder, "usgs_streamflow"), "*_streamflow_qc.txt")
        unknown = set(without) - set(forcings) - set(discharges)
        if unknown:
            raise DataError(f"{folder}: basins to leave out must be there, there is no {shorten(sorted(unknown))}")
        chosen = sorted((set(forcings) if basins is None else set(basins)) - set(without))
        if not chosen:
            raise DataError(f"{folder}: at least one basin is required, none is left")
        _require(f"{folder}: no {forcing} forcing file", chosen, forcings)
        _require(f"{folder}: no discharge file", chosen, discharges)
        attributes = Attributes.read(folder)
        for path, known in attributes.basins.items():
            _require(f"{path}: no line", chosen, known)
        return cls({b: forcings[b] for b in chosen}, {b: discharges[b] for b in chosen}, attributes)

    def read(self) -> Iterator[Basin]:
        for basin in self.forcing:
            yield self._basin(basin)

    def _basin(self, basin: str) -> Basin:
        series, dates, latitude, area = _read_forcing(self.forcing[basin])
        series["tmean"] = (series["tmin"] + series["tmax"]) / 2
        series["pet"] = hargreaves(series["tmin"], series["tmax"], latitude, day_of_year(dates))
        series["qobs"] = _read_discharge(self.discharge[basin], basin, dates) * (CFS * 86_400 * 1000 / area)
        place = self.attributes.text[basin]
        facts = {
            "name": place.get("gauge_name", ""),
            "huc_02": place.get("huc_02", ""),
            "gauge_lat": self.attributes.numbers[basin].get("gauge_lat", float("nan")),
            "gauge_lon": self.attributes.numbers[basin].get("gauge_lon", float("nan")),
            "continent": "North America",
            "climate_group": climate_group(series["prcp"], series["tmean"], dates),
            "area_km2": area / 1e6,
        }
        ordered = {name: series[name] for name in VARIABLES}
        return Basin(basin, dates[0].item(), ordered, self.attributes.numbers[basin], facts)


def _read_forcing(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray, float, float]:
    """Variables [time], dates, latitude [degrees] and area [m2]."""
    with path.open(encoding="ascii", errors="replace") as file:
        header = [file.readline().strip() for _ in range(HEADER_LINES)]
    latitude, area = _number(path, 1, header[0], "latitude"), _number(path, 3, header[2], "area in m2")
    if area <= 0 or not -90 <= latitude <= 90:
        raise DataError(f"{path}: line 1 must be a latitude and line 3 an area above 0 m2, got {latitude} and {area}")
    names = [name.lower() for name in header[3].split()]
    missing = [name for name in COLUMNS.values() if name.lower() not in names]
    if missing:
        raise DataError(f"{path}:4: no column {shorten(missing)}; the header is {header[3]!r}")
    table = TextTable.read(path, HEADER_LINES, len(names))
    dates = table.contiguous_days()
    series = {name: table.numbers(names.index(column.lower())) for name, column in COLUMNS.items()}
    return series, dates, latitude, area


def _read_discharge(path: Path, basin: str, dates: np.ndarray) -> np.ndarray:
    """Discharge in cfs on ``dates``, NaN where missing."""
    table = TextTable.read(path, 0, DISCHARGE_FIELDS, text=(0, 5))
    own, values = table.days(first=1), table.numbers(4)
    for wrong, what in ((table.text(0) != basin, f"basin {basin}"), (np.r_[False, np.diff(own).astype(int) <= 0], "a later day")):
        if wrong.any():
            raise table.error(np.flatnonzero(wrong)[0], f"{what} is required")
    missing = (values < 0) | (table.text(5) == "M")
    aligned = np.full(len(dates), np.nan)
    position = (own - dates[0]).astype(int)
    inside = (position >= 0) & (position < len(dates)) & ~missing
    aligned[position[inside]] = values[inside]
    return aligned


def _number(path: Path, line: int, text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{path}:{line}: the {what} is required, got {text!r}") from None


def _subfolder(folder: Path, name: str) -> Path:
    for place in (folder / name, folder / "basin_dataset_public_v1p2" / name):
        if place.is_dir():
            return place
    raise DataError(f"{folder}: a folder {name} is required (the CAMELS-US layout as distributed), there is none")


def _by_basin(folder: Path, pattern: str) -> dict[str, Path]:
    return {path.name.split("_")[0]: path for path in sorted(folder.glob(f"*/{pattern}"))}


def _require(what: str, basins: Sequence[str], known: Container[str]) -> None:
    missing = [basin for basin in basins if basin not in known]
    if missing:
        raise DataError(f"{what} of basin {shorten(missing)}; complete the files or leave the basin out")
