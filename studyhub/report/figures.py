"""The charts of a report: from tables to drawings with a caption and their data."""

from studyhub.report.drawing.boxplots import boxes
from studyhub.report.drawing.canvas import Figure, colours
from studyhub.report.drawing.distributions import ecdf
from studyhub.report.drawing.forest import Effect, forest
from studyhub.report.drawing.groups import group_map, looks
from studyhub.report.drawing.importance import importances
from studyhub.report.drawing.maps import difference_map, score_map
from studyhub.report.drawing.parameters import parameter_map, ranges
from studyhub.report.drawing.periods import Observed, lengths, spans, years_observed
from studyhub.report.drawing.ranks import critical_difference
from studyhub.report.drawing.scatter import Quantity, scatter
from studyhub.report.drawing.series import hydrograph, learning_curves
from studyhub.report.drawing.surface import SURFACE_COLUMNS, SURFACE_ROWS, Plane, surfaces

__all__ = [
    "SURFACE_COLUMNS",
    "SURFACE_ROWS",
    "Effect",
    "Figure",
    "Observed",
    "Plane",
    "Quantity",
    "boxes",
    "colours",
    "critical_difference",
    "difference_map",
    "ecdf",
    "forest",
    "group_map",
    "hydrograph",
    "importances",
    "learning_curves",
    "lengths",
    "looks",
    "parameter_map",
    "ranges",
    "scatter",
    "score_map",
    "spans",
    "surfaces",
    "years_observed",
]
