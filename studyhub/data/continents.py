"""The continent of a place, from coarse outlines drawn for this purpose.

Outlines run well out at sea, so that coasts and islands near them are inside; only where two continents meet are they drawn with care, to
some tens of kilometres. Places in the ocean far from land, and Antarctica, have no continent; the sea between the islands of Oceania
counts as Oceania.

Europe ends at the crest of the Urals, the Ural river, the Caspian Sea, the watershed of the Greater Caucasus (in the west the border
between Russia and Georgia), the Bosporus and the Dardanelles. Africa ends at the Suez Canal: Sinai is Asia. North America ends at the
border between Panama and Colombia. Oceania begins with New Guinea and the islands west of it (Raja Ampat); the Moluccas, Kai and Timor
are Asia. Islands belong to the continent they lie nearest to, whoever governs them: the Canaries and Madeira are Africa, Cyprus is Asia,
Trinidad and the islands before Venezuela are South America, Greenland is North America. Exceptions are Iceland, the Azores, Malta,
Lampedusa and the Greek islands, which are Europe, and Hawaii and Easter Island, which are Oceania.
"""

import math

# Corners as "longitude latitude", in degrees; longitudes go beyond 180 where an outline crosses the date line.
EUROPE = """
    65 69.3, 66.2 68.5, 66 67.8, 64.4 66.7, 62 65.8, 60.2 65, 59.2 63.9, 59.4 62.5, 59.1 61, 59.1 59.6, 59.4 58.8, 59.7 57.6,
    59.9 56.9, 59.9 56, 59.6 55.1, 59.4 54.7, 59.3 53.9, 59.1 53.4, 58.9 52.7, 58.7 51.3, 58.3 51.1, 56.5 51.1, 55.1 51.7, 53.4 51.5,
    51.5 51.2, 51.2 50.2, 51.8 48.5, 51.95 47.1, 51.5 46.5, 50 45.5, 50.5 43, 49.5 41.2, 48.4 41, 47.9 41.2, 47 41.75, 45.8 42.5,
    45 42.7, 44.5 42.6, 43.8 42.7, 43.1 43, 42 43.25, 41.3 43.4, 40.6 43.55, 40 43.38, 38.5 43, 35 43.2, 31 42.5, 29.5 41.6,
    29.13 41.23, 29.07 41.12, 29 41.02, 28.97 40.95, 28.2 40.75, 27.3 40.65, 26.75 40.42, 26.4 40.15, 26.15 40, 25.95 39.6,
    26.1 39.43, 26.55 39.38, 26.68 39.15, 26.62 38.9, 26.3 38.7, 26.22 38.4, 26.2 38.2, 26.6 37.95, 27.05 37.85, 27.1 37.7, 27 37.6,
    27.15 37.1, 27.38 36.97, 27.4 36.75, 27.3 36.6, 27.9 36.68, 28.35 36.5, 28.4 36.2, 28.3 35.7, 28 34.5, 24 34.2, 20 35, 16 35.8,
    14.8 35.2, 12.3 35.2, 11.6 36.6, 11.5 37.6, 8.5 38, 5 38, 2 37.5, 0 36.6, -2 35.95, -4.5 35.95, -5.35 35.98, -5.6 35.9, -7 35.8,
    -10 36, -33 36, -33 41, -15 46, -13 55, -27 62, -27 66.5, -20 68.5, -13 70, -10 73, 0 80, 5 82.5, 70 82.5, 70.5 77.5, 62 73,
    62 70.5
"""
AFRICA = """
    32.32 31.4, 32.32 30.2, 32.58 29.95, 33 28.9, 34 27.6, 35.5 26, 37.5 22.5, 39 19, 41 15.5, 42.5 13.8, 43.3 12.6, 45 11.9,
    48 12.2, 51.6 12.2, 52 10.5, 53 5, 57 0, 64.5 -18, 64.5 -22, 50 -30, 35 -36, 20 -37, 14 -30, 8 -10, 4 -3, 3 3, -8 2.5, -17 8,
    -20 12, -27 13.5, -27 18.5, -20 22, -20 34, -12 35, -10 36, 12 38, 20 35, 24 33.8, 30 33, 32.6 32.2
"""
OCEANIA = """
    129.5 1, 129.4 -2.3, 131 -3.2, 131.8 -4.6, 133.6 -5, 133.8 -7.5, 131 -9.3, 128 -10, 123 -11.5, 118 -13, 114 -16, 110 -22,
    112 -27, 113 -36, 118 -37, 130 -35, 135 -38, 143 -41, 144 -45, 150 -45, 165 -48, 166 -52, 180 -53, 185 -45, 200 -30, 232 -30,
    232 -20, 222 -5, 207 15, 207 25, 180 30, 165 22, 143 22, 143 12, 133.5 10, 130.5 5, 130.3 2
"""
EASTER_ISLAND = "249 -30, 253 -30, 253 -25, 249 -25"
SOUTH_AMERICA = """
    -77.9 7.2, -77.75 7.55, -77.55 7.75, -77.2 7.95, -77.45 8.45, -77.35 8.68, -77.2 9, -76.5 11, -74 12.5, -70.5 13, -67.5 12.8,
    -63 11.7, -60.3 11.6, -59.5 10, -57 8, -50 6, -40 0, -34 -3, -31.5 -4, -33.5 -8.5, -37 -18, -38 -23, -46 -30, -53 -37, -60 -45,
    -56.5 -50, -56.5 -53.5, -64 -56.5, -70 -57, -77 -52, -77 -42, -76 -36, -82 -35, -82 -32.5, -73 -30, -72.5 -20, -78 -16, -82.5 -6,
    -82 -2, -92.5 -2, -92.5 2, -82 2, -82 5, -79 5, -78.2 7
"""
NORTH_AMERICA = """
    -77 6.8, -83 5, -88 5, -95 13, -106 17.5, -116 17.5, -116 25, -119.5 28, -122 33, -126.5 38, -127 44, -130 50, -136 54, -142 58,
    -150 57, -156 54, -165 52.5, -180 50.5, -189 52, -189 54, -178 58, -175 62, -172.3 64, -169.5 64.8, -168.97 65.75, -169 67,
    -169 72, -165 76, -140 78, -100 84, -20 84.5, -5 82, -8 78, -15 72, -22 68.5, -38 62, -41 58.5, -52 57, -50 50, -50 45, -58 42.5,
    -68 40, -72 37, -64 36, -62.5 33, -62.5 31, -70 28, -68 24, -60 19.5, -58 14, -58.5 12, -60 10.5, -70 12, -77 8
"""
ASIA = """
    25 41, 25.5 36, 28 35.2, 31 34, 32.5 33, 32 31, 33 28, 40 16, 43 11.5, 55.5 11.5, 56 15, 61 20, 65 22, 69 18, 71.5 8, 71.5 -2,
    75 -2, 80 4, 92 5, 94 0, 95 -13, 107 -13, 118 -13, 127 -11, 135 -9, 135 0, 133 8, 128 12, 127 19, 131.5 23, 143 23, 143.5 28,
    143 36, 147.5 42, 157 47, 160 51, 168.5 54, 168.5 56.5, 172 60, 181 61.5, 187.5 63.8, 190.5 64.8, 191.03 65.75, 191 67, 190 72,
    180 73, 150 78, 105 83, 70 82, 60 70, 55 60, 45 45, 35 43
"""

