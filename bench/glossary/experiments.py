"""Words for what is trained: from the problem to the trial."""

from optbench.glossary.entry import Entry

ENTRIES = (
    Entry(
        "problem",
        "What is minimised: a loss with its parameters, and data or a way to draw it. A name with brackets, such as "
        "quadratic[dim=100], has parameters of its own; 'all' is the row over all problems.",
        see=("optimum", "target", "batch_size"),
    ),
    Entry(
        "optimizer",
        "The update rule that is benchmarked: one of optax, or a function of yours. With brackets it has "
        "hyperparameters that are fixed, such as adamw[b1=0.8].",
        see=("point", "reference"),
    ),
    Entry(
        "batch_size",
        "Examples whose mean gradient makes one step. 'full' is the whole training set.",
        unit="examples",
        see=("steps", "examples"),
    ),
    Entry(
        "dtype",
        "Floating-point precision. bfloat16 is mixed precision: parameters, gradients and optimizer state stay in "
        "float32, and the network computes in bfloat16.",
    ),
    Entry(
        "hyperparameters",
        "What an optimizer is tuned over beside learning rate, weight decay and schedule, such as b1 of adam. Each has "
        "a column of its own name.",
        see=("point", "grid"),
    ),
    Entry(
        "learning_rate",
        "The peak learning rate: the schedule multiplies it by a factor from 0 to 1 at each step. In a table of "
        "results, the one that was chosen.",
        see=("schedule", "at_edge", "select_by"),
        also=("lr", "rate"),
    ),
    Entry(
        "weight_decay",
        "How strongly parameters are pulled towards zero.",
        formula="decoupled: x <- x - learning_rate * schedule * weight_decay * x, beside the update",
        see=("decoupled", "coupled"),
        also=("wd",),
    ),
    Entry(
        "schedule",
        "How the learning rate changes over the steps: constant, cosine, linear or wsd (warm-up, stable, decay). "
        "[warmup=0.1] lets it rise from zero over the first tenth.",
        see=("learning_rate",),
    ),
    Entry(
        "decoupled",
        "Weight decay as in AdamW: it shrinks the parameters beside the update and never passes through the "
        "optimizer's statistics. This is the default, for every optimizer.",
        formula="x <- x + update - learning_rate * schedule * weight_decay * x",
        see=("weight_decay", "coupled"),
        also=("decoupled decay", "decay"),
    ),
    Entry(
        "coupled",
        "Weight decay as an L2 penalty (--decay coupled): its gradient passes through the optimizer. No loss that is "
        "reported holds the penalty.",
        formula="the objective plus weight_decay / 2 * |x|^2",
        see=("weight_decay", "decoupled"),
        also=("coupled decay", "L2"),
    ),
    Entry(
        "grid",
        "The values that are tried of each hyperparameter, all combined with each other.",
        see=("point", "at_edge"),
    ),
    Entry(
        "point",
        "One combination of hyperparameters, also called a configuration: a learning rate, a weight decay, a schedule "
        "and what else is tuned.",
        see=("grid", "num_points"),
        also=("configuration",),
    ),
    Entry(
        "trial",
        "One training: one point with one seed.",
        see=("point", "seed", "cell"),
    ),
    Entry(
        "cell",
        "One problem with one optimizer at one batch size: all its trials are compiled into one program, and its "
        "results are one row of the table convergence.",
        see=("trial", "suite"),
    ),
    Entry(
        "study",
        "One whole tuning: a grid whose learning rates are shifted by a share of a step of its own, with selection "
        "seeds of its own, and one report seed. Where a run has several, results vary over studies, so that the luck "
        "of tuning is part of every interval.",
        see=("selection_seed", "report_seed"),
    ),
    Entry(
        "seed",
        "Number of a repetition. The same seed gives every optimizer the same initial parameters and the same batches, "
        "so that optimizers are compared seed by seed.",
        see=("selection_seed", "report_seed"),
    ),
    Entry(
        "selection_seed",
        "A seed by which hyperparameters are chosen (--seeds). Results on it are too good, since settings were picked "
        "for doing well there.",
        see=("report_seed", "select_by", "selected"),
    ),
    Entry(
        "report_seed",
        "A fresh seed on which the chosen hyperparameters are trained again (--report-seeds). Results are reported on "
        "these alone.",
        see=("selection_seed", "num_seeds"),
    ),
    Entry(
        "phase",
        "select: the trials that hyperparameters are chosen by; report: the chosen ones on fresh seeds.",
        see=("selection_seed", "report_seed"),
    ),
    Entry(
        "record",
        "A step at which the losses are evaluated and stored. Record 0 is the initial parameters.",
        see=("step", "train_loss"),
    ),
    Entry(
        "step",
        "Updates made so far.",
        unit="steps",
        see=("record", "gradient_evaluations"),
        tables=("curves",),
    ),
    Entry("steps", "Updates of a whole training.", unit="steps", see=("epochs",)),
    Entry("epochs", "Passes over the training set; --epochs gives every batch size the same number of examples."),
    Entry("examples", "Training examples seen so far.", unit="examples", formula="step x batch size"),
    Entry(
        "gradient_evaluations",
        "Gradients of the loss computed so far. Most optimizers compute one a step; sam computes two, and a line "
        "search such as that of lbfgs several.",
        unit="gradients",
        see=("gradients_to_target",),
        also=("gradients", "gradient evaluation"),
    ),
    Entry(
        "suite",
        "A TOML file that names problems, optimizers, grids and budgets. Some are packaged: optbench list suites.",
        see=("cell",),
    ),
    Entry("run", "What one command trained: a folder of results with one file a cell.", see=("suite", "cell")),
    Entry(
        "num_points",
        "Points that were tried. More points find better settings, so optimizers are comparable at equal numbers.",
        see=("point", "best_of_k"),
    ),
    Entry(
        "num_seeds",
        "Seeds that a row is the median of. In compare it is 1 where nothing on a problem is random, because then all "
        "seeds are the same trial.",
        see=("report_seed", "p_value"),
    ),
    Entry("num_problems", "Problems that a row is over; each batch size counts as one."),
)
