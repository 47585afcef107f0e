"""A stochastic generator of daily weather: wet and dry spells, seasons, warm and cold spells.

Occurrence of precipitation is a first-order Markov chain and amounts are gamma distributed (Richardson 1981, doi:10.1029/WR017i001p00182),
both with seasons and with a slow anomaly that makes dry and wet months; temperature has a season and an AR(1) anomaly.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from studyhub.data.pet import extraterrestrial_radiation, hargreaves, sunset_angle
from studyhub.data.record import day_of_year

YEAR = 365.25
GAMMA_SHAPE = 0.75  # many small rains, few large ones
SLOW, WARM = 0.97, 0.75  # day-to-day correlation of the precipitation anomaly (a month's memory) and of the temperature anomaly


@dataclass(frozen=True)
class Climate:
    """Normals of a place.

    Parameters
    ----------
    continent : where it lies
    latitude, longitude : degrees
    elevation : m
    warmth, swing : mean air temperature and half its seasonal range, degC
    rain : annual precipitation, mm
    rain_swing : relative amplitude of its season, 0 to 1
    rain_peak : day of the year of its maximum
    wet : share of days with precipitation
    span : daily range of temperature on dry days, degC
    humidity : vapour pressure as a fraction of saturation at the daily minimum
    """

    continent: str
    latitude: float
    longitude: float
    elevation: float
    warmth: float
    swing: float
    rain: float
    rain_swing: float
    rain_peak: float
    wet: float
    span: float
    humidity: float


# Rounded climate normals of twenty regions, in turn temperate, cold, tropical, arid and polar: five basins already hold all five groups.
REGIONS = (
    Climate("Europe", 48, 2, 180, 11, 7.5, 750, 0.1, 330, 0.45, 8, 0.95),
    Climate("North America", 46, -69, 300, 4.5, 15, 1050, 0.1, 230, 0.40, 11, 0.90),
    Climate("South America", -3, -60, 90, 26.5, 1.0, 2200, 0.4, 75, 0.55, 8, 0.98),
    Climate("Africa", -24, 19, 1200, 20, 6.5, 420, 0.8, 45, 0.12, 15, 0.60),
    Climate("Europe", 67, 16, 800, -2.5, 8.0, 1000, 0.3, 330, 0.55, 6, 0.95),
    Climate("Asia", 34, 133, 250, 14.5, 10.5, 1600, 0.4, 190, 0.35, 9, 0.92),
    Climate("Asia", 56, 90, 400, 0, 17, 480, 0.5, 200, 0.40, 11, 0.88),
    Climate("Africa", 2, 20, 400, 25, 0.8, 1700, 0.25, 285, 0.45, 9, 0.97),
    Climate("Oceania", -25, 134, 550, 21, 8, 400, 0.5, 40, 0.11, 15, 0.60),
    Climate("Asia", 32, 91, 4600, -2.5, 9, 450, 0.85, 205, 0.35, 13, 0.75),
    Climate("Oceania", -38, 146, 300, 12.5, 5.5, 900, 0.3, 200, 0.42, 10, 0.92),
    Climate("Europe", 62, 17, 250, 2.5, 12, 600, 0.3, 220, 0.42, 9, 0.92),
    Climate("Asia", 14, 101, 150, 27, 2.5, 1500, 0.8, 240, 0.40, 9, 0.95),
    Climate("North America", 33, -111, 900, 19, 9, 400, 0.3, 220, 0.12, 16, 0.60),
    Climate("South America", -51, -73, 900, 2.5, 4, 1400, 0.1, 120, 0.55, 7, 0.95),
    Climate("South America", -38, -72, 450, 11, 4.5, 1500, 0.7, 180, 0.42, 10, 0.92),
    Climate("North America", 45, -113, 1900, 3, 11.5, 700, 0.3, 10, 0.38, 13, 0.82),
    Climate("Oceania", -13, 131, 100, 27, 2.5, 1500, 0.9, 35, 0.35, 9, 0.95),
    Climate("Asia", 43, 67, 300, 9, 15, 240, 0.4, 60, 0.15, 13, 0.65),
    Climate("North America", 35, -81, 280, 15.5, 9.5, 1200, 0.1, 60, 0.33, 12, 0.90),
)


def place(number: int, rng: np.random.Generator) -> Climate:
    """Return the climate of basin ``number`` (from 0): a region's, with its own chance."""
    region = REGIONS[number % len(REGIONS)]
    shift = rng.normal(size=6)
    return Climate(
        continent=region.continent,
        latitude=region.latitude + 1.0 * shift[0],
        longitude=region.longitude + 2.0 * shift[1],
        elevation=region.elevation * float(np.exp(0.2 * shift[2])),
        warmth=region.warmth - 0.5 * shift[2],
        swing=region.swing * (1 + 0.05 * shift[3]),
        rain=region.rain * float(np.exp(0.18 * shift[4])),
        rain_swing=region.rain_swing,
        rain_peak=region.rain_peak + 10 * shift[5],
        wet=region.wet,
        span=region.span,
        humidity=region.humidity,
    )


