"""Boundaries to draw behind maps, such as coasts or countries, out of a GeoJSON file (RFC 7946)."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studyhub.errors import DataError

Lines = Sequence[np.ndarray]  # each [point, (lon, lat)] in degrees
LARGEST = 64_000_000  # bytes of a file
POINTS = 20_000  # that are drawn at most: more cannot be told apart on a page
DEPTH = 20  # of geometries within geometries
ASIDE = "it is the GeoJSON of lines or areas in degrees (WGS 84) that is needed, such as Natural Earth's coastlines at 1:110m"


def read_boundaries(path: Path) -> Lines:
    """Lines of a file, thinned out where there are many: arrays [point, (lon, lat)] in degrees.

    Raises
    ------
    DataError
        The file cannot be read, or has no lines in degrees.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError(f"{path}: has {size / 1e6:.0f} MB, at most {LARGEST / 1e6:.0f} are read; simplify it")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not JSON"
        raise DataError(f"{path}: cannot be read ({reason}); {ASIDE}") from None
    try:
        lines = [_line(points) for points in _paths(content, DEPTH)]
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        raise DataError(f"{path}: is not a map in GeoJSON; {ASIDE}") from None
    lines = [line for line in lines if len(line) > 1]
    if not lines:
        raise DataError(f"{path}: has no lines and no areas; {ASIDE}")
    for line in lines:
        if not (np.isfinite(line).all() and (np.abs(line) <= (360.0, 90.0)).all()):
            raise DataError(f"{path}: has coordinates that are no degrees of longitude and latitude; {ASIDE}")
    return _thinned(lines)


def _paths(item: Any, depth: int) -> Iterator[Any]:
    """Coordinates of every line and every ring."""
    if depth == 0:
        raise ValueError("geometries too deep")
    match item["type"]:
        case "FeatureCollection":
            for feature in item["features"]:
                yield from _paths(feature, depth - 1)
        case "Feature":
            if item["geometry"] is not None:
                yield from _paths(item["geometry"], depth - 1)
        case "GeometryCollection":
            for geometry in item["geometries"]:
                yield from _paths(geometry, depth - 1)
        case "LineString":
            yield item["coordinates"]
        case "MultiLineString" | "Polygon":
            yield from item["coordinates"]
        case "MultiPolygon":
            for polygon in item["coordinates"]:
                yield from polygon
        case "Point" | "MultiPoint":
            return
        case other:
            raise ValueError(other)


def _line(points: Any) -> np.ndarray:
    return np.array([[float(point[0]), float(point[1])] for point in points], dtype="float64").reshape(-1, 2)


def _thinned(lines: list[np.ndarray]) -> Lines:
    """Leave out points that lie near to the one before, the further apart the more points there are, and then the shortest lines."""
    step = 0.0
    kept = lines
    while sum(map(len, kept)) > POINTS and step < 2.0:
        step = max(0.01, 2 * step)
        kept = [_spaced(line, step) for line in lines]
        kept = [line for line in kept if len(line) > 2 or step < 0.1]
    longest = sorted(kept, key=len, reverse=True)
    room, there = POINTS, []
    for line in longest:
        room -= len(line)
        if room < 0:
            break
        there.append(line)
    return tuple(there)


def _spaced(line: np.ndarray, step: float) -> np.ndarray:
    """The first of the points in each square of so many degrees that the line goes through one after the other, and its end."""
    cells = np.floor(line / step)
    new = np.concatenate([[True], (cells[1:] != cells[:-1]).any(axis=1)])
    new[-1] = True
    return line[new]
