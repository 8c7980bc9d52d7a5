"""`optbench throughput`."""

from typing import Annotated

from cyclopts import Parameter

from optbench.cli.options import Options, Text, Wide, whole
from optbench.cli.output import show
from optbench.cli.progress import prints_aside, say
from optbench.present.formats import Format


def throughput(
    suite: str | None = None,
    *,
    options: Options = Options(),  # noqa: B008 (frozen)
    min_time: Text = "1s",
    repeats: Annotated[int, Parameter(allow_leading_hyphen=True, converter=whole)] = 20,
    update_only: Annotated[bool, Parameter(negative=())] = False,
    parameters: Text = None,
    shape: str | None = None,
    wide: Wide = False,
    format: Format = "plain",
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Time what a step of each optimizer costs, one unbatched trial at a time, and print the throughput table.

    Parameters
    ----------
    suite
        Packaged suite (optbench list suites), TOML file, or the name of a run whose cells are timed; quick where
        nothing is asked for.
    min_time
        Time each loop for so long in all, as in 200ms, 1s or 2min.
    repeats
        Calls of each loop, 6 or more; all loops of a problem in turns.
    update_only
        Time the updates alone, without a problem.
    parameters
        Comma list of parameter counts, with --update-only.
    shape
        transformer, flat or many_small, with --update-only.
    format
        How to render it.
    json
        Short for --format json.
    """
    from optbench.cli.explain import with_hint
    from optbench.request import RequestError, parse_counts, parse_seconds

    effort = {"repeats": repeats, "min_seconds": parse_seconds(min_time or "", "min_time")}
    shared = {"device": options.device, "compile_cache": bool(options.compile_cache), "say": say}
    if update_only:
        from optbench.runner.time_updates import update_throughput

        if options.problem or options.batch_size:
            raise RequestError("--update-only takes no problem and no batch size; accepted: --parameters, --shape, -o")
        counts = parse_counts("1e6,1e7" if parameters is None else parameters, "parameters")
        shaped = {"parameters": counts, "shape": "transformer" if shape is None else shape}
        with prints_aside():
            table = update_throughput(suite, **shaped, **effort, **shared, **options.overrides())
    else:
        from optbench.runner import time_cells

        if parameters is not None or shape is not None:
            raise RequestError("--parameters and --shape go with --update-only")
        where_kept = {"results": options.results, "name": options.name}
        with prints_aside():
            table = time_cells.throughput(suite, **where_kept, **effort, **shared, **options.overrides())
    show(with_hint(table), "json" if json else format, wide)
    measured = "update_seconds" if update_only else "step_seconds"
    return 1 if any(row[measured] is None for row in table.to_records()) else 0