Outline = list[tuple[float, float]]


def _corners(text: str) -> Outline:
    return [(float(lon), float(lat)) for lon, lat in (corner.split() for corner in text.split(","))]


# The first outline that holds a place counts: where two overlap, the one drawn with care along their common border stands first.
OUTLINES: list[tuple[str, Outline]] = [
    ("Europe", _corners(EUROPE)),
    ("Africa", _corners(AFRICA)),
    ("Oceania", _corners(OCEANIA)),
    ("Oceania", _corners(EASTER_ISLAND)),
    ("South America", _corners(SOUTH_AMERICA)),
    ("North America", _corners(NORTH_AMERICA)),
    ("Asia", _corners(ASIA)),
]


def continent(lat: float, lon: float) -> str | None:
    """Africa, Asia, Europe, North America, Oceania or South America; None in the open ocean, in Antarctica and for a place that is none.

    Parameters
    ----------
    lat : latitude in degrees, -90 to 90
    lon : longitude in degrees; 190 is the same as -170
    """
    if not (math.isfinite(lon) and -90 <= lat <= 90):
        return None
    lon = (lon + 180) % 360 - 180
    turns = (lon, lon + 360, lon - 360)
    return next((name for name, outline in OUTLINES if any(_inside(outline, x, lat) for x in turns)), None)


def _inside(outline: Outline, lon: float, lat: float) -> bool:
    """Whether a ray eastwards from the place crosses the outline an odd number of times."""
    inside = False
    x0, y0 = outline[-1]
    for x1, y1 in outline:
        if (y0 > lat) != (y1 > lat) and lon < x0 + (lat - y0) / (y1 - y0) * (x1 - x0):
            inside = not inside
        x0, y0 = x1, y1
    return inside
