"""Caravan as distributed, with any number of its sub-datasets and extensions.

The folder holds ``timeseries/csv/<sub-dataset>/<gauge_id>.csv``, ``timeseries/netcdf/<sub-dataset>/<gauge_id>.nc`` or both, and
``attributes/<sub-dataset>/attributes_<family>_<sub-dataset>.csv`` with the families caravan, hydroatlas and other. The CSV files are
those in NetCDF rounded to two decimals.

Up to version 1.4 the only potential evaporation is ERA5-Land's own, ``potential_evaporation_sum``, which is far too high in many places;
version 1.5 renames it to ``potential_evaporation_sum_ERA5_LAND`` and adds ``potential_evaporation_sum_FAO_PENMAN_MONTEITH``. The climate
attributes of Caravan (``p_mean``, ``pet_mean``, ``seasonality``, ...) have definitions of their own and are taken over 1981 to 2020,
whatever the periods of a study.

Kratzert, F. et al. (2023). Caravan - A global community dataset for large-sample hydrology. doi:10.1038/s41597-023-01975-w
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from studyhub.data.caravan_attributes import Attributes
from studyhub.data.caravan_series import DATE, columns_of, contiguous, read_series
from studyhub.data.manifest import shorten
from studyhub.data.pet import METHODS
from studyhub.data.record import UNITS, Basin
from studyhub.errors import DataError

READER = "caravan"
SUFFIXES = {"csv": ".csv", "netcdf": ".nc"}
Pet = Literal["auto", "fao", "era5", "hargreaves", "oudin"]
Format = Literal["csv", "netcdf"]

CANONICAL = {
    "prcp": "total_precipitation_sum",
    "tmin": "temperature_2m_min",
    "tmax": "temperature_2m_max",
    "tmean": "temperature_2m_mean",
    "qobs": "streamflow",
}
ERA5_PET, FAO_PET, OLD_PET = (f"potential_evaporation_sum{end}" for end in ("_ERA5_LAND", "_FAO_PENMAN_MONTEITH", ""))
PET = {"fao": FAO_PET, "era5": ERA5_PET}
ALIASES = {OLD_PET: ERA5_PET}
# Every band has a daily mean, minimum and maximum.
BANDS = {
    "snow_depth_water_equivalent": "mm",
    "surface_net_solar_radiation": "W/m2",
    "surface_net_thermal_radiation": "W/m2",
    "surface_pressure": "kPa",
    "dewpoint_temperature_2m": "degC",
    "u_component_of_wind_10m": "m/s",
    "v_component_of_wind_10m": "m/s",
} | {f"volumetric_soil_water_layer_{layer}": "m3/m3" for layer in (1, 2, 3, 4)}
OTHERS = {f"{band}_{of}": unit for band, unit in BANDS.items() for of in ("mean", "min", "max")} | {ERA5_PET: "mm/d", FAO_PET: "mm/d"}
KNOWN = {*CANONICAL.values(), *OTHERS, *ALIASES, *DATE}

# Below these, or at them, a value is no measurement but a flag such as -999, and missing. Precipitation just below 0 is rounding, potential
# evaporation below 0 is dew: both are 0.
FLAG, LOWEST = -990.0, {"prcp": -0.1, "pet": -5.0}


@dataclass(frozen=True)
class Caravan:
    """A Source of Caravan's basins; see `find` and `studyhub.data.source.Source`.

    Parameters
    ----------
    files : basin -> its time series
    subdatasets : basin -> its sub-dataset
    columns : variable -> column, by its name in version 1.5
    incomplete : basin -> why it cannot be read
    """

    settings: Mapping[str, Any]
    units: Mapping[str, str]
    files: Mapping[str, Path]
    subdatasets: Mapping[str, str]
    columns: Mapping[str, str]
    attributes: Attributes
    reader: str = READER

    @property
    def basins(self) -> tuple[str, ...]:
        return tuple(sorted(self.files))

    @property
    def codes(self) -> Mapping[str, Sequence[str]]:
        return self.attributes.codes

    @property
    def incomplete(self) -> Mapping[str, str]:
        return self.attributes.incomplete

    def read(self, basins: Sequence[str]) -> Iterator[Basin]:
        """Read some basins; see `Source.read`. Values are float32, as NetCDF and shards have them."""
        unknown = [basin for basin in basins if basin not in self.files]
        if unknown:
            raise DataError(f"reader {READER}: no time series of basin {shorten(unknown)}")
        return map(self._basin, basins)

    def _basin(self, basin: str) -> Basin:
        if basin in self.incomplete:
            raise DataError(self.incomplete[basin])
        path = self.files[basin]
        spelt = {ALIASES.get(name, name): name for name in columns_of(path)}
        # What a model needs must be there; of the rest a file may lack some.
        there = {name: spelt.get(column, column) for name, column in self.columns.items() if name in UNITS or column in spelt}
        start, values, met = contiguous(path, basin, *read_series(path, list(there.values())))
        found = dict(zip(there, values, strict=True))
        for name, row in found.items():
            met |= _mend(name, row)
        series = {name: found[name] if name in found else np.full_like(values[0], np.nan) for name in self.units}
        facts = {**self.attributes.facts[basin], "subdataset": self.subdatasets[basin]}
        return Basin(basin, start, series, self.attributes.of(basin), facts, met=met)


def find(folder: str | Path, *, pet: Pet = "auto", format: Format = "csv", others: Sequence[str] | None = None) -> Caravan:
    """Find the basins in ``folder``.

    A basin is what has a time series. One without a line in an attribute file of its sub-dataset is ``incomplete``.

    Parameters
    ----------
    folder : the folder of ``timeseries`` and ``attributes``
    pet : potential evaporation to take: FAO Penman-Monteith ("fao"), ERA5-Land's own ("era5"), the first of these that every basin has
        ("auto"), or none, as it is to be computed from temperature ("hargreaves", "oudin")
    format : which file is read of a basin that has both
    others : columns to take beside precipitation, temperature, evaporation and streamflow; None for all that Caravan documents

    Raises
    ------
    DataError
        Folders, files or columns are missing, or attributes cannot be understood.
    """
    folder = Path(folder)
    _require_among("pet", pet, ("auto", *PET, *METHODS))
    _require_among("format", format, tuple(SUFFIXES))
    files, subdatasets = _files(folder, format)
    headers = _headers(files)
    chosen = _choose_pet(folder, pet, headers)
    there = {ALIASES.get(name, name) for names in headers.values() for name in names}
    rest = [name for name in OTHERS if name in there and name != PET.get(chosen)]
    if others is not None:
        for name in others:
            _require_among("others", name, tuple(rest))
        rest = [name for name in rest if name in others]
    columns = CANONICAL | ({"pet": PET[chosen]} if chosen in PET else {})
    ordered = {name: columns[name] for name in UNITS if name in columns} | {name: name for name in rest}
    attributes = Attributes.read(folder, subdatasets)
    used = {name for names in headers.values() for name in names if ALIASES.get(name, name) == PET.get(chosen)}
    settings = {
        "format": sorted({kind for kind, suffix in SUFFIXES.items() if any(path.suffix == suffix for path in files.values())}),
        "pet": ", ".join(sorted(used)) or chosen,
        "subdatasets": sorted(set(subdatasets.values())),
        "left_out": sorted({name for names in headers.values() for name in names} - KNOWN),
        "differing_attributes": list(attributes.differing),
    }
    units = {name: UNITS.get(name) or OTHERS[name] for name in ordered}
    return Caravan(settings, units, files, subdatasets, ordered, attributes)


def _require_among(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise DataError(f"{what}: one of {shorten(known, 50)} is required, got {given!r}")


def _files(folder: Path, format: str) -> tuple[dict[str, Path], dict[str, str]]:
    """Time series and sub-dataset of each basin."""
    files: dict[str, Path] = {}
    subdatasets: dict[str, str] = {}
    for kind in sorted(SUFFIXES, key=lambda kind: kind != format):
        for path in sorted((folder / "timeseries" / kind).glob(f"*/*{SUFFIXES[kind]}")):
            basin, subdataset = path.stem, path.parent.name
            if subdatasets.setdefault(basin, subdataset) != subdataset:
                raise DataError(f"{path}: basin {basin} is in sub-dataset {subdatasets[basin]} too; remove one")
            files.setdefault(basin, path)
    if not files:
        layout = "timeseries/csv/<sub-dataset>/<gauge_id>.csv or timeseries/netcdf/<sub-dataset>/<gauge_id>.nc"
        raise DataError(f"{folder}: time series {layout} are required (Caravan as distributed), there are none")
    return files, subdatasets


def _headers(files: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Columns of each basin whose file tells them. The others say what is wrong with them when they are read."""
    headers, refused = {}, None
    for basin, path in files.items():
        try:
            headers[basin] = columns_of(path)
        except DataError as error:
            refused = refused or error
    if refused and not headers:
        raise refused
    return headers


