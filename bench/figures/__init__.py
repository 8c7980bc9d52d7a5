"""The figures of a run: one kind is one file here, which ends in `FIGURE`, and has the file's name with - for _.

Files that begin with _ help others, as those in `HELPERS` do. Nothing is loaded but what is asked for.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optbench.figures.figure import Figure

HELPERS = ("axes", "captions", "figure", "forest", "paths", "write")
#: The kinds that come first wherever kinds are listed; others follow by name, and need no line here.
FIRST = (
    *("curves", "convergence", "grid", "sensitivity", "heatmap", "batch-scaling", "budget", "ranks", "profile"),
    *("ecdf", "time-to-target", "ert", "throughput"),
)


def names() -> tuple[str, ...]:
    """Return the names of all kinds of figures, in the order they are listed, without importing any."""
    stems = {path.stem for folder in __path__ for path in Path(folder).glob("[!_]*.py")} - {*HELPERS}
    kinds = {stem.replace("_", "-") for stem in stems}
    return (*(name for name in FIRST if name in kinds), *sorted(kinds - {*FIRST}))


def kind(name: str) -> "Figure":
    """Import what is known of a kind of figure. Raises RequestError for an unknown name."""
    from optbench.errors import check_name

    check_name(name, names(), "figure")
    return import_module(f"{__name__}.{name.replace('-', '_')}").FIGURE
