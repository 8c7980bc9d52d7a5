"""Hand work to the workers, one piece to each that is free, and gather what became of it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from distributed.scheduler import KilledWorker

from optbench.runner.cluster.worker import WrongWorkerError
from optbench.runner.cluster.workers import Team

#: Deaths of workers that had an errand: then it is the errand's doing. One that only waited on a worker, beside another
#: that killed it, is done again.
MAX_DEATHS = 3


class Errand(NamedTuple):
    """One piece of work: a worker calls `call(orders, *arguments, topic)`."""

    key: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


class KilledError(Exception):
    """An errand killed its worker as often as it may."""

    def __str__(self) -> str:
        return f"killed its worker {MAX_DEATHS} times: out of memory, or a crash in compiled code"


class LateError(Exception):
    """An errand took longer than it may."""


@dataclass
class Flight:
    """An errand under way."""

    errand: Errand
    future: Any
    place: str
    workers: Sequence[str]
    #: Where it began, and when.
    worker: str | None = None
    began: float = float("inf")


@dataclass
class Feed:
    """Errands under way, at most one in each place, so that a worker's death is counted against the right one."""

    team: Team
    #: The next errand for a place; None where there is none.
    take: Callable[[str], Errand | None]
    #: Let an errand that was taken wait again.
    put_back: Callable[[Errand], None]
    #: Whether there are errands that wait, for places that may come.
    waits: Callable[[], bool]
    #: What an errand came to: what it returned, or what it raised.
    ended: Callable[[Errand, Any], None]
    #: Place -> its workers: a place for each worker, or one for each host.
    places: Callable[[], Mapping[str, Sequence[str]]]
    #: Whether another place may take over where all workers of one are gone.
    movable: bool = True
    began: Callable[[Errand], None] = lambda errand: None
    timeout: float = float("inf")
    flying: dict[str, Flight] = field(default_factory=dict)
    deaths: Counter = field(default_factory=Counter)

    def run(self) -> None:
        """Go on until nothing is left. What is under way when this is interrupted is dropped."""
        try:
            while True:
                self.team.look()
                self._hand_out()
                if not self.flying and not self.waits():
                    return
                for event in self.team.wait():
                    self._note(*event)
                self._end_late()
                self._recall()
        finally:
            for flight in self.flying.values():
                flight.future.cancel()

    def _hand_out(self) -> None:
        """Fill the places that have nothing to do."""
        busy = {flight.place for flight in self.flying.values()}
        for place, workers in self.places().items():
            if place in busy:
                continue
            if errand := self.take(place):
                future = self.team.submit(errand.key, errand.call, errand.arguments, [*workers], self.movable)
                self.flying[errand.key] = Flight(errand, future, place, workers)

    def _note(self, what: str, key: str, told: Any) -> None:
        flight = self.flying.get(key)
        if flight is None:
            return
        if what == "began":
            if flight.worker is not None:
                self.deaths[key] += 1
            flight.worker, flight.began = told, time.monotonic()
            # Another worker took over: this one's place is free no more.
            flight.place = told if self.movable else flight.place
            self.began(flight.errand)
        elif flight.future is told:
            self._end(flight)

    def _end(self, flight: Flight) -> None:
        """Tell what an errand came to, or do it again where its end wasn't its own doing."""
        del self.flying[flight.errand.key]
        try:
            result = flight.future.result()
        except KilledWorker:
            self._died(flight, KilledError())
        except WrongWorkerError as error:
            self._died(flight, error)
        except CancelledError:
            self.put_back(flight.errand)
        except Exception as error:
            self.ended(flight.errand, error)
        else:
            self.ended(flight.errand, result)

    def _died(self, flight: Flight, error: Exception) -> None:
        """Do an errand again whose worker died or was a wrong one, unless that happened too often."""
        self.deaths[flight.errand.key] += 1
        if self.deaths[flight.errand.key] < MAX_DEATHS:
            self.put_back(flight.errand)
        else:
            self.ended(flight.errand, error)

    def _end_late(self) -> None:
        """Stop what takes longer than it may, by killing its worker."""
        for flight in [*self.flying.values()]:
            if time.monotonic() - flight.began > self.timeout and flight.worker in self.team.facts:
                flight.future.cancel()
                self.team.restart(flight.worker)
                del self.flying[flight.errand.key]
                self.ended(flight.errand, LateError())

    def _recall(self) -> None:
        """Do again what was lost with the scheduler, or may only run on workers that are gone."""
        if self.team.is_lost:
            for flight in self.flying.values():
                self.put_back(flight.errand)
            self.flying.clear()
            self.team.reconnect()
            return
        for flight in [*self.flying.values()]:
            stuck = not (self.movable and self.team.alone) and not {*flight.workers} & self.team.facts.keys()
            if stuck and not flight.future.done():
                flight.future.cancel()
                del self.flying[flight.errand.key]
                self._died(flight, KilledError())
