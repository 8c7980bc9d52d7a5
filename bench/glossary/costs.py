"""Words for what a step costs: seconds, memory and arithmetic."""

from optbench.glossary.entry import Entry

_PLAN = ("plan",)

ENTRIES = (
    Entry(
        "step_seconds",
        "Time of one training step: gradient and update of a single training, compiled, many steps a call.",
        unit="s",
        formula="median over the timed calls; exact 95 % interval by ranks",
        see=("sgd_ratio", "update_share"),
    ),
    Entry(
        "examples_per_second",
        "Training examples processed a second.",
        unit="examples/s",
        formula="examples of a step / step_seconds",
        see=("step_seconds",),
    ),
    Entry(
        "sgd_ratio",
        "How many times as long as a step of plain SGD on the same problem, timed in turns with it.",
        unit="ratio",
        see=("step_seconds",),
    ),
    Entry(
        "update_share",
        "Share of a step that the optimizer itself takes, beyond one loss and gradient. Further gradients of sam, "
        "sophia and lbfgs belong to it; slightly below zero is timing noise.",
        unit="fraction of the step",
        formula="1 - seconds of one loss and gradient / step_seconds",
        see=("step_seconds",),
    ),
    Entry("trace_seconds", "Time that jax takes to trace the program.", unit="s", see=("compile_seconds",)),
    Entry(
        "compile_seconds",
        "Time that XLA takes to compile the program. Empty where it came out of the compilation cache.",
        unit="s",
        see=("trace_seconds", "first_step_seconds"),
    ),
    Entry(
        "first_step_seconds",
        "Time of the first call after compilation, per step.",
        unit="s",
        see=("compile_seconds",),
    ),
    Entry("state_bytes", "Memory of the optimizer's state.", unit="bytes", see=("state_bytes_per_parameter",)),
    Entry(
        "state_bytes_per_parameter",
        "Memory of the optimizer's state for each parameter: 8 for adam in float32.",
        unit="bytes",
        formula="state_bytes / number of parameters",
    ),
    Entry(
        "peak_bytes",
        "Memory of the program of one training: arguments, outputs and temporaries, by the compiler's analysis.",
        unit="bytes",
    ),
    Entry(
        "flops_per_step",
        "Floating-point operations of a step, counted from the program as it is written.",
        unit="operations",
        see=("flops_per_second",),
        also=("flops", "flop"),
    ),
    Entry(
        "flops_per_second",
        "Arithmetic speed that is reached.",
        unit="operations/s",
        formula="flops_per_step / step_seconds (of updates alone: flops_per_update / update_seconds)",
        see=("percent_of_limit",),
    ),
    Entry(
        "percent_of_limit",
        "How near a step comes to what the machine can do: the larger share of two limits that are measured in the "
        "same run.",
        unit="%",
        formula="100 x the larger of flops_per_second / that of a large matrix product, and bytes moved a second / "
        "that of a large copy",
        see=("flops_per_second",),
    ),
    Entry("shape", "How the parameters are cut into arrays: transformer, flat (one array) or many_small."),
    Entry("parameters", "Number of parameters of the model.", tables=("throughput --update-only",)),
    Entry("leaves", "Arrays that the parameters consist of."),
    Entry(
        "update_seconds",
        "Time of one update alone, without a loss or gradient.",
        unit="s",
        formula="median over the timed calls; exact 95 % interval by ranks",
    ),
    Entry(
        "bytes_read_written",
        "The least memory traffic of an update: parameters, gradient and state read once, parameters and state written "
        "once.",
        unit="bytes",
    ),
    Entry("bytes_per_second", "Memory traffic.", unit="bytes/s", formula="bytes_read_written / update_seconds"),
    Entry(
        "percent_of_copy",
        "Memory traffic as a share of that of a large copy on this machine. What fits into a cache may exceed 100.",
        unit="%",
        see=("bytes_per_second",),
    ),
    Entry(
        "percent_of_product",
        "Arithmetic speed as a share of that of a large matrix product on this machine.",
        unit="%",
        see=("flops_per_second",),
    ),
    Entry("flops_per_update", "Floating-point operations of an update, as it is written.", unit="operations"),
    Entry(
        "cells", "Trainings of one problem with one optimizer at one batch size, all points and seeds.", see=("cell",)
    ),
    Entry(
        "finished", "Cells that are done already, and are not trained again.", unit="cells", see=("cell",), tables=_PLAN
    ),
    Entry("trials", "Trainings that are left to do.", unit="trials", see=("trial",), tables=_PLAN),
    Entry("compiles", "Programs that are left to compile.", unit="programs", tables=_PLAN),
    Entry("compile_minutes", "Estimated time of compilation, which goes on beside training.", unit="min"),
    Entry("run_minutes", "Estimated time of training.", unit="min"),
    Entry(
        "at_once",
        "Trials that are trained at once: all, or 1 where it was measured to be faster to train them one after "
        "another.",
    ),
    Entry("memory_bytes", "Estimated memory of the largest cell, on each device.", unit="bytes"),
)
