"""The identity of a cell: what it depends on, and what not."""

import json
import subprocess
import sys

import pytest

from optbench.planning.source_digest import cell_key, engine_sources, problem_sources
from optbench.store.locations import ROOT

REQUEST = {"problem": "bowl", "points": [{"a": 1.0, "b": 2.0}], "steps": 4}
ENVIRONMENT = {"jax": "1", "device": "cpu"}


@pytest.fixture
def source(tmp_path):
    def write(text, name="source.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def backwards(value):
    """Turn round the order of every mapping."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_is_24_hexadecimal_digits(source):
    key = cell_key(REQUEST, [source("x")], ENVIRONMENT)
    assert len(key) == 24
    assert set(key) <= set("0123456789abcdef")


def test_order_does_not_matter(source):
    files = [source("1", "a.py"), source("2", "b.py")]
    assert backwards(REQUEST) == REQUEST
    assert json.dumps(backwards(REQUEST)) != json.dumps(REQUEST)
    assert cell_key(backwards(REQUEST), files[::-1], backwards(ENVIRONMENT)) == cell_key(REQUEST, files, ENVIRONMENT)


@pytest.mark.parametrize("field", REQUEST)
def test_every_field_matters(field):
    keys = {cell_key(request, [], ENVIRONMENT) for request in (REQUEST, REQUEST | {field: "other"})}
    without = {name: value for name, value in REQUEST.items() if name != field}
    assert len(keys | {cell_key(without, [], ENVIRONMENT)}) == 3


@pytest.mark.parametrize("field", ENVIRONMENT)
def test_every_version_matters(field):
    assert cell_key(REQUEST, [], ENVIRONMENT | {field: "other"}) != cell_key(REQUEST, [], ENVIRONMENT)


def test_one_and_one_point_zero_are_told_apart():
    """They are brought to one form before; here nothing is guessed."""
    assert cell_key({"x": 1}, [], {}) != cell_key({"x": 1.0}, [], {})


def test_what_is_not_finite_has_no_key():
    with pytest.raises(ValueError):
        cell_key({"x": float("nan")}, [], {})


def test_content_of_a_source_matters(source):
    before = cell_key(REQUEST, [source("a = 1")], ENVIRONMENT)
    assert cell_key(REQUEST, [source("a = 2")], ENVIRONMENT) != before
    assert cell_key(REQUEST, [source("a = 1")], ENVIRONMENT) == before


def test_place_of_a_source_does_not_matter(source):
    keys = {cell_key(REQUEST, [source("a = 1", f"{folder}/source.py")], ENVIRONMENT) for folder in ("one", "two")}
    assert len(keys) == 1


def test_key_is_the_same_in_every_process():
    """No hash of Python's own, which differs from process to process."""
    code = f"from optbench.planning.source_digest import cell_key\nprint(cell_key({REQUEST!r}, [], {ENVIRONMENT!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == cell_key(REQUEST, [], ENVIRONMENT)


def test_every_cell_depends_on_the_measure_and_the_optimizers():
    names = {path.relative_to(ROOT).as_posix() for path in engine_sources()}
    assert {"bench/sweep/sweep.py", "bench/sweep/selection.py", "optimizers/adam.py"} <= names
    assert not [name for name in names if not name.startswith(("bench/sweep/", "optimizers/"))]


def test_a_problem_depends_on_what_it_imports():
    names = {
        path.relative_to(ROOT).as_posix() for path in problem_sources(ROOT / "problems/convex/logistic_regression.py")
    }
    # Imported by the family itself, and by what it imports.
    assert {"problems/convex/logistic_regression.py", "problems/convex/_newton.py", "problems/accept.py"} <= names
    assert {"problems/data.py", "problems/data_files.py", "problems/problem.py"} <= names
    assert "problems/networks/mlp.py" not in names


def test_a_problem_elsewhere_depends_on_our_helpers(source):
    file = source(
        "from optbench.problems import accept\nfrom optbench.problems.problem import Problem\nimport numpy as np\n"
    )
    names = {path.name for path in problem_sources(file)}
    assert names == {"source.py", "accept.py", "problem.py"}
