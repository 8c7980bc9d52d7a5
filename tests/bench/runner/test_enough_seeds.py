"""Report seeds against the number of problems, before anything runs."""

from types import SimpleNamespace

import pytest

from optbench.request import list_suites
from optbench.runner.enough_seeds import seeds_warning


def warning(report_seeds, problems, optimizers=("sgd", "adam")):
    cells = [
        SimpleNamespace(problem=str(n), batch_size=4, optimizer=name) for n in range(problems) for name in optimizers
    ]
    return seeds_warning(SimpleNamespace(report_seeds=report_seeds), [SimpleNamespace(cell=cell) for cell in cells])


@pytest.mark.parametrize(
    ("report_seeds", "problems", "expected"),
    [
        (5, 1, "report_seeds: 5 seeds are too few for any verdict on 1 problem: a test at 5 % needs at least 6"),
        (6, 1, ""),
        (
            7,
            43,
            "report_seeds: 7 seeds are few for 43 problems: none is called better or worse unless 14 of them differ "
            "clearly (with 9 seeds",
        ),
        (10, 43, ""),
        (0, 43, ""),
    ],
)
def test_says_where_they_are_too_few(report_seeds, problems, expected):
    said = warning(report_seeds, problems)
    assert said.startswith(expected) and bool(said) == bool(expected)


def test_one_optimizer_is_compared_with_nothing():
    assert warning(5, 1, ["sgd"]) == ""


@pytest.mark.parametrize("suite", list_suites(), ids=lambda suite: suite.name)
def test_packaged_suites_can_decide(suite):
    """Over any number of problems."""
    assert warning(suite.report_seeds, 1000) == ""


def test_a_run_says_so(tiny):
    said = []
    tiny(optimizers=["sgd", "adam"], report_seeds=2, say=said.append)
    assert [text for text in said if text.startswith("report_seeds")] == [
        "report_seeds: 2 seeds are too few for any verdict on 1 problem: a test at 5 % needs at least 6"
    ]
