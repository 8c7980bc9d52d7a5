"""The workers of a cluster that compute what is asked, and the line to their scheduler."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import distributed

from optbench.request import RequestError
from optbench.runner.cluster import worker
from optbench.runner.cluster.connect import Connect
from optbench.runner.executor import Say

#: How long a scheduler that went away is waited for, and how often workers are looked at.
PATIENCE_SECONDS = 300
LOOK_SECONDS = 1.0


@dataclass
class WorkerPool:
    """Workers that offer what is asked and agree with this optbench; others are left out, and named."""

    connect: Connect
    client: distributed.Client
    orders: worker.Orders
    must_match: bool
    say: Say
    #: What its workers offer: "GPU" or "CPU"; None as long as there is none to tell which.
    resource: str | None
    #: The kind of device of its workers, that of the first one.
    kind: str | None = None
    #: Address -> what that worker says of itself.
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    #: Those that were asked what they are and haven't answered yet.
    asked: set[str] = field(default_factory=set)
    #: Whether the cluster has no other workers.
    alone: bool = True
    events: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)
    looked: float = 0.0

    def __post_init__(self) -> None:
        self._listen()

    def _listen(self) -> None:
        self.client.subscribe_topic(self.topic, lambda event: self.events.put(("began", *event[1])))

    @property
    def topic(self) -> str:
        """Where workers tell that they began."""
        return f"optbench-{self.orders.run}"

    def look(self) -> None:
        """Bring `facts` up to date: workers come and go. Raises RequestError for those that may not be left out."""
        if time.monotonic() < self.looked + LOOK_SECONDS:
            return
        self.looked = time.monotonic()
        try:
            there: dict[str, Any] = cast(Any, self.client.scheduler_info(n_workers=-1))["workers"]
        except OSError:
            return
        for address in [address for address in self.facts if address not in there]:
            del self.facts[address]
        self.left_out &= {*there}
        self.alone = self.facts.keys() == there.keys()
        if self.resource is None and there:
            self.resource = "GPU" if any("GPU" in facts["resources"] for facts in there.values()) else "CPU"
        offers = {address for address, facts in there.items() if self.resource in facts["resources"]}
        for address in offers - self.facts.keys() - self.left_out - self.asked:
            self.asked.add(address)
            threading.Thread(target=self._ask, args=[address], daemon=True).start()

    def _ask(self, address: str) -> None:
        """Ask a worker what it is; in a thread, since one that dies meanwhile is waited for for half a minute."""
        try:
            answers = self.client.run(worker.describe, self.orders, workers=[address], on_error="return")
            facts = cast(Any, answers)[address]
        except (Exception, CancelledError):
            facts = None
        self.events.put(("met", address, facts))

    def wait(self) -> Iterator[tuple[str, str, Any]]:
        """Wait a while for something to happen: what happened, to which task, and where or how."""
        timeout = LOOK_SECONDS
        with suppress(queue.Empty):
            while True:
                event, key, detail = self.events.get(timeout=timeout)
                timeout = 0
                if event == "met":
                    self._meet(key, detail)
                else:
                    yield event, key, detail

    def _meet(self, address: str, facts: Any) -> None:
        """Take a worker in where it fits. Raises RequestError where it may not be left out."""
        self.asked.discard(address)
        # It went away meanwhile.
        if facts is None:
            return
        if (unfit := self._unfit(facts)) is None:
            self.facts[address] = facts
            self.kind = facts["device"]["device"]
        elif self.must_match or not _is_other_version(facts):
            raise RequestError(f"cluster: worker {address} {unfit}")
        else:
            self.left_out.add(address)
            self.say(f"worker {address} is left out: it {unfit}")

    def _unfit(self, facts: Any) -> str | None:
        """Say why a worker can't be used."""
        if isinstance(facts, BaseException):
            return f"can't run optbench: {type(facts).__name__}: {(str(facts).splitlines() or [''])[0]}"
        ours = worker.versions()
        if other := {name: facts["versions"][name] for name in ours if facts["versions"].get(name) != ours[name]}:
            return f"has {', '.join(f'{name} {version} for {ours[name]}' for name, version in other.items())}"
        if not facts["sees_folder"]:
            return f"sees no {self.orders.folder}: results need a folder that all workers share, or object storage"
        if self.kind not in (None, facts["device"]["device"]):
            return f"has a {facts['device']['device']}, the others a {self.kind}: numbers of a run are of one kind"
        return None

    def hosts(self) -> dict[str, list[str]]:
        """Gather the workers by host."""
        hosts: dict[str, list[str]] = {}
        for address, facts in self.facts.items():
            hosts.setdefault(facts["host"], []).append(address)
        return hosts

    @property
    def is_lost(self) -> bool:
        """Whether the line to the scheduler broke."""
        return self.client.status != "running"

    def submit(
        self, key: str, call: Callable[..., Any], arguments: tuple[Any, ...], wanted: list[str], movable: bool
    ) -> Any:
        """Hand something to one of some workers; whatever becomes of it is an event."""
        future = self.client.submit(
            call,
            self.orders,
            *arguments,
            self.topic,
            key=f"{key}-{time.monotonic_ns()}",
            resources={self.resource: 1},
            workers=wanted,
            # Where they die another one takes over, unless there are some that may not.
            allow_other_workers=movable and self.alone,
            pure=False,
        )
        future.add_done_callback(lambda done: self.events.put(("ended", key, done)))
        return future

    def restart(self, address: str) -> None:
        """Kill a worker that is stuck, and start it anew."""
        with suppress(Exception):
            self.client.restart_workers([address], timeout=30, raise_for_error=False)

    def reconnect(self) -> None:
        """Find the scheduler again, once its line broke. Raises RequestError where it doesn't come back."""
        self.say(f"lost the scheduler; waiting up to {PATIENCE_SECONDS / 60:.0f} minutes for it")
        end = time.monotonic() + PATIENCE_SECONDS
        with suppress(Exception):
            self.client.close(timeout=1)
        while True:
            try:
                self.client = self.connect()
                break
            except (RequestError, OSError):
                if time.monotonic() > end:
                    raise
                time.sleep(1)
        for addresses in (self.facts, self.left_out, self.asked):
            addresses.clear()
        self.looked = 0.0
        self._listen()

    def summary(self) -> dict[str, Any]:
        """Describe the workers for a manifest."""
        devices = [facts["device"] for facts in self.facts.values()]
        machines = Counter((facts["host"], facts["device"]["cpu"]) for facts in self.facts.values())
        workers = [{"host": host, "cpu": cpu, "workers": count} for (host, cpu), count in machines.items()]
        return devices[0] | {"devices": 1, "workers": workers}


def _is_other_version(facts: Any) -> bool:
    return isinstance(facts, BaseException) or facts["sees_folder"]
