"""What a report cites."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A publication; ``doi`` is empty where it has none."""

    short: str
    text: str
    doi: str = ""

    @property
    def address(self) -> str:
        return f"https://doi.org/{self.doi}" if self.doi else ""

    def __str__(self) -> str:
        return f"{self.text} doi:{self.doi}" if self.doi else self.text


REFERENCES = {
    "addor": Reference(
        "Addor et al. (2017)",
        "Addor, N., Newman, A. J., Mizukami, N. and Clark, M. P. (2017). The CAMELS data set: catchment attributes and meteorology for "
        "large-sample studies. Hydrology and Earth System Sciences 21, 5293-5313.",
        "10.5194/hess-21-5293-2017",
    ),
    "adadelta": Reference("Zeiler (2012)", "Zeiler, M. D. (2012). ADADELTA: an adaptive learning rate method.", "10.48550/arXiv.1212.5701"),
    "adam": Reference(
        "Kingma and Ba (2015)",
        "Kingma, D. P. and Ba, J. (2015). Adam: a method for stochastic optimization. 3rd Int. Conference on Learning Representations.",
        "10.48550/arXiv.1412.6980",
    ),
    "bh": Reference(
        "Benjamini and Hochberg (1995)",
        "Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful approach to multiple "
        "testing. "
        "Journal of the Royal Statistical Society B 57, 289-300.",
        "10.1111/j.2517-6161.1995.tb02031.x",
    ),
    "caravan": Reference(
        "Kratzert et al. (2023)",
        "Kratzert, F. et al. (2023). Caravan - a global community dataset for large-sample hydrology. Scientific Data 10, 61.",
        "10.1038/s41597-023-01975-w",
    ),
    "demsar": Reference(
        "Demšar (2006)",
        "Demšar, J. (2006). Statistical comparisons of classifiers over multiple data sets. Journal of Machine Learning Research 7, 1-30.",
    ),
    "feng": Reference(
        "Feng et al. (2024)",
        "Feng, D., Beck, H., de Bruijn, J. et al. (2024). Deep dive into hydrologic simulations at global scale: harnessing the power "
        "of deep "
        "learning and physics-informed differentiable models (δHBV-globe1.0-hydroDL). Geoscientific Model Development 17, 7181-7198.",
        "10.5194/gmd-17-7181-2024",
    ),
    "friedman": Reference(
        "Friedman (1937)",
        "Friedman, M. (1937). The use of ranks to avoid the assumption of normality implicit in the analysis of variance. Journal of the "
        "American Statistical Association 32, 675-701.",
        "10.1080/01621459.1937.10503522",
    ),
    "gr4j": Reference(
        "Perrin et al. (2003)",
        "Perrin, C., Michel, C. and Andréassian, V. (2003). Improvement of a parsimonious model for streamflow simulation. Journal of "
        "Hydrology 279, 275-289.",
        "10.1016/S0022-1694(03)00225-7",
    ),
    "gupta": Reference(
        "Gupta et al. (2009)",
        "Gupta, H. V., Kling, H., Yilmaz, K. K. and Martinez, G. F. (2009). Decomposition of the mean squared error and NSE performance "
        "criteria: implications for improving hydrological modelling. Journal of Hydrology 377, 80-91.",
        "10.1016/j.jhydrol.2009.08.003",
    ),
    "hodges": Reference(
        "Hodges and Lehmann (1963)",
        "Hodges, J. L. and Lehmann, E. L. (1963). Estimates of location based on rank tests. The Annals of Mathematical Statistics 34, "
        "598-611.",
        "10.1214/aoms/1177704172",
    ),
    "holm": Reference(
        "Holm (1979)",
        "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, 65-70.",
    ),
    "kling": Reference(
        "Kling et al. (2012)",
        "Kling, H., Fuchs, M. and Paulin, M. (2012). Runoff conditions in the upper Danube basin under an ensemble of climate change "
        "scenarios. Journal of Hydrology 424-425, 264-277.",
        "10.1016/j.jhydrol.2012.01.011",
    ),
    "kratzert": Reference(
        "Kratzert et al. (2019)",
        "Kratzert, F. et al. (2019). Towards learning universal, regional, and local hydrological behaviors via machine learning "
        "applied to "
        "large-sample datasets. Hydrology and Earth System Sciences 23, 5089-5110.",
        "10.5194/hess-23-5089-2019",
    ),
    "nash": Reference(
        "Nash and Sutcliffe (1970)",
        "Nash, J. E. and Sutcliffe, J. V. (1970). River flow forecasting through conceptual models part I: a discussion of principles. "
        "Journal of Hydrology 10, 282-290.",
        "10.1016/0022-1694(70)90255-6",
    ),
    "newman": Reference(
        "Newman et al. (2015)",
        "Newman, A. J. et al. (2015). Development of a large-sample watershed-scale hydrometeorological data set for the contiguous USA. "
        "Hydrology and Earth System Sciences 19, 209-223.",
        "10.5194/hess-19-209-2015",
    ),
    "optuna": Reference(
        "Akiba et al. (2019)",
        "Akiba, T., Sano, S., Yanase, T., Ohta, T. and Koyama, M. (2019). Optuna: a next-generation hyperparameter optimization framework. "
        "Proceedings of the 25th ACM SIGKDD International Conference on Knowledge Discovery and Data Mining, 2623-2631.",
        "10.1145/3292500.3330701",
    ),
    "pratt": Reference(
        "Pratt (1959)",
        "Pratt, J. W. (1959). Remarks on zeros and ties in the Wilcoxon signed rank procedures. Journal of the American Statistical "
        "Association 54, 655-667.",
        "10.1080/01621459.1959.10501526",
    ),
    "song": Reference(
        "Song et al. (2024)",
        "Song, Y., Knoben, W. J. M., Clark, M. P. et al. (2024). When ancient numerical demons meet physics-informed machine learning: "
        "adjoint-based gradients for implicit differentiable modeling. Hydrology and Earth System Sciences 28, 3051-3077.",
        "10.5194/hess-28-3051-2024",
    ),
    "wilcoxon": Reference(
        "Wilcoxon (1945)",
        "Wilcoxon, F. (1945). Individual comparisons by ranking methods. Biometrics Bulletin 1, 80-83.",
        "10.2307/3001968",
    ),
    "yilmaz": Reference(
        "Yilmaz et al. (2008)",
        "Yilmaz, K. K., Gupta, H. V. and Wagener, T. (2008). A process-based diagnostic approach to model evaluation: application to "
        "the NWS "
        "distributed hydrologic model. Water Resources Research 44, W09417.",
        "10.1029/2007WR006716",
    ),
}


def cited(text: str) -> list[Reference]:
    """References whose short form stands in a text, by author."""
    return sorted((one for one in REFERENCES.values() if _mentioned(one, text)), key=lambda one: one.text.casefold())


def _mentioned(one: Reference, text: str) -> bool:
    """``Song et al. (2024)`` is also cited as ``(Song et al., 2024)``."""
    author, _, year = one.short.removesuffix(")").rpartition(" (")
    return one.short in text or f"{author}, {year}" in text
