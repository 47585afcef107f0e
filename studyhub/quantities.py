"""What models are judged by: metrics of every basin, and signatures that say how a basin behaves. How each is computed: `evaluation`."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["larger", "smaller", "zero", "one"]
IDEALS: dict[str, float] = {"zero": 0.0, "one": 1.0}  # of the directions in which the nearest value is best


@dataclass(frozen=True)
class Metric:
    """A score per basin, named ``label`` in text.

    Parameters
    ----------
    direction : what is better: larger values, smaller ones, or those nearer to 0 or 1
    of : what is judged: "discharge", which models are trained on, "et" or "swe", which no model has seen
    main : whether it stands in the main table of scores
    margin : a difference below this is of no practical consequence
    """

    name: str
    label: str
    meaning: str
    unit: str
    direction: Direction
    of: Literal["discharge", "et", "swe"] = "discharge"
    main: bool = False
    margin: float | None = None


@dataclass(frozen=True)
class Signature:
    """A number that says how a basin behaves, made of simulated and of observed days alike; named ``label`` in text."""

    name: str
    label: str
    meaning: str
    unit: str


COMPOSITE = "mm/8d"  # sums over the 8 days of a satellite's composite

METRICS = {
    metric.name: metric
    for metric in (
        Metric("nse", "NSE", "Nash-Sutcliffe efficiency (1970)", "-", "larger", main=True, margin=0.01),
        Metric("kge", "KGE", "Kling-Gupta efficiency (2009), with the ratio of standard deviations", "-", "larger", main=True, margin=0.01),
        Metric(
            "kge_2012",
            "KGE 2012",
            "Kling-Gupta efficiency (2012), with the ratio of coefficients of variation",
            "-",
            "larger",
            main=True,
            margin=0.01,
        ),
        Metric("flv", "FLV", "bias of the lowest 30 % of flows, simulated and observed sorted apart", "%", "zero", main=True, margin=2.0),
        Metric(
            "abs_flv", "absolute FLV", "absolute error of the lowest 30 % of flows, sorted apart", "%", "smaller", main=True, margin=2.0
        ),
        Metric("fhv", "FHV", "bias of the highest 2 % of flows, simulated and observed sorted apart", "%", "zero", main=True, margin=1.0),
        Metric(
            "abs_fhv", "absolute FHV", "absolute error of the highest 2 % of flows, sorted apart", "%", "smaller", main=True, margin=1.0
        ),
        Metric(
            "low_rmse",
            "low-flow RMSE",
            "root mean squared error of the lowest 30 % of flows, sorted apart",
            "mm/d",
            "smaller",
            main=True,
            margin=0.005,
        ),
        Metric(
            "peak_rmse",
            "peak-flow RMSE",
            "root mean squared error of the highest 2 % of flows, sorted apart",
            "mm/d",
            "smaller",
            main=True,
            margin=0.1,
        ),
        Metric("kge_r", "KGE r", "correlation of simulated and observed discharge", "-", "larger", margin=0.01),
        Metric("kge_alpha", "KGE α", "ratio of the standard deviations, simulated over observed", "-", "one", margin=0.01),
        Metric("kge_beta", "KGE β", "ratio of the means, simulated over observed", "-", "one", margin=0.01),
        Metric("kge_gamma", "KGE γ", "ratio of the coefficients of variation, simulated over observed", "-", "one", margin=0.01),
        Metric("log_nse", "log NSE", "NSE of the logarithm of discharge plus 1 % of the observed mean", "-", "larger", margin=0.01),
        Metric("rmse", "RMSE", "root mean squared error of all days", "mm/d", "smaller", margin=0.02),
        Metric("bias", "bias", "difference of the sums of discharge over the observed sum", "%", "zero", margin=1.0),
        Metric(
            "fms", "FMS", "bias of the slope of the logarithmic flow duration curve between 20 and 70 % exceedance", "%", "zero", margin=1.0
        ),
        Metric("peak_timing", "peak timing", "mean distance of the simulated from the observed peaks in time", "d", "smaller", margin=0.05),
        Metric(
            "et_nse", "ET NSE", "NSE of evapotranspiration, sums over a satellite's composites of 8 days", "-", "larger", "et", margin=0.01
        ),
        Metric("et_r", "ET r", "correlation of evapotranspiration, sums over composites", "-", "larger", "et", margin=0.01),
        Metric(
            "et_rmse",
            "ET RMSE",
            "root mean squared error of evapotranspiration, sums over composites",
            COMPOSITE,
            "smaller",
            "et",
            margin=0.1,
        ),
        Metric(
            "et_cv",
            "ET CV",
            "standard deviation of the errors of evapotranspiration over its observed mean, sums over composites",
            "-",
            "smaller",
            "et",
            margin=0.01,
        ),
        Metric("swe_nse", "SWE NSE", "NSE of the snow water equivalent", "-", "larger", "swe", margin=0.01),
        Metric("swe_r", "SWE r", "correlation of the snow water equivalent", "-", "larger", "swe", margin=0.01),
        Metric("swe_rmse", "SWE RMSE", "root mean squared error of the snow water equivalent", "mm", "smaller", "swe", margin=1.0),
    )
}

# Those that CAMELS has are defined as there (Addor et al. 2017), over the days with simulated and observed discharge.
SIGNATURES = {
    signature.name: signature
    for signature in (
        Signature("q_mean", "mean flow", "mean discharge", "mm/d"),
        Signature("runoff_ratio", "runoff ratio", "mean discharge over mean precipitation", "-"),
        Signature(
            "slope_fdc", "slope of the FDC", "slope of the flow duration curve from its 33rd to its 66th percentile, over the mean", "-"
        ),
        Signature("slope_fdc_log", "slope of the log FDC", "slope of the logarithmic flow duration curve between these percentiles", "-"),
        Signature("q5", "Q5", "low flow: 5 % quantile of discharge", "mm/d"),
        Signature("q95", "Q95", "high flow: 95 % quantile of discharge", "mm/d"),
        Signature("high_q_freq", "frequency of high flow", "days with more than 9 times the median discharge", "d/yr"),
        Signature("high_q_dur", "duration of high flow", "mean length of spells of such days", "d"),
        Signature("low_q_freq", "frequency of low flow", "days with less than 0.2 times the mean discharge", "d/yr"),
        Signature("low_q_dur", "duration of low flow", "mean length of spells of such days", "d"),
        Signature("zero_q_freq", "zero flow", "share of days without any discharge", "-"),
        Signature("rising_limb_density", "rising-limb density", "number of rises over the days that they take", "1/d"),
        Signature("bfi", "baseflow index", "share of baseflow in discharge", "-"),
        Signature("et_mean", "mean ET", "mean evapotranspiration, over the composites that were observed", "mm/yr"),
    )
}
