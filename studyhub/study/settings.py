"""What one trial is, in plain frozen values: all that the science needs, nothing that only the study needs.

``study.spec`` reads these from YAML; ``runner.trial`` and ``runner.external`` run them. No field here is a path, an arm name or a resource,
so that the trial's id can be a hash of them.
"""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Period:
    """Days from ``start`` to ``end``, both included."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    def overlaps(self, other: "Period") -> bool:
        return self.start <= other.end and other.start <= self.end

    def before(self, days: int) -> "Period":
        """The same period, begun ``days`` earlier (to hold a warm-up)."""
        return Period(self.start - timedelta(days=days), self.end)

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"


@dataclass(frozen=True)
class Split:
    """Which days train, choose and judge; which basins, a trial's lists say.

    The warm-up of a training window lies inside ``train``; the warm-up of the test and of the validation lies before them
    (``test_warmup`` days).
    """

    train: Period
    test: Period
    validation: Period | None = None
    warmup: int = 365
    test_warmup: int = 730


@dataclass(frozen=True)
class Model:
    """A model: ``kind`` "lstm", or "dpl" (a network gives the parameters of a water-balance model).

    ``recipe`` is the network's and its target's: "feng2020" (input layer, dropout on the LSTM's weights; log-transformed target) or
    "kratzert2019" (plain LSTM, dropout on its output, forget-gate bias; z-scored target). The fields from ``physics`` on serve "dpl" only.
    """

    kind: str
    forcing: tuple[str, ...]
    attributes: tuple[str, ...]
    hidden_size: int = 256
    dropout: float = 0.5
    recipe: str = "feng2020"
    physics: str = "hbv"
    scheme: str = "sequential"
    steps_per_day: int = 1
    raw_stores: bool = False
    capillary_rise: bool = False
    components: int = 16
    dynamic: tuple[str, ...] = ()
    fixed: tuple[tuple[str, float], ...] = ()
    warmup_gradients: bool = False
    static_from: str = "last_warmup_day"


@dataclass(frozen=True)
class Training:
    """How the weights are found.

    ``window`` is the number of scored days of one sample (rho), in days; ``learning_rate`` holds (first epoch, rate) steps, epochs from 1;
    ``updates_per_epoch`` None means the papers' formula; ``gradient_norm`` None means no clipping; ``resident`` is the number of training
    basins that are in memory at once, None means all.
    """

    epochs: int = 50
    batch: int = 100
    window: int = 365
    updates_per_epoch: int | None = None
    optimizer: str = "adadelta"
    learning_rate: tuple[tuple[int, float], ...] = ((1, 1.0),)
    gradient_norm: float | None = None
    loss: str = "rmse_log"
    loss_weight: float = 0.25
    checkpoint: str = "last"
    resident: int | None = None


@dataclass(frozen=True)
class Trial:
    """One training and its scoring.

    ``train_basins`` and ``test_basins`` are those of one fold; how a study came to them is no part of a trial. ``data`` is the content hash
    of the basins and variables used. ``fill`` says how gaps in forcing are filled, as "interpolate:5" (up to 5 days); None: not at all.
    ``backend`` is "cpu" or "cuda": their roundings differ. ``parent`` is the id of the trial whose chosen weights this one starts from.
    """

    model: Model
    training: Training
    split: Split
    train_basins: tuple[str, ...]
    test_basins: tuple[str, ...]
    seed: int
    data: str
    dtype: str = "float32"
    fill: str | None = None
    backend: str = "cpu"
    parent: str | None = None


@dataclass(frozen=True)
class Columns:
    """What a long table calls the basin's id, the day, and the simulated discharge in mm/d."""

    basin: str = "basin"
    date: str = "date"
    qsim: str = "qsim"


@dataclass(frozen=True)
class External:
    """A simulation made elsewhere, and its scoring.

    ``table`` is the content hash of the file that holds it, ``data`` that of the basins' observed discharge.
    """

    table: str
    columns: Columns
    test: Period
    test_basins: tuple[str, ...]
    data: str
