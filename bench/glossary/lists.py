"""Words of `optbench list` and `optbench doctor`."""

from optbench.glossary.entry import Entry

_PROBLEMS, _OPTIMIZERS, _SUITES, _RUNS = (f"list {name}" for name in ("problems", "optimizers", "suites", "runs"))
_DOCTOR = ("doctor",)

ENTRIES = (
    Entry(
        "kind", "convex, landscapes (functions of few variables with a known optimum) or networks.", tables=(_PROBLEMS,)
    ),
    Entry("reveals", "What the problem tells of an optimizer.", tables=(_PROBLEMS,)),
    Entry(
        "rungs",
        "The problem at an easy, a medium and a hard setting, as it is typed after -p.",
        also=("rung", "ladder"),
    ),
    Entry("parameters", "What can be set in brackets, with its default.", tables=(_PROBLEMS,)),
    Entry(
        "learning_rate_low",
        "Lower end of the learning rates that default:N spans for the optimizer; learning_rate_high is the upper one.",
        also=("learning_rate_high",),
        tables=(_OPTIMIZERS,),
    ),
    Entry(
        "weight_decay_low",
        "Lower end of the weight decays that default:N spans above 0; weight_decay_high is the upper one.",
        also=("weight_decay_high",),
        tables=(_OPTIMIZERS,),
    ),
    Entry(
        "needs",
        "What the update takes beside gradients and parameters, such as the loss's value or the loss itself.",
        tables=(_OPTIMIZERS,),
    ),
    Entry(
        "decay",
        "How decoupled weight decay is applied: native (the optimizer has it with that meaning), wrapped (subtracted "
        "beside its update), anchored or averaged (the same for optimizers that keep the initial parameters, or "
        "average them).",
        see=("decoupled",),
        tables=(_OPTIMIZERS,),
    ),
    Entry("source", "The paper or code that the optimizer and its range of learning rates come from."),
    Entry("description", "What the suite is for.", tables=(_SUITES,)),
    Entry("problems", "Number of problems of the suite.", tables=(_SUITES,)),
    Entry("optimizers", "Number of optimizers of the suite.", tables=(_SUITES,)),
    Entry("started", "When the run began, in UTC.", see=("ended",)),
    Entry("ended", "When the run ended, in UTC. Empty while it goes on, or where it was stopped.", see=("started",)),
    Entry("stored", "Cells of the run that are done.", unit="cells", see=("cell",)),
    Entry("what", "What the row's value is of.", tables=("report",)),
    Entry("check", "What doctor looks at.", tables=_DOCTOR),
    Entry("found", "What it is on this machine.", tables=_DOCTOR),
    Entry("ok", "Whether that is as it should be; empty where nothing can be wrong.", tables=_DOCTOR),
    Entry("copy_gigabytes_per_second", "Memory bandwidth: bytes read and written by a large copy.", unit="GB/s"),
    Entry("copy_bytes", "Size of that copy.", unit="bytes", see=("copy_gigabytes_per_second",)),
    Entry("product_gigaflops_per_second", "Arithmetic speed of a large matrix product.", unit="GFLOP/s"),
    Entry("product_rows", "Rows of that product.", unit="rows", see=("product_gigaflops_per_second",)),
    Entry("device", "What computes: the processor, or the graphics card.", see=("machine",)),
)
