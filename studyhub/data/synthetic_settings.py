"""What a synthetic world is made from. Standard library only: a study on it is planned before the world is built."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from studyhub.catalog import ATTRIBUTE_SETS, FORCINGS, OBSERVATIONS
from studyhub.data.manifest import digest, identity_hash
from studyhub.errors import DataError
from studyhub.study.settings import Period

VERSION = 2  # raise it when the same settings would give another world
SOURCE = "synthetic"


@dataclass(frozen=True)
class SyntheticSettings:
    """Settings of `synthetic.build`.

    Parameters
    ----------
    basins : number of basins, named syn-001, syn-002, ...
    years : length of the record; it begins on 1 October 1985, as the CAMELS records' water years do
    seed : of everything drawn
    noise : standard deviation of the logarithm of the observation error of discharge
    gaps : largest share of days whose discharge is missing in a basin
    """

    basins: int = 40
    years: int = 10
    seed: int = 1
    noise: float = 0.05
    gaps: float = 0.06

    def __post_init__(self) -> None:
        if not 1 <= self.basins <= 9999 or not 1 <= self.years <= 200:
            raise DataError(f"a synthetic world has 1 to 9999 basins and 1 to 200 years, got {self.basins} basins and {self.years} years")
        if self.seed < 0 or not 0 <= self.noise <= 1 or not 0 <= self.gaps <= 0.5:
            raise DataError(f"seed >= 0, noise in 0..1 and gaps in 0..0.5 are required, got {self.seed}, {self.noise}, {self.gaps}")

    @property
    def period(self) -> Period:
        start = date(1985, 10, 1)
        return Period(start, start.replace(year=start.year + self.years) - timedelta(days=1))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"syn-{i:03d}" for i in range(1, self.basins + 1))

    @property
    def units(self) -> dict[str, str]:
        """Unit of each variable that the basins have."""
        return FORCINGS | OBSERVATIONS

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(self.units)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Attributes that the basins have."""
        return (*ATTRIBUTE_SETS["table_a1"], *ATTRIBUTE_SETS["climate"])

    @property
    def identity(self) -> str:
        """Hash that stands for the content of this world."""
        return digest(["synthetic", VERSION, asdict(self)])

    def hash(self, basins: Iterable[str], variables: Iterable[str]) -> str:
        """Return the same as `Manifest.hash` of the built world."""
        return identity_hash(self.identity, basins, variables)
