"""Words for tuning: what it costs, what it buys, how sensitive an optimizer is, and what a larger batch buys."""

from optbench.glossary.entry import Entry

_OBJECTIVE = "the gap where the optimum is known, else the train loss"

ENTRIES = (
    Entry(
        "best_of_k",
        "The final loss to expect from trying k random points and keeping the best of them. On the selection seeds, so "
        "large k look better than they are.",
        unit="loss",
        formula=f"expected minimum over all subsets of k points of the median over seeds ({_OBJECTIVE}); a diverged "
        "point counts as the initial loss; interval: bootstrap over points",
        see=("num_points", "overtakes"),
        also=("best_of_*",),
    ),
    Entry(
        "overtakes",
        "Optimizers that are ahead with a single random point, and the number of points from which on this one is "
        "ahead.",
        see=("best_of_k",),
    ),
    Entry(
        "num_trials",
        "Trials that the settings were chosen by, of all studies.",
        unit="trials",
        formula="points x selection seeds x studies",
        see=("trial", "study"),
    ),
    Entry(
        "default_learning_rate",
        "The learning rate of the optimizer's paper or of well-known code.",
        see=("nearest_learning_rate",),
    ),
    Entry(
        "nearest_learning_rate",
        "The learning rate of the grid that is nearest to the default one; empty where none is within half a step of "
        "the grid.",
        see=("default_learning_rate", "nearest"),
    ),
    Entry(
        "nearest",
        "Untuned: the final loss with the learning rate nearest to the default, the least weight decay, no schedule "
        "and default hyperparameters.",
        unit="loss",
        formula=f"median over the selection seeds of {_OBJECTIVE}",
        see=("tuned", "kept"),
    ),
    Entry("tuned_learning_rate", "The learning rate that was chosen.", see=("tuned",)),
    Entry(
        "tuned",
        "Tuned: the final loss with the chosen settings, on the seeds they were chosen by.",
        unit="loss",
        formula=f"median over the selection seeds of {_OBJECTIVE}",
        see=("nearest", "selection_seed"),
    ),
    Entry(
        "ratio",
        "How many times as high the loss is without tuning.",
        unit="ratio",
        formula="nearest / tuned; empty where tuned is below zero",
        tables=("defaults",),
    ),
    Entry(
        "kept",
        "Share of the tuned progress that the default settings make, in the logarithm of the loss: 1 where tuning buys "
        "nothing.",
        unit="fraction, 0 to 1",
        formula="log(start / nearest) / log(start / tuned)",
        see=("nearest", "tuned"),
    ),
    Entry(
        "octaves_within_10_percent",
        "How wide the range of learning rates is whose loss is at most 10 % above the best: 3 octaves are a factor of "
        "8.",
        unit="octaves (factors of two)",
        formula="interpolated between the rates that were tried; it ends where the grid does and before what diverged",
        see=("octaves_keeping_90_percent", "at_edge"),
        also=("octave", "octaves"),
    ),
    Entry(
        "octaves_keeping_90_percent",
        "How wide the range of learning rates is that make at least 90 % of the best one's progress.",
        unit="octaves (factors of two)",
        formula="progress: from the initial loss down, in the logarithm",
        see=("octaves_within_10_percent",),
    ),
    Entry(
        "kept_at_other_batch_sizes",
        "How well this learning rate carries over: the progress it makes at other batch sizes of the problem, as a "
        "share of the best one's there.",
        unit="fraction, 0 to 1",
        formula="median over the other batch sizes whose grid holds that rate",
        see=("kept_on_other_problems",),
    ),
    Entry(
        "kept_on_other_problems",
        "How well this learning rate carries over: the progress it makes on other problems, as a share of the best "
        "one's there.",
        unit="fraction, 0 to 1",
        formula="median over the other problems whose grid holds that rate",
        see=("kept_at_other_batch_sizes",),
    ),
    Entry(
        "region",
        "What doubling the batch size saves: perfect (it nearly halves the steps), diminishing, or none.",
        formula="perfect: at least 80 % of the steps that a perfect halving saves, by the fit; none: at most 20 %",
        see=("critical_batch_size",),
    ),
    Entry(
        "fewest_steps",
        "Steps to the target that even an infinitely large batch takes.",
        unit="steps",
        formula="S of the fit steps = S + E / batch size (McCandlish et al., 2018)",
        see=("fewest_examples", "critical_batch_size"),
    ),
    Entry(
        "fewest_examples",
        "Examples to the target that even the smallest batch takes.",
        unit="examples",
        formula="E of the fit steps = S + E / batch size",
        see=("fewest_steps", "critical_batch_size"),
    ),
    Entry(
        "critical_batch_size",
        "The batch size beyond which larger batches save few steps. There, steps and examples are both twice their "
        "fewest.",
        unit="examples",
        formula="fewest_examples / fewest_steps",
        see=("region",),
    ),
    Entry(
        "training_seconds",
        "How long one training takes.",
        unit="s",
        formula="steps x step_seconds",
        see=("step_seconds",),
    ),
    Entry(
        "stage",
        "Stage of the search: screen tries many optimizers roughly, refine the best ones with more values.",
    ),
)
