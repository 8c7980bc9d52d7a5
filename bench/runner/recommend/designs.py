"""What fits into the minutes: how many optimizers are screened, on how fine a grid, and how many seeds report."""

from collections.abc import Sequence
from typing import NamedTuple

#: Optimizers in the order in which they are worth trying on a model that nobody has tuned yet.
CANDIDATES = (
    *("adamw", "muon", "sgd_nesterov", "nadamw", "lion", "schedule_free_adamw", "rmsprop", "adagrad"),
    *("adan", "lamb", "signum", "prodigy"),
)
#: Share of all updates that a grid makes whose worse half is dropped after an eighth and after half of them.
HALVED = 1 / 8 + 3 / 8 / 2 + 1 / 2 / 4
#: Share of the minutes for the screening, and by when the refinement has begun its last cell.
SCREENED, REFINED = 0.4, 0.7


class Design(NamedTuple):
    """A grid in the words of a suite, and on how many seeds each of its points is trained."""

    learning_rates: int
    weight_decay: str
    schedules: tuple[str, ...]
    seeds: int = 1

    @property
    def num_points(self) -> int:
        """Return the number of points."""
        return self.learning_rates * _num_decays(self.weight_decay) * len(self.schedules)


def _num_decays(text: str) -> int:
    return int(text.partition(":")[2]) if ":" in text else len(text.split(","))


#: Grids for the screening, the finest first.
SCREENS = (
    Design(8, "default:2", ("linear", "constant")),
    Design(6, "default:2", ("linear",)),
    Design(6, "0", ("linear",)),
    Design(4, "0", ("linear",)),
)
#: Grids round the best settings, whose rates lie within a step of the screening's grid to each side.
REFINEMENTS = (
    Design(5, "default:4", ("linear", "cosine[warmup=0.1]"), 2),
    Design(5, "default:3", ("linear",), 2),
    Design(5, "default:2", ("linear",)),
    Design(3, "0", ("linear",)),
)
#: Report seeds of each of the two finalists.
REPORT_SEEDS = (20, 10, 5, 3)
#: Optimizers that a screening holds where the grid can be made coarser for it.
ENOUGH = 6


class Costs(NamedTuple):
    """What compiling a cell takes, and one training from its start to its end."""

    compile_seconds: float
    trial_seconds: float
    #: Share of all updates that a grid makes: below 1 where its worse half is dropped on the way.
    share: float = HALVED

    @property
    def search(self) -> str:
        """Return the strategy by which grids are trained."""
        return "halving" if self.share < 1 else ""

    def grid(self, design: Design) -> float:
        """Return the seconds of a grid."""
        return self.compile_seconds + self.share * design.num_points * design.seeds * self.trial_seconds

    def report(self, seeds: int) -> float:
        """Return the seconds of both finalists' reports."""
        return 2 * (self.compile_seconds + seeds * self.trial_seconds)


class Screening(NamedTuple):
    """The grid of the screening, and for how many optimizers there is time."""

    design: Design
    num_optimizers: int


def screening(costs: Costs, seconds: float, num_candidates: int) -> Screening | None:
    """Return the finest screening for enough of the candidates; else of as many as there is time for, if any."""
    for design in SCREENS:
        number = int(SCREENED * seconds / costs.grid(design))
        if number >= min(ENOUGH, num_candidates):
            return Screening(design, min(number, num_candidates))
    number = min(int(SCREENED * seconds / costs.grid(SCREENS[-1])), num_candidates)
    return Screening(SCREENS[-1], number) if number else None


def refinement(costs: Costs, seconds: float, num_cells: int) -> Design | None:
    """Return the finest grid of which there is time for so many cells; the coarsest where there is time for one."""
    for design in REFINEMENTS:
        if num_cells * costs.grid(design) <= seconds:
            return design
    return REFINEMENTS[-1] if costs.grid(REFINEMENTS[-1]) <= seconds else None


def report_seeds(costs: Costs, seconds: float) -> int:
    """Return how many seeds report: as many as there is time for, three at the least."""
    return next((seeds for seeds in REPORT_SEEDS if costs.report(seeds) <= seconds), REPORT_SEEDS[-1])


def fewest_seconds(costs: Costs) -> float:
    """Return the seconds below which nothing can be recommended: one coarse grid, and a report."""
    grid = costs.grid(SCREENS[-1])
    return max(grid / SCREENED, grid + costs.report(REPORT_SEEDS[-1]))


def screening_end(costs: Costs, seconds: float) -> float:
    """Return by when the screening has begun its last cell, which leaves time for a report."""
    return min(REFINED * seconds, seconds - costs.report(REPORT_SEEDS[-1]))


def nearby_rates(rate: float, rates: Sequence[float], count: int) -> tuple[float, ...]:
    """Return so many rates round the best one of a grid, within a step of the grid to each side."""
    positive = sorted({value for value in rates if value > 0})
    step = (positive[-1] / positive[0]) ** (1 / (len(positive) - 1)) if len(positive) > 1 else 10.0
    half = (count - 1) // 2
    return tuple(float(f"{rate * step ** (index / half):.4g}") for index in range(-half, half + 1))
