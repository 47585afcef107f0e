"""The charts of a report: from tables to drawings with a caption and their data."""

from studyhub.report.drawing.boxplots import boxes
from studyhub.report.drawing.canvas import Figure, colours
from studyhub.report.drawing.distributions import ecdf
from studyhub.report.drawing.maps import difference_map, score_map
from studyhub.report.drawing.series import hydrograph, learning_curves

__all__ = ["Figure", "boxes", "colours", "difference_map", "ecdf", "hydrograph", "learning_curves", "score_map"]
