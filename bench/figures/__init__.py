"""The kinds of figures that a run has: what each shows, how it is drawn, and the caption that goes with it."""

from optbench.figures import curves, scores, settings, targets
from optbench.figures.figure import COLUMN, Figure, Options

__all__ = ["COLUMN", "FIGURES", "Figure", "Options"]

FIGURES = {
    "convergence": Figure("how far each tuned optimizer came", scores.convergence, scores.convergence_caption),
    "curves": Figure("how each tuned optimizer came there", curves.curves, curves.curves_caption),
    "grid": Figure("every trial of a grid, and the chosen point", curves.grid, curves.grid_caption),
    "sensitivity": Figure("where each learning rate leads", settings.sensitivity, settings.sensitivity_caption),
    "heatmap": Figure("learning rate against weight decay", settings.heatmap, settings.heatmap_caption),
    "batch-scaling": Figure("what a larger batch buys", settings.batch_scaling, settings.batch_scaling_caption),
    "budget": Figure("the expected best of k configurations", settings.budget, settings.budget_caption),
    "ranks": Figure("mean ranks over problems", scores.ranks, scores.ranks_caption),
    "profile": Figure("performance profiles", targets.profile, targets.profile_caption),
    "ecdf": Figure("the share of targets met", targets.ecdf, targets.ecdf_caption),
    "ert": Figure("expected running time to each target", targets.ert, targets.ert_caption),
    "time-to-target": Figure("seconds to the target", targets.time_to_target, targets.time_to_target_caption),
    "throughput": Figure("what a step costs, and how near the limit", scores.throughput, scores.throughput_caption),
}
