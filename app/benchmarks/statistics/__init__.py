"""
The statistics we state, each by one written rule that an independent computation can match.

Counts come in as integers and ratios of them stay exact (`Fraction`) until they are rounded, half
up. Intervals are floating point; they are two-sided and 95 % unless another level is named. What is
named in the plural takes arrays, one value a facility, and gives arrays; NaN is what cannot be told.
Which of them is used where, and why, is told in docs/explanation/statistics.md.

One facility, one period; these are named here too:
    rounding        half up
    quantiles       quantiles, of values and of histograms
    proportions     Wilson, Clopper-Pearson, Newcombe's difference
    counts          Garwood's exact Poisson, the ratio of two rates
    means           Student, Welch
All facilities at once:
    dispersion      standardised deviations; scatter beyond chance
    funnels         control limits of funnel plots
    probabilities   how improbable a result is by chance
    flags           Benjamini-Hochberg; who stands out
    beta_binomial, gamma_poisson, normal_normal
                    reliability, and shrunk proportions, ratios and means
    case_mix        logistic regression on what patients bring
    ratios          observed to expected
    adjustment      from counted cases to ratios that allow for case mix
    norms           what all say of a proportion or a mean in a few numbers, and one held against them
    comparisons     all of these at once, by the rules we settled on
One facility over time:
    charts          what a chart says, as plain values; phases
    run_charts      Anhøj's rules, the trend in words
    control_charts  XmR, p, u, p′, u′, g, t
    rules           special causes
"""

from app.benchmarks.statistics.counts import (
    exact_poisson,
    exact_poisson_intervals,
    rate_ratio,
    rate_ratio_intervals,
)
from app.benchmarks.statistics.intervals import Interval, Intervals
from app.benchmarks.statistics.means import Sums, mean_interval, student_quantile, welch
from app.benchmarks.statistics.proportions import (
    clopper_pearson,
    clopper_pearson_intervals,
    newcombe,
    newcombe_intervals,
    wilson,
    wilson_intervals,
)
from app.benchmarks.statistics.quantiles import histogram_quantile, quantile
from app.benchmarks.statistics.rounding import half_up

__all__ = [
    "Interval",
    "Intervals",
    "Sums",
    "clopper_pearson",
    "clopper_pearson_intervals",
    "exact_poisson",
    "exact_poisson_intervals",
    "half_up",
    "histogram_quantile",
    "mean_interval",
    "newcombe",
    "newcombe_intervals",
    "quantile",
    "rate_ratio",
    "rate_ratio_intervals",
    "student_quantile",
    "welch",
    "wilson",
    "wilson_intervals",
]
