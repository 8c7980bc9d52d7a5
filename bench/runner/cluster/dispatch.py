"""Hand work to the workers, one piece to each that is free, and gather what became of it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from distributed.scheduler import KilledWorker

from optbench.runner.cluster.worker import WrongWorkerError
from optbench.runner.cluster.workers import WorkerPool

#: Deaths of workers that had a task: then it is the task's doing. One that only waited on a worker, beside another
#: that killed it, is done again.
MAX_DEATHS = 3


class Task(NamedTuple):
    """One piece of work: a worker calls `call(orders, *arguments, topic)`."""

    key: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


class KilledError(Exception):
    """A task killed its worker as often as it may."""

    def __str__(self) -> str:
        return f"killed its worker {MAX_DEATHS} times: out of memory, or a crash in compiled code"


class LateError(Exception):
    """A task took longer than it may."""


@dataclass
class Flight:
    """A task under way."""

    task: Task
    future: Any
    slot: str
    workers: Sequence[str]
    #: Where it began, and when.
    worker: str | None = None
    began: float = float("inf")


@dataclass
class Dispatcher:
    """Tasks under way, at most one in each slot, so that a worker's death is counted against the right one."""

    pool: WorkerPool
    #: The next task for a slot; None where there is none.
    take: Callable[[str], Task | None]
    #: Let a task that was taken wait again.
    put_back: Callable[[Task], None]
    #: Whether there are tasks that wait, for slots that may come.
    waits: Callable[[], bool]
    #: What a task came to: what it returned, or what it raised.
    ended: Callable[[Task, Any], None]
    #: Place -> its workers: a slot for each worker, or one for each host.
    slots: Callable[[], Mapping[str, Sequence[str]]]
    #: Whether another slot may take over where all workers of one are gone.
    movable: bool = True
    began: Callable[[Task], None] = lambda task: None
    timeout: float = float("inf")
    flying: dict[str, Flight] = field(default_factory=dict)
    deaths: Counter = field(default_factory=Counter)

    def run(self) -> None:
        """Go on until nothing is left. What is under way when this is interrupted is dropped."""
        try:
            while True:
                self.pool.look()
                self._hand_out()
                if not self.flying and not self.waits():
                    return
                for event in self.pool.wait():
                    self._note(*event)
                self._end_late()
                self._recall()
        finally:
            for flight in self.flying.values():
                flight.future.cancel()

    def _hand_out(self) -> None:
        """Fill the slots that have nothing to do."""
        busy = {flight.slot for flight in self.flying.values()}
        for slot, workers in self.slots().items():
            if slot in busy:
                continue
            if task := self.take(slot):
                future = self.pool.submit(task.key, task.call, task.arguments, [*workers], self.movable)
                self.flying[task.key] = Flight(task, future, slot, workers)

    def _note(self, event: str, key: str, detail: Any) -> None:
        """Take note that a task began (`detail` is its worker) or ended (its future)."""
        flight = self.flying.get(key)
        if flight is None:
            return
        if event == "began":
            if flight.worker is not None:
                self.deaths[key] += 1
            flight.worker, flight.began = detail, time.monotonic()
            # Another worker took over: this one's slot is free no more.
            flight.slot = detail if self.movable else flight.slot
            self.began(flight.task)
        elif flight.future is detail:
            self._end(flight)

    def _end(self, flight: Flight) -> None:
        """Tell what a task came to, or do it again where its end wasn't its own doing."""
        del self.flying[flight.task.key]
        try:
            result = flight.future.result()
        except KilledWorker:
            self._died(flight, KilledError())
        except WrongWorkerError as error:
            self._died(flight, error)
        except CancelledError:
            self.put_back(flight.task)
        except Exception as error:
            self.ended(flight.task, error)
        else:
            self.ended(flight.task, result)

    def _died(self, flight: Flight, error: Exception) -> None:
        """Do a task again whose worker died or was a wrong one, unless that happened too often."""
        self.deaths[flight.task.key] += 1
        if self.deaths[flight.task.key] < MAX_DEATHS:
            self.put_back(flight.task)
        else:
            self.ended(flight.task, error)

    def _end_late(self) -> None:
        """Stop what takes longer than it may, by killing its worker."""
        for flight in [*self.flying.values()]:
            if time.monotonic() - flight.began > self.timeout and flight.worker in self.pool.facts:
                flight.future.cancel()
                self.pool.restart(flight.worker)
                del self.flying[flight.task.key]
                self.ended(flight.task, LateError())

    def _recall(self) -> None:
        """Do again what was lost with the scheduler, or may only run on workers that are gone."""
        if self.pool.is_lost:
            for flight in self.flying.values():
                self.put_back(flight.task)
            self.flying.clear()
            self.pool.reconnect()
            return
        for flight in [*self.flying.values()]:
            stuck = not (self.movable and self.pool.alone) and not {*flight.workers} & self.pool.facts.keys()
            if stuck and not flight.future.done():
                flight.future.cancel()
                del self.flying[flight.task.key]
                self._died(flight, KilledError())
