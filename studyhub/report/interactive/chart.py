"""A chart that the reader's browser draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd


@dataclass(frozen=True)
class Interactive:
    """A chart of the page, drawn in the browser by Vega-Lite, which the page brings along.

    The page gives colours, fonts and the width; a specification says the rest: mark, encodings with titles and units, height, parameters.
    What says the same to a reader of the paper, or without script, must stand on the page too.

    Parameters
    ----------
    name : file name stem of lower-case letters, digits and underscores
    title, caption : as those of a figure
    spec : a Vega-Lite specification without ``data``, ``width`` and ``$schema``; its rows are those of ``data``. Of a ``driver`` other than
        "chart": the specifications of its views, by name
    data : what it shows, to be downloaded; units stand in the columns' names
    driver : the script that draws it: "chart" draws ``spec`` with ``data``; each other one has a template of its name
    given : what the driver needs beside the specifications, put into the page as JSON in place of ``data``
    """

    name: str
    title: str
    caption: str
    spec: Mapping[str, Any]
    data: pd.DataFrame
    driver: Literal["chart", "explorer", "hydrographs"] = "chart"
    given: Mapping[str, Any] = field(default_factory=dict)
