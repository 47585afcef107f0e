"""CAMELS-US as distributed: text files of forcing, discharge and attributes.

The folder holds ``basin_mean_forcing/<forcing>/<huc>/<id>_*forcing_leap.txt`` and ``usgs_streamflow/<huc>/<id>_streamflow_qc.txt`` (or both
below ``basin_dataset_public_v1p2/``), and ``camels_attributes_v2.0/camels_*.txt`` (or these files themselves).

Newman et al. (2015), doi:10.5194/hess-19-209-2015; Addor et al. (2017), doi:10.5194/hess-21-5293-2017.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from studyhub.catalog import FORCINGS, TARGET
from studyhub.data.camels_attributes import Attributes
from studyhub.data.manifest import shorten
from studyhub.data.record import Basin
from studyhub.data.text_table import TextTable, read_head
from studyhub.errors import DataError

READER = "camels-us"
CFS = 0.028316846592  # m3/s
HEADER_LINES = 4
DATE = ("year", "mnth", "day", "hr")
DISCHARGE_FIELDS = 6
MISSING, FLAG_MISSING = -999.0, "M"
COLUMNS = {"dayl": "dayl(s)", "prcp": "prcp(mm/day)", "srad": "srad(w/m2)", "tmax": "tmax(c)", "tmin": "tmin(c)", "vp": "vp(pa)"}
# As first released, Maurer and NLDAS have the daily mean in both columns, and no range that PET could be told from. The releases that came
# later (maurer_extended, nldas_extended) have both ends.
ONLY_MEANS = ("maurer", "nldas")

Series = dict[str, np.ndarray]


@dataclass(frozen=True)
class CamelsUS:
    """A `studyhub.data.source.Source` of the files of each basin, and all attributes.

    Discharge is turned into mm/d by the area on line 3 of the forcing file; -999, any other negative value and the flag M are missing, and
    so are days that the discharge file lacks. Snow water equivalent, always 0, is left out. The fact ``forcing_lat`` is line 1 of the
    forcing file, where the weather is meant to be.

    Parameters
    ----------
    forcing : folder below ``basin_mean_forcing``
    basins : all that have a forcing or a discharge file
    forcings, discharges : basin -> its file
    attributes : of these basins
    incomplete : basin -> why it cannot be read
    """

    forcing: str
    basins: tuple[str, ...]
    forcings: Mapping[str, Path] = field(repr=False)
    discharges: Mapping[str, Path] = field(repr=False)
    attributes: Attributes = field(repr=False)
    incomplete: Mapping[str, str]

    @property
    def reader(self) -> str:
        return READER

    @property
    def settings(self) -> dict[str, str]:
        return {"forcing": self.forcing}

    @property
    def units(self) -> dict[str, str]:
        temperatures = ("tmean",) if self.forcing in ONLY_MEANS else ("tmin", "tmax")
        return {name: FORCINGS[name] for name in ("prcp", *temperatures, "srad", "vp", "dayl")} | {TARGET: "mm/d"}

    @property
    def codes(self) -> Mapping[str, tuple[str, ...]]:
        return self.attributes.codes

    def read(self, basins: Sequence[str]) -> Iterator[Basin]:
        """Read some basins, in the order given.

        Raises
        ------
        DataError
            A basin is unknown or incomplete, or a line of its files cannot be read (file and line are named).
        """
        for basin in basins:
            if basin in self.incomplete:
                raise DataError(self.incomplete[basin])
            if basin not in self.forcings:
                raise DataError(f"no basin {basin!r} in the CAMELS-US files; there are {shorten(self.basins)}")
            yield self._basin(basin)

    def _basin(self, basin: str) -> Basin:
        series, dates, latitude, area = _read_forcing(self.forcings[basin])
        discharge, met = _read_discharge(self.discharges[basin], basin, dates)
        series["tmean"] = (series["tmin"] + series["tmax"]) / 2
        series[TARGET] = discharge * (CFS * 86_400 * 1000 / area)
        numbers, place = self.attributes.numbers[basin], self.attributes.text[basin]
        facts = {
            "name": place.get("gauge_name", ""),
            "huc_02": place.get("huc_02", ""),
            "gauge_lat": latitude,
            "forcing_lat": latitude,
            "continent": "North America",
            "area_km2": area / 1e6,
        }
        facts |= {name: numbers[name] for name in ("gauge_lat", "gauge_lon") if np.isfinite(numbers.get(name, np.nan))}
        ordered = {name: series[name] for name in self.units}
        return Basin(basin, dates[0].item(), ordered, numbers, facts, met=met)


def find(folder: str | Path, *, forcing: str = "daymet") -> CamelsUS:
    """Find the files in ``folder``, the layout as distributed.

    Parameters
    ----------
    folder : holds the three folders named above
    forcing : folder below ``basin_mean_forcing``: daymet, maurer, maurer_extended, nldas or nldas_extended

    Raises
    ------
    DataError
        A folder is missing or empty, or an attribute file cannot be read.
    """
    folder = Path(folder)
    every, flows = _subfolder(folder, "basin_mean_forcing"), _subfolder(folder, "usgs_streamflow")
    if not (every / forcing).is_dir():
        known = sorted(path.name for path in every.iterdir() if path.is_dir())
        raise DataError(f"{every}: no forcing {forcing!r}; there are {shorten(known) or 'none'}")
    forcings, discharges = _by_basin(every / forcing, "*forcing_leap.txt"), _by_basin(flows, "*_streamflow_qc.txt")
    basins = tuple(sorted(forcings.keys() | discharges.keys()))
    if not basins:
        raise DataError(f"{every / forcing}: files <huc>/<basin>_*forcing_leap.txt are required, there are none")
    attributes = Attributes.read(folder, basins)
    files = {f"{every}: no {forcing} forcing file": forcings, f"{flows}: no discharge file": discharges}
    files |= {f"{path}: no line": dict.fromkeys(there, ()) for path, there in attributes.basins.items()}
    incomplete = {basin: why for basin in basins if (why := _why_incomplete(basin, files))}
    one, other = ({basin: paths[0] for basin, paths in found.items()} for found in (forcings, discharges))
    return CamelsUS(forcing, basins, one, other, attributes, incomplete)


def _why_incomplete(basin: str, files: Mapping[str, Mapping[str, Sequence[Path]]]) -> str:
    for lack, found in files.items():
        if basin not in found:
            return f"{lack} of basin {basin}; complete the files or leave the basin out"
        if len(found[basin]) > 1:
            return f"basin {basin} has two files, {found[basin][0]} and {found[basin][1]}; move one away or leave the basin out"
    return ""


def _read_forcing(path: Path) -> tuple[Series, np.ndarray, float, float]:
    """Variables [time], dates, latitude [degrees] and area [m2]."""
    header = read_head(path, HEADER_LINES)
    latitude, area = _number(path, 1, header[0], "latitude"), _number(path, 3, header[2], "area in m2")
    if not area > 0 or not -90 <= latitude <= 90:
        raise DataError(f"{path}: line 1 must be a latitude and line 3 an area above 0 m2, got {latitude} and {area}")
    names = header[3].lower().split()
    if names[:1] == [COLUMNS["dayl"]]:
        names = [*DATE, *names]  # so are four of the Maurer files: 02108000, 05120500, 07067000, 09492400
    missing = [name for name in COLUMNS.values() if name not in names]
    if missing or tuple(names[:3]) != DATE[:3]:
        required = f"the columns {' '.join(DATE)} and then {', '.join(COLUMNS.values())} are required"
        raise DataError(f"{path}:4: {required}, no {shorten(missing) or 'date'} in {header[3]!r}")
    table = TextTable.read(path, HEADER_LINES, len(names))
    dates = table.contiguous_days()
    return {name: table.numbers(names.index(column)) for name, column in COLUMNS.items()}, dates, latitude, area


def _read_discharge(path: Path, basin: str, dates: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Discharge in cfs on ``dates``, NaN where missing, and what was met."""
    table = TextTable.read(path, 0, DISCHARGE_FIELDS)
    own, values = table.days(first=1), table.numbers(4)
    for wrong, what in ((~table.is_text(0, basin), f"basin {basin}"), (np.r_[False, own[1:] <= own[:-1]], "a later day")):
        if wrong.any():
            raise table.error(np.flatnonzero(wrong)[0], f"{what} is required")
    missing = (values < 0) | table.is_text(5, FLAG_MISSING)
    position = (own - dates[0]).astype(int)
    inside = (position >= 0) & (position < len(dates))
    aligned = np.full(len(dates), np.nan)
    kept = inside & ~missing
    aligned[position[kept]] = values[kept]
    days = position[inside]
    met = {
        # Between its first and its last day: a gauge that began later than the weather lacks nothing.
        "missing_days": int(days[-1] - days[0]) + 1 - len(days) if len(days) else 0,
        "negative_qobs": int((inside & (values < 0) & (values != MISSING)).sum()),
    }
    return aligned, {what: days for what, days in met.items() if days}


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


def _by_basin(folder: Path, pattern: str) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*/{pattern}")):
        files.setdefault(path.name.split("_")[0], []).append(path)
    return files
