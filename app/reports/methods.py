"""How a feedback report's figures are worked out, as it says it."""

METHODS = (
    "A rate is the numerator divided by the denominator without exclusions and exceptions; a missing value never counts as yes.",
    "Intervals are 95%: Wilson's for proportions, Garwood's exact Poisson limits for rates per 1,000, Student's for means; of a change, Newcombe's for proportions, Welch's for means, the exact one of the ratio for rates per 1,000.",
    "A change is called clear when its interval leaves out that nothing changed.",
    "Over time, a change is told from chance by Anhøj's rules: the longest run of points on one side of their median, and how often the points cross it.",
    "The control chart is the one that fits the measure: p for shares, u for rates per 1,000 (p′ and u′ of many cases), XmR for means, and cases between events, g, where they are rare; its limits lie three sigma from the centre, and special causes are told by Provost and Murray's five rules.",
    "Limits of a funnel lie around the pooled rate of all peers: 95% broken, 99.8% whole. Where facilities scatter beyond chance, the limits hold that scatter too (Spiegelhalter's additive over-dispersion); one facility in 500 lies beyond the outer ones all the same.",
    "A result is said to differ from its peers more than chance explains when it lies beyond the outer limits and its probability is below what Benjamini and Hochberg's procedure calls among all facilities and measures of the period: of all that is so said, at most one in twenty is chance. The best estimate is shrunk towards all facilities by how little the own result can be relied on (beta-binomial for shares, normal on the log scale for means).",
    "Where a measure has a case mix, the number expected is what the same cases would have had anywhere: a logistic regression on what patients bring, estimated within facilities over twelve months of all of them, told with the snapshot of peers. Limits of observed to expected are exact and hold the expected number for known; the best estimate is shrunk towards 1 (gamma-Poisson), and the adjusted rate is the ratio times the rate of all.",
    "This facility's own results include every case accepted up to the feed number below.",
    "Peers come from a dated snapshot: one rate per facility, unweighted, rounded. A group of fewer than 5 facilities, one in which a single organisation holds more than half of the cases, one with a count below 11 behind it, and whatever would give such a group away is not shown.",
    "The standing is the quarter of facilities that the rate falls into, by mid-rank, turned round where lower is better.",
    "A result is withheld when it rests on too few cases, when its outcome window has not closed, or when follow-up is too incomplete to judge it.",
)
