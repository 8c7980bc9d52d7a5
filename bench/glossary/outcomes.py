"""Words for how a training ended: losses, metrics, and what is flagged."""

from optbench.glossary.entry import Entry

_MEAN = "mean over the examples of the split, in nats where it is a log-likelihood"

ENTRIES = (
    Entry(
        "train_loss",
        "Final loss on the training set, penalties of the problem included; in a table of results the median over "
        "seeds. inf: most seeds diverged.",
        unit="loss",
        formula=_MEAN,
        see=("gap", "interval", "diverged"),
        also=("loss", "final loss"),
    ),
    Entry("test_loss", "Final loss on the test split, which nothing is ever chosen by.", unit="loss", formula=_MEAN),
    Entry(
        "validation_loss",
        "Final loss on the validation split: the rows that hyperparameters are chosen by where a problem has them.",
        unit="loss",
        formula=_MEAN,
        see=("validation_split", "select_by"),
    ),
    Entry("train_accuracy", "Share of the training set that is classified correctly.", unit="fraction, 0 to 1"),
    Entry("test_accuracy", "Share of the test split that is classified correctly.", unit="fraction, 0 to 1"),
    Entry(
        "validation_accuracy", "Share of the validation split that is classified correctly.", unit="fraction, 0 to 1"
    ),
    Entry(
        "validation_split",
        "Rows held out of the training set, by which hyperparameters are chosen.",
        see=("test_split", "validation_loss"),
        also=("validation", "validation rows"),
    ),
    Entry(
        "test_split",
        "Rows that are neither trained on nor chosen by: they tell how well the chosen settings generalise.",
        see=("validation_split", "test_loss"),
        also=("test",),
    ),
    Entry("batch_loss", "Mean loss of the batches since the previous record.", unit="loss", see=("record",)),
    Entry("step_loss", "Loss before every single update, known where batches are the full training set.", unit="loss"),
    Entry(
        "optimum",
        "The lowest loss a problem has, where that is known in closed form or computed to high precision.",
        unit="loss",
        see=("gap",),
    ),
    Entry(
        "gap",
        "Suboptimality: how far the final loss lies above the optimum. Empty where the optimum isn't known.",
        unit="loss",
        formula="train_loss - optimum; below zero only by rounding",
        see=("optimum", "train_loss"),
        also=("suboptimality",),
    ),
    Entry(
        "interval",
        "The numbers in brackets, and the columns that end in _low and _high: how far the median may lie off because "
        "seeds are few. Below six seeds it is their whole range.",
        formula="95 % percentile bootstrap over seeds, 2.5 % beyond each end",
        also=("confidence interval", "low", "high"),
        see=("num_seeds",),
    ),
    Entry(
        "select_by",
        "What hyperparameters were chosen by (--select-by): the validation loss where a problem has such rows, else "
        "the train loss.",
        formula="the point with the lowest upper quartile over the selection seeds (of up to four seeds: their worst)",
        see=("selected", "selection_seed", "validation_split"),
    ),
    Entry(
        "selected",
        "The value that the chosen settings had on the selection seeds. Where the reported value is several times "
        "worse, the settings were lucky: more --seeds choose more reliably.",
        unit="that of select_by",
        formula="the upper quartile over the selection seeds; the median of that over studies",
        see=("select_by", "study"),
    ),
    Entry(
        "at_edge",
        "The hyperparameters whose chosen value is the smallest or the largest that was tried. A wider grid may do "
        "better there, so a comparison with it is not yet fair (optbench tune --auto-extend).",
        see=("grid", "learning_rate"),
        also=("edge",),
    ),
    Entry(
        "diverged",
        "A trial whose loss was infinite or NaN at some step, or that ended far above its start and was still rising. "
        "It ranks worst and is never left out.",
        formula="far: by more than 10 times what any trial gained from its start",
        see=("worse_than_the_start", "diverged_fraction"),
        also=("divergence",),
    ),
    Entry(
        "worse_than_the_start",
        "A trial that ended above its initial loss without having diverged: it counts with the loss it ended at.",
        see=("diverged",),
    ),
    Entry(
        "diverged_fraction",
        "Share of the trials that diverged: of the report seeds in convergence, of all selection trials in "
        "sensitivity.",
        unit="fraction, 0 to 1",
        see=("diverged",),
    ),
    Entry(
        "diverged_at",
        "Updates made when the loss was first infinite or NaN. Empty where it never was.",
        unit="steps",
        see=("diverged",),
    ),
    Entry(
        "status",
        "How a trial ended: ok, worse than the start, diverged, stopped (by tune --search halving), error, oom (out of "
        "memory) or timeout.",
        see=("diverged", "worse_than_the_start"),
    ),
    Entry("message", "What went wrong, in one line."),
    Entry(
        "settings",
        "The best settings as words of the command line: paste them after optbench run -p PROBLEM.",
        tables=("best", "tune"),
    ),
    Entry(
        "gradient_norm",
        "Probe: Euclidean norm of the gradient of the train loss over the training set.",
        see=("probe",),
    ),
    Entry("parameter_norm", "Probe: Euclidean norm of the parameters.", see=("probe",)),
    Entry("distance", "Probe: Euclidean distance of the parameters from the initial ones.", see=("probe",)),
    Entry(
        "seed_distance",
        "Probe: how different the solutions are that different seeds end at.",
        unit="ratio",
        formula="mean distance of a seed's final parameters from those of the other seeds / mean distance that seeds "
        "have come from their initial parameters",
        see=("probe",),
    ),
    Entry(
        "probe",
        "A number measured of the parameters beside the loss (--probe): gradient_norm, parameter_norm, distance, "
        "seed_distance.",
    ),
)
