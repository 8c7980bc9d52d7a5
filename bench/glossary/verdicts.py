"""Words of `optbench compare`: one optimizer against another, on one problem and over all."""

from optbench.glossary.entry import Entry

_COMPARE = ("compare",)

_ANSWER = ("answer", "matrix")

ENTRIES = (
    Entry(
        "among_best",
        "On how many problems, each batch size by itself, no optimizer is significantly better: the best ones, and "
        "those that can't be told from the best.",
        formula="problems on which the lowest median does not beat it: paired by seed, all pairs of optimizers "
        "corrected together (Benjamini and Hochberg, 5 %), within 5 % counts as equal",
        see=("distance", "verdict"),
        tables=_ANSWER,
    ),
    Entry(
        "distance",
        "How far an optimizer's final loss typically is from the best one's: 1 is the best, 2 is twice its loss (or "
        "its distance from the optimum where that is known).",
        unit="ratio",
        formula="median over problems of (median over seeds of the loss / that of the best optimizer), with a 95 % "
        "bootstrap interval over seeds; infinite where it diverged",
        see=("among_best", "gap"),
        tables=_ANSWER,
    ),
    Entry(
        "solved",
        "On how many problems most seeds reach the target, at the settings chosen for reaching it soon.",
        see=("target",),
        tables=_ANSWER,
    ),
    Entry(
        "group",
        "Letters of mean ranks over problems: optimizers that share a letter can't be told apart by them. None where "
        "no two differ.",
        formula="mean ranks within Nemenyi's critical difference (5 %), where Friedman's test says that ranks differ",
        see=("mean_rank",),
        tables=_ANSWER,
    ),
    Entry("num_tasks", "Number of problems, each batch size counted by itself.", tables=_ANSWER),
    Entry(
        "best_value",
        "Median over seeds of the final metric of the best optimizer on a problem.",
        unit="that of metric",
        see=("metric",),
        tables=_ANSWER,
    ),
    Entry("reference", "The optimizer that the first one is compared with, on the same problems and seeds."),
    Entry(
        "metric",
        "What is compared (--metric): the gap where the optimum is known, the test loss where hyperparameters were "
        "chosen on validation rows, else the train loss.",
        see=("gap", "test_loss", "train_loss"),
    ),
    Entry(
        "value",
        "Median of the metric of the optimizer over seeds.",
        unit="that of metric",
        see=("metric", "interval"),
        tables=_COMPARE,
    ),
    Entry(
        "reference_value",
        "Median of the metric of the reference over the same seeds.",
        unit="that of metric",
        see=("metric", "reference"),
    ),
    Entry(
        "difference",
        "How far the optimizer is from the reference on the same seed. Below zero is better, but for accuracies.",
        unit="that of metric",
        formula="median over seeds of (optimizer - reference), with a 95 % bootstrap interval",
        see=("verdict", "p_value"),
    ),
    Entry(
        "p_value",
        "How likely so large a difference would be if both were equally good. Empty where nothing on the problem is "
        "random: then all seeds are one trial, and the margin alone decides.",
        unit="probability, 0 to 1",
        formula="Wilcoxon's signed-rank test over seeds, corrected over all rows (Benjamini and Hochberg): of the rows "
        "called better or worse at most 5 % are false",
        see=("verdict",),
    ),
    Entry(
        "verdict",
        "The outcome on one problem: better, worse, equal or undecided. In history also same, failed, missing, new and "
        "not compared.",
        see=("better", "equal", "undecided", "ratio"),
    ),
    Entry(
        "better",
        "The optimizer (in history the newest entry) is better than what it is compared with, by more than chance "
        "explains; worse is the opposite.",
        formula="compare: p_value at most 0.05 and an interval of the difference without zero; history: the interval "
        "of the ratio lies beyond the margin, and the ratio beyond the noise",
        see=("p_value", "noise"),
        also=("worse",),
    ),
    Entry(
        "equal",
        "The difference is too small to matter, and sure to be.",
        formula="the interval of the difference lies within the margin, 5 % of the reference (--margin; of accuracies "
        "5 % of the error rate); losses below a thousandth of the target, or below rounding, are equal",
        see=("margin",),
        also=("same",),
    ),
    Entry("margin", "The share of the value before, or of the reference, up to which a change counts as none."),
    Entry(
        "undecided",
        "Neither better, worse nor equal: the seeds (in history the entries) are too few, or too noisy, to tell.",
        see=("seeds_needed", "why"),
    ),
    Entry(
        "seeds_needed",
        "About how many report seeds would decide an undecided row; inf: more than 1000.",
        unit="seeds",
        formula="for a test at 5 % with a power of 80 %, or for an interval within the margin, whichever is fewer",
        see=("undecided",),
    ),
    Entry("win", "Problems on which the optimizer is better.", unit="problems", see=("better",), tables=_COMPARE),
    Entry("tie", "Problems on which the two are equal or undecided.", unit="problems", see=("equal", "undecided")),
    Entry("loss", "Problems on which the optimizer is worse.", unit="problems", see=("better",), tables=_COMPARE),
    Entry(
        "improvement",
        "Probability that the optimizer beats the reference on a random problem with random seeds; 0.5 is neither.",
        unit="probability, 0 to 1",
        formula="mean over problems of the share of pairs of seeds that it wins, ties counted half (Agarwal et al., "
        "2021)",
        also=("probability of improvement",),
    ),
    Entry(
        "score",
        "How much of the way to the optimum is left over all problems: 0 at the optimum, 1 at the start. Lower is "
        "better.",
        unit="0 to 1",
        formula="interquartile mean over problems and seeds of the log loss, scaled from the start (1) to the optimum, "
        "or where that isn't known to the better of the two (0)",
        see=("reference_score",),
        tables=_COMPARE,
    ),
    Entry("reference_score", "The score of the reference.", unit="0 to 1", see=("score",)),
    Entry(
        "speedup",
        "How many times fewer gradient evaluations the optimizer takes to the target than the reference.",
        unit="ratio",
        formula="geometric mean over the problems where both reach it",
        see=("speedup_on", "gradients_to_target"),
    ),
    Entry("speedup_on", "Problems that speedup is the mean over.", unit="problems", see=("speedup",)),
)
