"""The charts of a report: from tables to drawings with a caption and their data."""

from studyhub.report.drawing.boxplots import boxes
from studyhub.report.drawing.canvas import Figure, colours
from studyhub.report.drawing.distributions import ecdf
from studyhub.report.drawing.groups import group_map, looks
from studyhub.report.drawing.maps import difference_map, score_map
from studyhub.report.drawing.periods import Observed, lengths, spans, years_observed
from studyhub.report.drawing.series import hydrograph, learning_curves

__all__ = [
    "Figure",
    "Observed",
    "boxes",
    "colours",
    "difference_map",
    "ecdf",
    "group_map",
    "hydrograph",
    "learning_curves",
    "lengths",
    "looks",
    "score_map",
    "spans",
    "years_observed",
]
