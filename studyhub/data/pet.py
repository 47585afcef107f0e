"""Potential evapotranspiration and the sunshine it needs."""

import numpy as np

SOLAR_CONSTANT = 0.0820  # MJ/m2/min, FAO-56
MM_PER_MJ = 0.408  # mm of water that 1 MJ/m2 evaporates, FAO-56 Eq. 20

METHODS = {"hargreaves": ("tmin", "tmax"), "oudin": ("tmean",)}  # method -> the variables that it needs


def sunset_angle(latitude: np.ndarray | float, day_of_year: np.ndarray) -> np.ndarray:
    """Hour angle of sunset in radians, FAO-56 Eqs. 24 and 25: 0 in the polar night, pi in the polar day.

    Parameters
    ----------
    latitude : degrees, north positive
    day_of_year : 1 on 1 January [time], broadcast against ``latitude``

    References
    ----------
    Allen et al. (1998), Crop evapotranspiration, FAO Irrigation and Drainage Paper 56.
    """
    return np.arccos(np.clip(-np.tan(np.radians(latitude)) * np.tan(_declination(day_of_year)), -1.0, 1.0))


def extraterrestrial_radiation(latitude: np.ndarray | float, day_of_year: np.ndarray) -> np.ndarray:
    """Radiation on top of the atmosphere, MJ/m2/d, FAO-56 Eq. 21. Parameters as in `sunset_angle`."""
    phi, delta, omega = np.radians(latitude), _declination(day_of_year), sunset_angle(latitude, day_of_year)
    distance = 1.0 + 0.033 * np.cos(2 * np.pi * day_of_year / 365)
    noon = omega * np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.sin(omega)
    return np.maximum(24 * 60 / np.pi * SOLAR_CONSTANT * distance * noon, 0.0)


def hargreaves(tmin: np.ndarray, tmax: np.ndarray, latitude: np.ndarray | float, day_of_year: np.ndarray) -> np.ndarray:
    """Potential evapotranspiration by Hargreaves, mm/d, never below 0.

    PET = 0.0023 (Tmean + 17.8) sqrt(max(Tmax - Tmin, 0)) 0.408 Ra, with Tmean = (Tmin + Tmax) / 2.

    Parameters
    ----------
    tmin, tmax : daily extremes of air temperature, degC [..., time]
    latitude : degrees, north positive, broadcast against them
    day_of_year : 1 on 1 January [time]

    References
    ----------
    Hargreaves (1994), doi:10.1061/(ASCE)0733-9437(1994)120:6(1132); radiation by FAO-56.
    """
    radiation = MM_PER_MJ * extraterrestrial_radiation(latitude, day_of_year)
    mean, span = (tmin + tmax) / 2, np.sqrt(np.maximum(tmax - tmin, 0.0))
    return np.maximum(0.0023 * (mean + 17.8) * span * radiation, 0.0)


def oudin(tmean: np.ndarray, latitude: np.ndarray | float, day_of_year: np.ndarray) -> np.ndarray:
    """Potential evapotranspiration by Oudin, mm/d: it needs the daily mean temperature alone, and was made for rainfall-runoff models.

    PET = 0.408 Ra (Tmean + 5) / 100 above -5 degC, 0 below.

    Parameters
    ----------
    tmean : daily mean of air temperature, degC [..., time]
    latitude : degrees, north positive, broadcast against it
    day_of_year : 1 on 1 January [time]

    References
    ----------
    Oudin et al. (2005), doi:10.1016/j.jhydrol.2004.08.026, who take radiation from Morton (1983): 2 % more than here, by FAO-56.
    """
    return MM_PER_MJ * extraterrestrial_radiation(latitude, day_of_year) * np.maximum(tmean + 5.0, 0.0) / 100.0


def _declination(day_of_year: np.ndarray) -> np.ndarray:
    return 0.409 * np.sin(2 * np.pi * np.asarray(day_of_year) / 365 - 1.39)
