"""Whether the report seeds of a request can decide over its problems, said before anything runs."""

from collections.abc import Sequence

from optbench.analyse.significance import too_few_seeds
from optbench.planning.jobs import Job
from optbench.request import Suite


def seeds_warning(asked: Suite, jobs: Sequence[Job]) -> str:
    """Return why a request's report seeds can decide too little over its problems; "" where they are enough.

    So it is where there is one optimizer, or no report seed: nothing is to be compared then.
    """
    problems = {(job.cell.problem, job.cell.batch_size) for job in jobs}
    if not asked.report_seeds or len({job.cell.optimizer for job in jobs}) < 2:
        return ""
    note = too_few_seeds(asked.report_seeds, len(problems), "problem")
    return f"report_seeds: {note}" if note else ""
