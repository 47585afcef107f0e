"""What is asked of two arms, and what the basins say."""

from dataclasses import dataclass

from studyhub.catalog import Direction
from studyhub.stats.signed_rank import Alternative


@dataclass(frozen=True)
class Question:
    """Asks whether arm ``better`` has a better ``metric`` than arm ``than``.

    ``alternative`` is about better and worse, whatever the metric's direction: "greater" asks whether ``better`` is better, "less" whether
    it is worse, "two-sided" whether it is either.
    """

    better: str
    than: str
    metric: str
    direction: Direction
    alternative: Alternative = "greater"


@dataclass(frozen=True)
class Blocked:
    """The same question, asked to blocks of neighbouring basins.

    Parameters
    ----------
    kind : what makes a block: clusters of coordinates, or a column of regions
    count, n : blocks, and the basins in them
    p_value : by turning the signs of whole blocks, on the side that the question asks for
    p_adjusted : the same, adjusted over the family as the plain p is
    ci_low, ci_high : two-sided 95 % interval of the shift, by drawing whole blocks
    range_km, share : ``share`` of the variance of the signed ranks goes together over this distance; None where places are not known
    leakage : by how much the variance of the sum is more than blocks keep, since neighbouring blocks are alike too
    effective : how many independent basins would give as narrow an interval
    """

    kind: str
    count: int
    n: int
    p_value: float
    ci_low: float
    ci_high: float
    range_km: float | None
    share: float | None
    leakage: float
    effective: float
    p_adjusted: float | None = None


@dataclass(frozen=True)
class SeedSpread:
    """What seeds do to the shift.

    Parameters
    ----------
    seeds_better, seeds_than : seeds of each arm that have all the basins
    spread_better, spread_than : standard deviation of the shift when one seed of the arm takes another's place
    ci_low, ci_high : two-sided 95 % interval of the shift, seeds drawn anew, then basins
    """

    seeds_better: int
    seeds_than: int
    spread_better: float
    spread_than: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Comparison:
    """A question and what the basins say; None where a number is not defined.

    Parameters
    ----------
    n : basins with a score of both arms
    n_dropped, dropped : basins left out, and how many for which reason
    median_better, median_than : medians over the n basins (with direction "zero" or "one", of distances from it)
    median_difference : median of the differences ``better - than``, in the metric's unit (with direction "zero" or "one", of distances)
    hodges_lehmann, ci_low, ci_high : shift of these differences, with its two-sided 95 % interval
    rank_biserial : matched-pairs rank-biserial correlation, 1 where ``better`` is better in every basin
    wins, ties, losses : basins in which ``better`` is better, equal, worse
    share_won : wins / n
    p_value : of the paired Wilcoxon signed-rank test; ``p_exact`` is False where it comes from the normal approximation
    p_holm : p adjusted by Holm, where the question is one of a declared family
    p_bh : p adjusted by Benjamini and Hochberg, where it is exploratory
    family : questions that were adjusted together
    p_one_sided : that ``better`` is better, p_two_sided : that they differ, by the same test; not adjusted
    margin : differences up to this are of no practical consequence; None where none is known for the metric
    wins_by_margin, equivalent, losses_by_margin : basins in which ``better`` is better by more than the margin, within it, worse by more
    blocked : the question asked to blocks of neighbours; None where ``not_blocked`` says why there are none
    disagrees : whether the plain and the blocked test, adjusted, come to different answers at 5 %
    seeds : spread between seeds; None where both arms have one
    needed_basins : independent basins that would show the seen effect in 80 % of studies; None where it is none, or on the other side
    worst_p, worst_shift : if every basin left out had gone against ``better``, by more than all others; None where none was, and the
        shift where these are too many for it to have a bound
    """

    metric: str
    better: str
    than: str
    direction: Direction
    alternative: Alternative
    n: int
    n_dropped: int
    dropped: dict[str, int]
    median_better: float | None
    median_than: float | None
    median_difference: float | None
    hodges_lehmann: float | None
    ci_low: float | None
    ci_high: float | None
    rank_biserial: float | None
    wins: int
    ties: int
    losses: int
    share_won: float | None
    p_value: float | None
    p_exact: bool | None
    p_holm: float | None = None
    p_bh: float | None = None
    family: int = 0
    p_one_sided: float | None = None
    p_two_sided: float | None = None
    margin: float | None = None
    wins_by_margin: int | None = None
    equivalent: int | None = None
    losses_by_margin: int | None = None
    blocked: Blocked | None = None
    not_blocked: str | None = None
    disagrees: bool = False
    seeds: SeedSpread | None = None
    needed_basins: int | None = None
    worst_p: float | None = None
    worst_shift: float | None = None