def weather(climate: Climate, dates: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Daily prcp, tmin, tmax, tmean, pet, srad, vp and dayl [time] in the units of the shards.

    Parameters
    ----------
    climate : normals of the place
    dates : datetime64[D] [time]
    rng : the basin's own generator
    """
    doy = day_of_year(dates)
    wet, prcp = _precipitation(climate, doy, rng)
    hottest = 200 if climate.latitude >= 0 else 20
    anomaly = _ar1(WARM, rng.normal(size=len(doy))) * (1.0 + 0.15 * climate.swing)
    tmean = climate.warmth + climate.swing * np.cos(2 * np.pi * (doy - hottest) / YEAR) + anomaly - np.where(wet, 0.5, 0.0)
    span = climate.span * np.where(wet, 0.65, 1.0) * np.exp(0.2 * rng.normal(size=len(doy)))
    tmin, tmax = tmean - span / 2, tmean + span / 2
    dayl = 86_400 / np.pi * sunset_angle(climate.latitude, doy)
    return {
        "prcp": prcp,
        "tmin": tmin,
        "tmax": tmax,
        "tmean": tmean,
        "pet": hargreaves(tmin, tmax, climate.latitude, doy),
        "srad": _radiation(climate.latitude, doy, span, dayl),
        "vp": climate.humidity * _saturation(tmin),
        "dayl": dayl,
    }


def _precipitation(climate: Climate, doy: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wet days, and mm/d."""
    season = 1 + climate.rain_swing * np.cos(2 * np.pi * (doy - climate.rain_peak) / YEAR)
    anomaly = _ar1(SLOW, rng.normal(size=len(doy)))
    wet_share = np.clip(climate.wet * season**0.6 * np.exp(0.25 * anomaly), 0.01, 0.92)
    persistence = 0.35
    after_dry, after_wet = wet_share * (1 - persistence), wet_share + persistence * (1 - wet_share)
    wet = _spells(rng.random(len(doy)), after_dry, after_wet)
    amount = climate.rain / YEAR / climate.wet * season**0.4 * np.exp(0.15 * anomaly)
    return wet, np.where(wet, amount * rng.standard_gamma(GAMMA_SHAPE, len(doy)) / GAMMA_SHAPE, 0.0)


def _spells(chance: np.ndarray, after_dry: np.ndarray, after_wet: np.ndarray) -> np.ndarray:
    wet, days = False, []
    for u, dry_to_wet, wet_to_wet in zip(chance.tolist(), after_dry.tolist(), after_wet.tolist(), strict=True):
        wet = u < (wet_to_wet if wet else dry_to_wet)
        days.append(wet)
    return np.array(days)


def _ar1(memory: float, noise: np.ndarray) -> np.ndarray:
    """AR(1) series of variance 1."""
    return np.asarray(lfilter([np.sqrt(1 - memory**2)], [1, -memory], noise))


def _radiation(latitude: float, doy: np.ndarray, span: np.ndarray, dayl: np.ndarray) -> np.ndarray:
    """Mean over the hours of daylight, W/m2, by 0.16 sqrt(span) Ra (FAO-56 Eq. 50), at most clear sky's 0.75 Ra; 0 in the polar night."""
    radiation = np.minimum(0.16 * np.sqrt(span), 0.75) * extraterrestrial_radiation(latitude, doy) * 1e6
    return np.divide(radiation, dayl, out=np.zeros_like(radiation), where=dayl > 0)


def _saturation(t: np.ndarray) -> np.ndarray:
    """Saturation vapour pressure, Pa, FAO-56 Eq. 11."""
    return 610.8 * np.exp(17.27 * t / (t + 237.3))
