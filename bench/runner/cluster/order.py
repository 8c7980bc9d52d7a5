"""Which cell a worker takes next: the longest, and rather of a problem that it has at hand."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from optbench.planning.cost import Cost, Group, cost_of_cell, group_of, seconds
from optbench.planning.jobs import Job
from optbench.runner.executor import Waiting
from optbench.store.record import CellRecord


@dataclass
class Order:
    """Cells that wait, by problem, batch size and dtype: cells that share these are taken to cost the same.

    The first cell of a group tells what the others cost, as the calibration of `plan` would: so one of each group goes
    first, and then the longest. A worker stays with a problem as long as that has cells: its data and programs are at
    hand there.
    """

    #: Problem -> its groups -> their cells.
    waiting: dict[str, dict[Group, deque[Waiting]]] = field(default_factory=dict)
    #: Groups of which no cell was handed out yet.
    unknown: dict[Group, None] = field(default_factory=dict)
    costs: dict[Group, Cost] = field(default_factory=dict)
    #: Worker -> its problem.
    homes: dict[str, str] = field(default_factory=dict)

    def add(self, waiting: Iterable[Waiting]) -> None:
        """Let some jobs wait."""
        for job, note in waiting:
            group = group_of(job)
            groups = self.waiting.setdefault(job.cell.problem, {})
            if group not in groups and group not in self.costs:
                self.unknown[group] = None
            groups.setdefault(group, deque()).append((job, note))

    def put_back(self, waiting: Waiting) -> None:
        """Let a job that was taken wait again, before all others of its group."""
        job = waiting[0]
        self.waiting.setdefault(job.cell.problem, {}).setdefault(group_of(job), deque()).appendleft(waiting)

    def learn(self, job: Job, record: CellRecord) -> None:
        """Take note of what a finished cell cost."""
        if group_of(job) not in self.costs and record.results is not None:
            self.costs[group_of(job)] = cost_of_cell(record.results, record.report_trials)
            self.unknown.pop(group_of(job), None)

    def take(self, worker: str) -> Waiting | None:
        """Choose a worker's next cell."""
        if not self.waiting:
            return None
        home = self.waiting.get(self.homes.get(worker, ""), {})
        if self.unknown:
            group = next((group for group in home if group in self.unknown), next(iter(self.unknown)))
        else:
            group = max(home or self._free_groups(worker), key=self._seconds)
        self.unknown.pop(group, None)
        self.homes[worker] = group[0]
        return self._pop(group)

    def _free_groups(self, worker: str) -> list[Group]:
        """List the groups of problems that no other worker has at hand, or all where there is no such problem."""
        taken = {problem for other, problem in self.homes.items() if other != worker}
        free = [group for problem, groups in self.waiting.items() if problem not in taken for group in groups]
        return free or [group for groups in self.waiting.values() for group in groups]

    def _seconds(self, group: Group) -> float:
        """Estimate a cell of a group; of one whose first cell is still under way nothing is known."""
        job = self.waiting[group[0]][group][0][0]
        return seconds(job, self.costs[group]) if group in self.costs else 0.0

    def _pop(self, group: Group) -> Waiting:
        groups = self.waiting[group[0]]
        taken = groups[group].popleft()
        if not groups[group]:
            del groups[group]
        if not groups:
            del self.waiting[group[0]]
        return taken
