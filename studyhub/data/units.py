"""Units that a table may have, and how they become those of the catalog.

Standard library only: the mapping of a table is checked without the libraries that read it. Values may be arrays.

A conversion changes the unit, never the quantity. So a day's total of radiation becomes the mean over its 24 hours; Daymet's ``srad``, a
mean over the hours of daylight, is W/m2 already and stays what it is. ``et_obs`` is the sum over a composite of MOD16A2: a daily rate is
another quantity, and rides along under a name of its own.

References
----------
Running, S. et al. (2021). MOD16A2 MODIS/Terra Net Evapotranspiration 8-Day L4 (scale factor 0.1, fill values 32761 to 32767).
doi:10.5067/MODIS/MOD16A2.061
"""

from dataclasses import dataclass
from typing import Any

from studyhub.errors import DataError
from studyhub.study.wording import listed

SECONDS = 86_400  # of a day
INCH = 25.4  # mm, exact
CUBIC_FOOT = 0.028316846592  # m3: (0.3048 m)**3, all digits
SQUARE_MILE = 2.589988110336  # km2: (5280 * 0.3048 m)**2, all digits


@dataclass(frozen=True)
class Unit:
    """``canonical = (value - zero) * times / by``, with ``by`` times the basin's area in km2 where ``areal``.

    ``by`` is kept apart because a quotient of two exact numbers is nearer to the truth than a product with a rounded one. ``fill`` are the
    values, first and last, that stand for "missing" in this unit.
    """

    times: float = 1.0
    by: float = 1.0
    zero: float = 0.0
    areal: bool = False
    fill: tuple[float, float] | None = None

    def canonical(self, values: Any, area_km2: float | None = None) -> Any:
        """Turn values in this unit into the canonical one."""
        return (values - self.zero) * self.times / self._divisor(area_km2)

    def back(self, values: Any, area_km2: float | None = None) -> Any:
        """Turn canonical values into this unit."""
        return values * self._divisor(area_km2) / self.times + self.zero

    def _divisor(self, area_km2: float | None) -> float:
        if not self.areal:
            return self.by
        if area_km2 is None:
            raise ValueError("this unit needs the basin's area")
        return self.by * area_km2


_DEPTH = {
    "mm/d": Unit(),
    "mm": Unit(),  # a day's sum
    "mm/h": Unit(24),
    "0.1 mm/d": Unit(by=10),
    "cm/d": Unit(10),
    "m/d": Unit(1000),
    "in/d": Unit(INCH),
    "kg/m2/d": Unit(),
    "kg/m2/s": Unit(SECONDS),
}
# Volumes over an area: 1 m3/s is 86 400 m3/d, and 1000 m3 on a km2 are 1 mm.
_VOLUME = {
    "m3/s": Unit(SECONDS, 1000, areal=True),
    "l/s": Unit(SECONDS, 1e6, areal=True),
    "cfs": Unit(CUBIC_FOOT * SECONDS, 1000, areal=True),
    "ft3/s": Unit(CUBIC_FOOT * SECONDS, 1000, areal=True),
    "m3/d": Unit(by=1000, areal=True),
    "Ml/d": Unit(areal=True),
    "l/s/km2": Unit(SECONDS, 1e6),
    "m3/s/km2": Unit(SECONDS, 1000),
}
_TEMPERATURE = {"degC": Unit(), "K": Unit(zero=273.15), "degF": Unit(5, 9, 32), "0.1 degC": Unit(by=10)}
_RADIATION = {
    "W/m2": Unit(),
    "MJ/m2/d": Unit(1e6, SECONDS),
    "kJ/m2/d": Unit(1e3, SECONDS),
    "J/m2/d": Unit(1, SECONDS),
}
_PRESSURE = {"Pa": Unit(), "hPa": Unit(100), "mbar": Unit(100), "kPa": Unit(1000)}
_COMPOSITE = {
    "mm/8d": Unit(),
    "kg/m2/8d": Unit(),
    "0.1 mm/8d": Unit(by=10, fill=(32761, 32767)),
    "0.1 kg/m2/8d": Unit(by=10, fill=(32761, 32767)),
}
_WATER = {"mm": Unit(), "cm": Unit(10), "m": Unit(1000), "in": Unit(INCH), "kg/m2": Unit()}

# Variable -> units it may have; the first is the canonical one.
KNOWN: dict[str, dict[str, Unit]] = {
    "prcp": _DEPTH,
    "pet": _DEPTH,
    "tmin": _TEMPERATURE,
    "tmax": _TEMPERATURE,
    "tmean": _TEMPERATURE,
    "srad": _RADIATION,
    "vp": _PRESSURE,
    "dayl": {"s": Unit(), "min": Unit(60), "h": Unit(3600)},
    "qobs": _DEPTH | _VOLUME,
    "et_obs": _COMPOSITE,
    "swe_obs": _WATER,
}
AREAS = {"km2": Unit(), "ha": Unit(by=100), "m2": Unit(by=1e6), "mi2": Unit(SQUARE_MILE)}

_SPELLINGS = (("³", "3"), ("²", "2"), ("°", "deg"), ("day", "d"), ("L/s", "l/s"), ("ML/d", "Ml/d"))


def spelt(unit: str) -> str:
    """Return the unit as it is written here: ``mm/day`` is ``mm/d``, ``m³/s`` is ``m3/s``."""
    unit = unit.strip()
    for given, ours in _SPELLINGS:
        unit = unit.replace(given, ours)
    return unit


def unit_of(variable: str, unit: str) -> Unit:
    """Conversion of a variable; one that the catalog does not know keeps its unit.

    Raises
    ------
    DataError
        The variable has a canonical unit, and this one is none that becomes it.
    """
    return _among(KNOWN[variable], f"unit of {variable}", unit) if variable in KNOWN else Unit()


def area_unit(unit: str) -> Unit:
    """Conversion of an area to km2."""
    return _among(AREAS, "unit of an area", unit)


def canonical_unit(variable: str, unit: str) -> str:
    """Unit that a variable given in ``unit`` comes to have."""
    return next(iter(KNOWN[variable])) if variable in KNOWN else unit.strip()


def _among(units: dict[str, Unit], what: str, unit: str) -> Unit:
    try:
        return units[spelt(unit)]
    except KeyError:
        raise DataError(f"unknown {what} {unit!r}; known: {listed(units)}") from None
