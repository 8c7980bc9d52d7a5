"""What users hold of a run."""

import inspect

from optbench import tables
from optbench.results import Run
from optbench.tables import kind


def test_a_run_has_a_method_for_every_kind_of_table():
    named = {name for name, member in inspect.getmembers(Run, inspect.isfunction) if not name.startswith("_")}
    assert named - {"only", "table"} == {name.replace("-", "_") for name in tables.names()}


def test_each_method_makes_the_table_of_its_name(handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]], tried={0.1: [[3.0, 2.0, 1.0]], 0.2: [[3.0, 2.0, 1.5]]})
    import optbench

    run = optbench.load("handmade", tmp_path / "results")
    for name in tables.names():
        assert getattr(run, name.replace("-", "_"))().title == f"handmade: {kind(name).meaning}"