def _choose_pet(folder: Path, pet: str, headers: Mapping[str, Sequence[str]]) -> str:
    """What to take: "fao", "era5" or a method to compute it by. A file without any is damaged, and has no say."""
    if pet != "auto":
        return pet
    having = {basin: {ALIASES.get(name, name) for name in names} & set(PET.values()) for basin, names in headers.items()}
    for kind, column in PET.items():
        if all(column in there for there in having.values() if there) and any(having.values()):
            return kind
    lacking = [next((basin for basin, there in having.items() if column not in there), "") for column in PET.values()]
    raise DataError(
        f"{folder}: a potential evaporation that every basin has is required; {lacking[0]} has no {FAO_PET}, {lacking[1]} no {ERA5_PET}; "
        "ask for pet hargreaves or oudin, or leave out what lacks it"
    )


def _mend(name: str, values: np.ndarray) -> dict[str, int]:
    """Put NaN in place of what no measurement can be, and 0 in place of slight negative sums; return how many days of each."""
    lowest = 0.0 if name == "qobs" else LOWEST.get(name, FLAG)
    wrong = (values < lowest) | np.isinf(values)
    values[wrong] = np.nan
    met = {"negative_qobs" if name == "qobs" else f"impossible_{name}": int(wrong.sum())}
    if name in LOWEST:
        below = values < 0
        values[below] = 0
        met[f"negative_{name}"] = int(below.sum())
    return {what: days for what, days in met.items() if days}
