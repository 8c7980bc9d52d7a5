"""Which cell a worker takes next, on cells of stated costs."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from optbench.runner.cluster.order import Order


def job(problem, number=0, batch_size="full", steps=100):
    cell = SimpleNamespace(problem=problem, batch_size=batch_size, dtype="float32")
    return SimpleNamespace(cell=cell, number=number, steps=steps, num_trials=10)


def order(*jobs):
    made = Order()
    made.add((one, "") for one in jobs)
    return made


@pytest.fixture
def took(record):
    """Make the record of a cell of 10 trials that took so long to run, and nothing to compile: took(seconds)."""

    def make(seconds, steps=100):
        return record(num_points=7, report_seeds=3, steps=steps, select_seconds=seconds)

    return make


def take(made, worker):
    job, _ = made.take(worker)
    return job.cell.problem, job.cell.batch_size, job.number


def drain(made, *workers):
    """Let workers take turns until nothing is left."""
    taken = []
    while made.waiting:
        taken += [(worker, *take(made, worker)) for worker in workers if made.waiting]
    return taken


def test_one_of_each_group_comes_first_since_it_tells_what_the_others_cost():
    made = order(*(job(problem, number) for problem in "abc" for number in range(2)))
    assert [take(made, worker) for worker in "123"] == [("a", "full", 0), ("b", "full", 0), ("c", "full", 0)]


def test_then_the_longest(took):
    jobs = [job(problem, number) for problem in "abc" for number in range(2)]
    made = order(*jobs)
    first = [made.take("1")[0] for _ in range(3)]
    for one, seconds in zip(first, (1.0, 3.0, 2.0), strict=True):
        made.learn(one, took(seconds))
    # c is at hand where it was taken last; then the longest, b, and a.
    assert [take(made, "1")[0] for _ in range(3)] == ["c", "b", "a"]


def test_the_record_of_an_earlier_run_tells_too(took):
    made = order(job("short"), job("long", 1), job("long", 2))
    made.learn(job("short"), took(1.0))
    made.learn(job("long"), took(5.0))
    assert [take(made, "1") for _ in range(3)] == [("long", "full", 1), ("long", "full", 2), ("short", "full", 0)]


def test_longer_cells_of_a_problem_come_first(took):
    jobs = [job("a", 0, 32, steps=100), job("a", 1, 32), job("a", 2, 128, steps=400), job("a", 3, 128, steps=400)]
    made = order(*jobs)
    made.learn(jobs[0], took(1.0))
    made.learn(jobs[2], took(4.0, steps=400))
    assert [take(made, "1")[2] for _ in range(4)] == [2, 3, 0, 1]


def test_a_worker_stays_with_its_problem_and_helps_others_at_the_end(took):
    jobs = [job(problem, number) for problem in "ab" for number in range(4)]
    made = order(*jobs)
    for problem in "ab":
        made.learn(job(problem), took(2.0 if problem == "a" else 1.0))
    taken = drain(made, "1", "2")
    assert [problem for worker, problem, *_ in taken if worker == "1"] == ["a"] * 4
    assert [problem for worker, problem, *_ in taken if worker == "2"] == ["b"] * 4
    made.add((job("a", number), "") for number in range(6))
    assert {problem for _, problem, *_ in drain(made, "1", "2")} == {"a"}


def test_what_is_put_back_comes_again():
    made = order(job("a", 0), job("a", 1))
    first = made.take("1")
    made.put_back(first)
    assert made.take("1") == first


def test_every_job_is_taken_once():
    jobs = [job(problem, number, size) for problem in "abcde" for size in (32, 128) for number in range(3)]
    taken = drain(order(*jobs), "1", "2", "3")
    assert sorted(one[1:] for one in taken) == sorted(
        (one.cell.problem, one.cell.batch_size, one.number) for one in jobs
    )
    # Problems change hands as rarely as there are problems and workers.
    homes = [problem for worker, problem, *_ in taken if worker == "1"]
    assert sum(before != after for before, after in pairwise(homes)) <= 8


def test_failed_cells_tell_no_cost(record):
    made = order(job("a", 0), job("b", 0))
    made.learn(job("a"), record(outcome="failed"))
    assert made.costs == {}


def test_nothing_left_is_none():
    assert order().take("1") is None
