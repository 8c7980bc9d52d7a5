"""Words for how soon a target is reached, on one problem and over all of them."""

from optbench.glossary.entry import Entry

_UNITS = "steps, examples, gradient evaluations or seconds (--by)"

ENTRIES = (
    Entry(
        "target",
        "A loss (or accuracy) that counts as solving a problem. Each problem has its own; --target sets another train "
        "loss.",
        see=("reached", "steps_to_target"),
    ),
    Entry(
        "reached",
        "A target is reached at the step from which on the running median of the loss meets it to the end of training. "
        "A trial that diverges reaches none.",
        formula="running median over 5 % of the records, at least 5; on full batches over single steps where the loss "
        "at every step is known of all optimizers, else over records",
        see=("target", "not_reached", "record"),
        also=("reaching a target",),
    ),
    Entry(
        "not_reached",
        "Most seeds missed the target within their steps. Files have it as infinity (null in JSON).",
        see=("reached",),
        also=("inf", "infinity", "not reached"),
    ),
    Entry(
        "steps_to_target",
        "Steps until the problem's first target is reached; the median over seeds, inf where most don't reach it.",
        unit="steps",
        see=("reached", "target"),
    ),
    Entry(
        "gradients_to_target",
        "The same in gradient evaluations, which is fairer where a step computes several (lbfgs, sam).",
        unit="gradients",
        see=("gradient_evaluations", "steps_to_target"),
    ),
    Entry(
        "examples_to_target",
        "Training examples processed until the target is reached.",
        unit="examples",
        formula="gradients_to_target x examples of each gradient (in batch-scaling: steps_to_target x batch_size)",
        see=("gradients_to_target", "batch_size"),
    ),
    Entry(
        "seconds_to_target",
        "A criterion of recommend and --select-by: the fewest seconds until the target is reached.",
        unit="s",
        formula="gradients_to_target x seconds of a step, where steps were timed",
        see=("time_to_target",),
    ),
    Entry(
        "time_to_target",
        "Seconds of training until the target is reached.",
        unit="s",
        formula="median steps_to_target x step_seconds",
        see=("steps_to_target", "step_seconds"),
    ),
    Entry(
        "ratio",
        "How many times as long as the fastest optimizer on that problem, at whichever batch size that was fastest.",
        unit="ratio",
        formula="time_to_target / least time_to_target on the problem",
        tables=("time-to-target",),
    ),
    Entry(
        "score",
        "How near an optimizer comes to the fastest on each problem, from 0 (never within 4 times) to 1 (always the "
        "fastest).",
        unit="0 to 1",
        formula="mean over problems of (4 - r) / 3, where r is the ratio to the fastest, and 0 where r exceeds 4 or "
        "the target is missed: the area under the performance profile from 1 to 4",
        see=("ratio", "within_k"),
        tables=("time-to-target", "profile"),
    ),
    Entry(
        "within_k",
        "Performance profile: the share of problems whose first target the optimizer reaches with at most k times the "
        "work of the best one there.",
        unit="fraction, 0 to 1",
        see=("solved", "score"),
        also=("within_*", "performance profile", "profile"),
    ),
    Entry("solved", "Share of problems whose first target is reached at all.", unit="fraction, 0 to 1"),
    Entry(
        "num_solved",
        "Seeds that reached the target.",
        unit="seeds",
        see=("num_seeds", "ert_unit"),
    ),
    Entry(
        "ert_unit",
        "Expected running time: what repeating the tuned optimizer on fresh seeds until one reaches the target takes "
        "on average. inf: no seed reached it.",
        unit=_UNITS,
        formula="work of all seeds, those that failed with their whole budget / seeds that reached the target",
        see=("target", "num_solved"),
        also=("ert_*", "ert", "expected running time"),
    ),
    Entry(
        "by_unit_amount",
        "ECDF: the share of all (problem, target, seed) that is reached with at most that much work. Each problem has "
        "ten targets between its start and its own target.",
        unit="fraction, 0 to 1",
        formula="targets evenly spaced in the logarithm of the loss (of the gap, where the optimum is known); without "
        "a target of its own, down to the lowest final loss of any optimizer",
        see=("target",),
        also=("by_*", "ecdf"),
    ),
    Entry(
        "mean_rank",
        "Mean over problems of the place an optimizer takes there by its final train loss; 1 is the best.",
        unit="rank",
        formula="ties share their ranks; batch sizes of a problem are averaged and ranked again",
        see=("behind_the_best", "num_first"),
    ),
    Entry("best_rank", "The best place on any problem.", unit="rank", see=("mean_rank",)),
    Entry("worst_rank", "The worst place on any problem.", unit="rank", see=("mean_rank",)),
    Entry("num_first", "Problems on which the optimizer came first, or shares the first place.", unit="problems"),
    Entry(
        "behind_the_best",
        "yes: significantly behind the optimizer with the best mean rank. Empty: it can't be told apart from that one.",
        formula="Friedman's test at 5 %, then Nemenyi's critical difference of mean ranks",
        see=("mean_rank",),
    ),
)
