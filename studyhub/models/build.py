"""From a trial's settings to a model."""

from torch import Generator

from studyhub.catalog import PHYSICS
from studyhub.models.dpl import DifferentiableModel, Solver
from studyhub.models.lstm import Network, StreamflowLSTM
from studyhub.models.target import TargetScaler
from studyhub.study.settings import Model


def build(
    settings: Model, target: TargetScaler | None, generator: Generator, *, context: int | None = None
) -> StreamflowLSTM | DifferentiableModel:
    """Make the model that ``settings`` describe, its weights and later its dropout masks drawn from ``generator``.

    Parameters
    ----------
    target : scale of an LSTM's discharge; None for "dpl"
    context : see ``models.lstm.StreamflowLSTM``
    """
    sizes = (len(settings.forcing), len(settings.attributes), settings.hidden_size)
    if settings.kind == "lstm":
        assert target is not None, "an LSTM needs the scale of its target"
        return StreamflowLSTM(Network(*sizes, 1, settings.recipe, settings.dropout, generator), target, context)
    physics = PHYSICS[settings.physics].variant(capillary_rise=settings.capillary_rise)
    outputs = DifferentiableModel.outputs(physics, settings.components, settings.fixed)
    return DifferentiableModel(
        Network(*sizes, outputs, settings.recipe, settings.dropout, generator),
        physics,
        Solver(settings.scheme, settings.steps_per_day, settings.raw_stores),
        components=settings.components,
        dynamic=settings.dynamic,
        fixed=settings.fixed,
        warmup_gradients=settings.warmup_gradients,
        static_from=settings.static_from,
    )
