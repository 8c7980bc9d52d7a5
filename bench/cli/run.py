"""`optbench run` and `optbench plan`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from optbench.cli.answer import print_answer
from optbench.cli.options import Options, Seconds, Whole
from optbench.cli.output import show

if TYPE_CHECKING:
    pass


def run(
    suite: str | None = None,
    *,
    options: Options = Options(),  # noqa: B008 (frozen)
    devices: Whole = 1,
    force: bool = False,
    throughput: bool = True,
    trace: Path | None = None,
    cluster: str | None = None,
    workers_must_match: Annotated[bool, Parameter(negative=())] = False,
    cell_timeout: Seconds = None,
    max_minutes: Seconds = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Train every cell of a suite that isn't finished yet, time it, and print which optimizer is best.

    Parameters
    ----------
    suite
        Packaged suite (optbench list suites) or TOML file; quick where nothing is asked for.
    devices
        Share the points of each cell out over so many devices.
    force
        Compute finished cells again.
    throughput
        Time the cells that are not timed yet, and end with what a step costs.
    trace
        Folder for a trace of the training, which ui.perfetto.dev opens.
    cluster
        Hand the cells to workers: local:N, tcp://host:port, tls://host:port (a dask scheduler), or slurm:FILE.toml.
    workers_must_match
        Refuse workers that have other versions of optbench, jax or optax; they are left out else.
    cell_timeout
        Seconds after which a cell fails; it then runs in a worker, which is killed.
    max_minutes
        Begin no cell after so many minutes; the same command goes on from there.
    dry_run
        With slurm:FILE.toml: print the script of a job, and run nothing.
    json
        Print the convergence table as JSON, and nothing else, on stdout.
    """
    if dry_run:
        return _dry_run(cluster)
    from optbench.cli.progress import Reporter, say, say_trace

    with Reporter() as reporter:
        # Only now, since it loads jax: the bar is there at once.
        from optbench.runner import run as runs

        done = runs.run(
            suite,
            devices=devices,
            force=force,
            throughput=throughput,
            trace=trace,
            cluster=cluster,
            workers_must_match=workers_must_match,
            cell_timeout=cell_timeout,
            max_minutes=max_minutes,
            on_plan=reporter.plan,
            on_progress=reporter.progress,
            say=reporter.say,
            **options.where(),
            **options.overrides(),
        )
    if trace is not None:
        say_trace(trace)
    if json:
        show(done.convergence(), "json")
    else:
        print_answer(done, throughput)
    if options.name and (others := len(done.stored.others)):
        cells = "1 cell" if others == 1 else f"{others} cells"
        say(
            f"{options.name} also holds {cells} of other requests or code, kept on disk and in none of its tables; "
            "another --name keeps both apart"
        )
    if done.missing:
        say(f"{done.missing} of {len(done.manifest['cells'])} cells are left; the same command goes on from there")
    return 1 if done.failed or done.missing else 0


def _dry_run(cluster: str | None) -> int:
    from optbench.request import RequestError
    from optbench.runner.run import needs_cluster

    kind, _, path = (cluster or "").partition(":")
    if kind != "slurm" or not path:
        cluster_words = f"with cluster {cluster!r}" if cluster else "alone"
        raise RequestError(f"dry-run is not accepted {cluster_words}; accepted: with --cluster slurm:FILE.toml")
    with needs_cluster():
        from optbench.runner.cluster.slurm import job_script

    print(job_script(path))
    return 0


def plan(
    suite: str | None = None,
    *,
    options: Options = Options(),  # noqa: B008 (frozen)
    devices: Whole = 1,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Count a suite's cells, trials and compiles, and estimate minutes and memory from a short calibration.

    Parameters
    ----------
    suite
        Packaged suite (optbench list suites) or TOML file; quick where nothing is asked for.
    devices
        Share the points of each cell out over so many devices.
    json
        Print JSON.
    """
    from optbench.cli.explain import with_hint
    from optbench.cli.progress import prints_aside, say
    from optbench.runner import estimate

    with prints_aside():
        table = estimate.plan(
            suite,
            devices=devices,
            say=say,
            **options.where(),
            **options.overrides(),
        )
    show(with_hint(table), "json" if json else "plain")
