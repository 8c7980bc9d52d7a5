"""What a cell's numbers depend on: nothing that trains it is left out without a reason."""

import pytest

from optbench import search
from optbench.planning.cell_sources import (
    NOT_DIGESTED,
    combined,
    engine_files,
    imported_names,
    problem_files,
    search_files,
)
from optbench.planning.code_digest import code_digest, module_file, roots


def name_of(file):
    """Name a module as it is imported."""
    package, folder = max((item for item in roots().items() if file.is_relative_to(item[1])), key=lambda x: len(x[0]))
    return ".".join([package, *file.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__")


def reached(start):
    """Follow the imports of a module of optbench: every module of it that is imported on the way."""
    modules, waiting = {}, [start]
    while waiting:
        name = waiting.pop()
        if name not in modules and (file := module_file(name)) is not None:
            modules[name] = file
            parts = name.split(".")
            waiting += [".".join(parts[:count]) for count in range(1, len(parts))]
            waiting += imported_names(file.read_bytes())
    return modules


def not_digested():
    """Name what trains a cell and isn't digested for every one."""
    digested = {*engine_files()}
    modules = reached("optbench.runner.train_cell")
    return {name for name, file in modules.items() if file not in digested}


def entries(name):
    """List what a module may stand under in NOT_DIGESTED: its name, or its folder's."""
    return {name, f"{name}.*", f"{name.rpartition('.')[0]}.*"}


def test_what_trains_a_cell_is_digested_or_stands_on_the_list():
    assert {name for name in not_digested() if not entries(name) & NOT_DIGESTED.keys()} == set()


def test_every_reason_is_needed():
    assert {entry for name in not_digested() for entry in entries(name)} >= NOT_DIGESTED.keys()
    assert all(NOT_DIGESTED.values())


def test_the_walk_sees_what_is_imported():
    modules = reached("optbench.runner.train_cell")
    assert {"optbench.sweep.step", "optbench.request.schedule", "optbench.problems.problem"} <= modules.keys()
    assert "optbench.timing.timer" not in modules


def test_timing_rules_of_flops_and_exclusions_are_not_digested():
    names = {name_of(file) for file in engine_files()}
    assert {"optbench.sweep.sweep", "optbench.optimizers.adam", "optbench.runner.train_cell"} <= names
    assert not [name for name in names if "timing" in name or "exclusions" in name or "trace" in name]


def test_a_problem_depends_on_what_it_imports():
    names = {name_of(file) for file in problem_files(module_file("optbench.problems.convex.logistic_regression"))}
    # Imported by the family itself, and by what it imports.
    assert {"optbench.problems.convex._newton", "optbench.problems.accept", "optbench.problems.problem"} <= names
    assert "optbench.problems.networks.mlp" not in names


def test_a_strategy_depends_on_what_it_imports():
    names = {name_of(file) for file in search_files(search.file_of("optuna"))}
    assert names == {f"optbench.search.{name}" for name in ("optuna", "space", "strategy")}


@pytest.fixture
def digests(copied):
    """Digest what cells depend on in a copy of the packages: the engine, what chooses, a network."""

    def call():
        network = copied["optbench.problems"] / "networks" / "mlp.py"
        strategy = copied["optbench"] / "search" / "optuna.py"
        files = {"engine": engine_files(copied), "search": search_files(strategy, copied)}
        files |= {"mlp": problem_files(network, copied)}
        return {name: combined(code_digest(file.read_bytes(), copied) for file in each) for name, each in files.items()}

    return call


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "whose"),
    [
        ("optbench/sweep/step.py", 'penalty = hyperparameters.get("weight_decay", 0.0) / 2', "penalty = 1.0", "engine"),
        ("optbench/sweep/schedules.py", "import numpy", "RATE = 2.0\nimport numpy", "engine"),
        ("optbench.optimizers/gradient_descent.py", "TABLE = {", "OTHER = 1\nTABLE = {", "engine"),
        ("optbench.optimizers/weight_decay.py", "-rate * param", "-2 * rate * param", "engine"),
        ("optbench/runner/program_spec.py", "dtype=np.float64", "dtype=np.float32", "engine"),
        ("optbench/search/optuna.py", "TOGETHER = 8", "TOGETHER = 4", "search"),
        ("optbench/search/space.py", "{value:.6g}", "{value:.5g}", "search"),
        ("optbench.problems/networks/_classification.py", "import ", "RATE = 2.0\nimport ", "mlp"),
    ],
)
def test_a_changed_constant_changes_the_keys_concerned(copied, digests, file, old, new, whose):
    before = digests()
    edit(copied["optbench"].parent / file, old, new)
    after = digests()
    assert {name for name in before if before[name] != after[name]} == {whose}


def test_words_flop_rules_and_timing_change_no_key(copied, digests):
    before = digests()
    folder = copied["optbench"].parent
    edit(folder / "optbench/sweep/step.py", '"""The compiled step', '"""Another word: the compiled step')
    edit(folder / "optbench/sweep/step.py", "import jax\n", "import os\nimport jax  # why\n")
    edit(folder / "optbench.optimizers/adam.py", "TABLE = {", "# Said of it.\n\nTABLE = {")
    edit(folder / "optbench.optimizers/exclusions.py", "EXCLUSIONS", "EXCLUSIONS_TOO = 3\nEXCLUSIONS")
    for path in (folder / "optbench/timing").glob("*.py"):
        path.write_text(f"{path.read_text()}\nMORE = 3\n")
    assert digests() == before


def test_a_moved_or_renamed_module_changes_no_key(copied, digests):
    before = digests()
    sweep = copied["optbench"] / "sweep"
    (sweep / "streams.py").rename(sweep / "random_streams.py")
    for path in copied["optbench"].rglob("*.py"):
        path.write_text(path.read_text().replace("optbench.sweep.streams", "optbench.sweep.random_streams"))
    assert digests() == before
