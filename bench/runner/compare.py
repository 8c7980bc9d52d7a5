"""Compare optimizers, with plug-ins trained first on what the others were trained on."""

from collections.abc import Sequence
from pathlib import Path

from optbench.analyse.comparison import Rules
from optbench.compare import compare
from optbench.compare.compare import ComparisonTables
from optbench.request import Suite
from optbench.runner.run import run
from optbench.store.run import StoredRun


def compare_optimizers(
    words: Sequence[str], rules: Rules | None = None, *, results: str | Path = "results", anyway: bool = False
) -> ComparisonTables:
    """Compare the first of some optimizers with each of the others, as `compare.compare_optimizers` does.

    A word may be `./file.py:make` or `module:make`. Raises RequestError for what isn't there, or can't be compared
    unless `anyway`.
    """

    def train(suite: Suite, timed: bool, folders: Sequence[Path]) -> StoredRun:
        return run(suite, results=results, throughput=timed, reuse=folders).stored

    return compare.compare_optimizers(words, rules, results=results, runner=train, anyway=anyway)
