"""`optbench tune`."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from optbench.cli.options import Options, Seconds, Whole
from optbench.cli.output import say_wrapped, show, text
from optbench.search import strategies

if TYPE_CHECKING:
    from optbench.present.table import Table
    from optbench.runner.tune import Tuned

    Search = str
else:
    Search = Literal[tuple(strategies())]

#: What each strategy is, for the help.
MEANINGS = "; ".join(f"{name}: {strategy.meaning}" for name, strategy in strategies().items())


def tune(
    suite: str | None = None,
    *,
    trials: Whole,
    search: Annotated[Search, Parameter(help=f"How points are found. {MEANINGS}.")] = "grid",
    auto_extend: Annotated[bool, Parameter(negative=())] = False,
    output: Path | None = None,
    options: Options = Options(),  # noqa: B008 (frozen)
    devices: Whole = 1,
    max_minutes: Seconds = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Find each optimizer's best settings for the same number of trials, and report them on fresh seeds.

    Parameters
    ----------
    suite
        Packaged suite (optbench list suites) or TOML file; quick where nothing is asked for.
    trials
        Trials for each optimizer: points times seeds, so that 24 are 8 points on 3 seeds.
    auto_extend
        Widen a grid whose winner lies on its edge until it doesn't, beyond the number of trials.
    output
        File for the best settings, a suite; it ends in .toml.
    devices
        Share the points of each cell out over so many devices.
    max_minutes
        Begin no cell after so many minutes; the same command goes on from there.
    json
        Print the table of the best settings as JSON, and nothing else, on stdout.
    """
    from optbench.cli.progress import Reporter
    from optbench.runner import tune as tuning

    _check_optimizers(options)
    with Reporter() as reporter:
        tuned = tuning.tune(
            suite,
            trials=trials,
            search=search,
            auto_extend=auto_extend,
            output=output,
            devices=devices,
            max_minutes=max_minutes,
            on_plan=reporter.plan,
            on_progress=reporter.progress,
            say=reporter.say,
            **options.where(),
            **options.overrides(),
        )
    show(_best_table(tuned), "json" if json else "plain")
    if not json:
        _print_rest(tuned, output)
    if tuned.run.missing:
        from optbench.cli.progress import say

        cells = len(tuned.run.manifest["cells"])
        say(f"{tuned.run.missing} of {cells} cells are left; the same command goes on from there")
    return 1 if tuned.run.failed or tuned.run.missing else 0


def _check_optimizers(options: Options) -> None:
    """Raise RequestError for a file after -o, which names optimizers."""
    from optbench.request import RequestError

    files = [name for name in options.optimizer or [] if name.endswith(".toml")]
    if files:
        raise RequestError(f"-o {files[0]}: is no optimizer; accepted: --output {files[0]} for the best settings")


def _best_table(tuned: "Tuned") -> "Table":
    """Add to the best settings how many trials they were chosen by."""
    table = tuned.run.best()
    name = lambda row: (row["problem"], row["optimizer"], row["batch_size"])  # noqa: E731
    rows = tuple(row | {"num_trials": tuned.trials[name(row)]} for row in table.to_records())
    return dataclasses.replace(
        table, columns=(*table.columns, "num_trials"), rows=rows, notes=(*table.notes, *tuned.notes)
    )


def _print_rest(tuned: "Tuned", output: Path | None) -> None:
    from optbench.cli.explain import with_hint

    print("\n" + text(with_hint(tuned.run.budget())))
    share = 100 * tuned.trial_steps / max(tuned.full_trial_steps, 1)
    stopped = f" ({share:.0f} % of training all to the end)" if tuned.trial_steps < tuned.full_trial_steps else ""
    print()
    say_wrapped(
        f"{sum(tuned.trials.values())} trials with {tuned.trial_steps} training steps{stopped} in "
        f"{tuned.select_seconds:.1f} s; results in {tuned.run.folder}"
    )
    if output is not None and len(tuned.run.failed) < len(tuned.run.parts):
        print(f"wrote {output}; next: optbench run {shlex.quote(str(output))}")
