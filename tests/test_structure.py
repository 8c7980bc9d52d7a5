"""Hold the arrows between the packages, and what starts without jax."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from optbench import tables

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "bench" / "cli" / "templates"


def _module(path: Path) -> str:
    folder, *parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["optbench", *([] if folder == "bench" else [folder]), *parts]).removesuffix(".__init__")


FILES = {
    _module(path): path
    for package in ("bench", "problems", "optimizers")
    for path in sorted((ROOT / package).rglob("*.py"))
    if TEMPLATES not in path.parents
}

JAX = ("jax", "jaxlib", "flax", "optax")
#: The folders of optbench by floor: each may import what stands on lower ones, and itself.
FLOORS = (
    ("errors", "glossary", "problems", "optimizers"),
    ("store", "request", "present", "search", "sweep"),
    ("analyse", "planning", "timing"),
    ("tables",),
    ("results", "compare", "figures"),
    ("runner", "history"),
    ("report",),
    ("cli",),
)
FLOOR = {folder: number for number, folders in enumerate(FLOORS) for folder in folders}
#: What may be imported on the same floor: a strategy turns what is asked into points.
BESIDE = {("search", "request")}
#: The folders that may import jax.
WITH_JAX = ("sweep", "timing", "planning", "runner", "problems", "optimizers")
#: What the sweep may import of this project, beside errors.
SWEEP_MAY = (
    "optbench.sweep",
    "optbench.errors",
    "optbench.problems.problem",
    "optbench.optimizers.optimizer",
    "optbench.optimizers.state_types",
    "optbench.optimizers.weight_decay",
)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def folder_of(module: str) -> str:
    """Name the folder that a module of optbench lies in, or the module that lies in none; "" of optbench itself."""
    return module.split(".")[1] if "." in module else ""


def imports(text: str) -> set[str]:
    """Name everything a module imports anywhere in it, `from a import b` as a.b."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_parser_sees_imports_at_every_depth():
    text = "import a.b\nfrom c import d as e\ndef f():\n    from g.h import i"
    assert imports(text) == {"a.b", "c.d", "g.h.i"}


def test_files_are_found():
    assert {
        "optbench.runner.run",
        "optbench.cli",
        "optbench.problems.problem",
        "optbench.optimizers.adam",
    } <= FILES.keys()


@pytest.mark.parametrize("folder", FLOOR)
def test_folder_imports_what_stands_below_it(folder):
    files = {name: path for name, path in FILES.items() if folder_of(name) == folder}
    assert files
    wrong = [
        f"{name} imports {imported}"
        for name, path in files.items()
        for imported in imports(path.read_text())
        if within(imported, ("optbench",)) and (below := folder_of(imported)) != folder
        if (folder, below) not in BESIDE and FLOOR[below] >= FLOOR[folder]
    ]
    assert wrong == []


def test_every_folder_has_its_floor():
    assert {folder_of(name) for name in FILES} - {""} == FLOOR.keys()


def test_hardly_a_module_lies_loose():
    assert [path.stem for path in sorted((ROOT / "bench").glob("*.py"))] == ["__init__", "errors", "results"]


def test_sweep_imports_the_two_contracts_only():
    wrong = [
        f"{name} imports {imported}"
        for name, path in FILES.items()
        if folder_of(name) == "sweep"
        for imported in imports(path.read_text())
        if within(imported, ("optbench",)) and not within(imported, SWEEP_MAY)
    ]
    assert wrong == []


def test_jax_is_imported_where_it_may():
    wrong = [
        f"{name} imports {imported}"
        for name, path in FILES.items()
        if folder_of(name) not in WITH_JAX
        for imported in imports(path.read_text())
        if within(imported, JAX)
    ]
    assert wrong == []


def test_every_folder_is_installed():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    code = [name for name, path in FILES.items() if path.stem == "__init__"]
    assert packages == sorted([*code, "optbench.reference"])


def test_every_reference_run_is_installed():
    words = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folder = ROOT / words["package-dir"]["optbench.reference"]
    installed = {path for pattern in words["package-data"]["optbench.reference"] for path in folder.glob(pattern)}
    assert installed == {path for path in folder.rglob("*") if path.is_file()} and len(installed) > 1


def ends_or_prints(text: str) -> set[str]:
    """Name what a module calls or raises that only a command line may."""
    speaking = {"print", "exit", "quit", "SystemExit", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write"}
    nodes = list(ast.walk(ast.parse(text)))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    raised = [node.exc for node in nodes if isinstance(node, ast.Raise) and node.exc]
    return speaking & {ast.unparse(node) for node in (*called, *raised)}


def test_speaking_is_seen():
    assert ends_or_prints("if x:\n    print(1)\n    sys.exit(2)\nraise SystemExit") == {
        "print",
        "sys.exit",
        "SystemExit",
    }
    assert ends_or_prints("raise SystemExit(2)") == {"SystemExit"}
    assert ends_or_prints("say = text.print\ntry:\n    f()\nexcept SystemExit:\n    pass") == set()


@pytest.mark.parametrize("module", [name for name in FILES if not within(name, ("optbench.cli",))])
def test_only_the_command_line_prints_or_exits(module):
    assert ends_or_prints(FILES[module].read_text()) == set()


#: Definitions that nothing in optbench names, each with who does.
NAMED_ELSEWHERE = {
    "model_config": "pydantic reads it",
    "create_module": "import calls it",
    "exec_module": "import calls it",
    "dask_setup": "dask calls it in a worker",
    "to_pandas": "users call it",
    "to_arrow": "users call it",
    "NOT_DIGESTED": "a test compares the keys' sources with it",
    "TrialStatus": "its texts stand where trials' statuses are set",
}


def definitions(body: list[ast.stmt]) -> Iterator[str]:
    """Name what a module or a class defines, and what its classes do; an enum's members go with it."""
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.ClassDef):
            yield node.name
            enum = any(ast.unparse(base).endswith("Enum") for base in node.bases)
            yield from () if enum else definitions(node.body)


def mentions(text: str) -> Iterator[str]:
    """Name what a module reads, passes by keyword or has in a string without spaces, such as "optbench.cli.run:run"."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield from re.findall(r"\w+", node.value)


def test_a_definition_that_nothing_names_is_seen():
    text = "A = 1\ndef used(): pass\ndef unused(): used()\nclass C:\n    b: int\n    def m(self): return C(b=1)"
    assert {*definitions(ast.parse(text).body)} - {*mentions(text)} == {"A", "unused", "m"}


def test_nothing_is_defined_that_nothing_names():
    """Neither what tests alone name, nor what is left of a change. A name that two things share hides one of them."""
    texts = {name: path.read_text() for name, path in FILES.items()}
    named = {name for text in texts.values() for name in mentions(text)}
    ours = {
        name: text for name, text in texts.items() if not within(name, ("optbench.problems", "optbench.optimizers"))
    }
    unnamed = {
        f"{module}.{name}"
        for module, text in ours.items()
        for name in definitions(ast.parse(text).body)
        if name not in named and not name.startswith("__")
    }
    assert {name for name in unnamed if name.rpartition(".")[2] not in NAMED_ELSEWHERE} == set()


#: What takes longer to import than a command that computes nothing may.
HEAVY = ("jax", "flax", "optax", "sklearn", "scipy", "pandas", "optuna")


def loaded_by(code: str, *arguments: str, folder: Path) -> tuple[int, list[str]]:
    """Run code in a fresh Python: its exit code, and what of HEAVY it imported."""
    code += f"\nimport sys\nprint('loaded:', *[module for module in {HEAVY} if module in sys.modules])\nsys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True)
    assert "loaded:" in done.stdout, done.stderr
    return done.returncode, done.stdout.rpartition("loaded:")[2].split()


@pytest.mark.parametrize(
    "line",
    [
        *("--help", "--version", "run --help", "tune --help", "plot --help", "list suites", "list runs"),
        *("explain", "explain at_edge"),
        *("table", "table handmade trials --format json", "table handmade time-to-target --seeds 1"),
    ],
)
def test_command_starts_without_jax(line, handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    command = "import sys\nfrom optbench.cli import main\ncode = main(sys.argv[1:])"
    assert loaded_by(command, *line.split(), folder=tmp_path) == (0, [])


def test_tables_that_test_nothing_start_without_jax(handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    kinds = [kind for kind in tables.names() if kind not in ("answer", "matrix", "ranks")]
    command = """
import sys
from optbench.cli import main
code = sum(main(["table", "handmade", kind, "--seeds", "1"]) for kind in sys.argv[1:])
"""
    assert loaded_by(command, *kinds, folder=tmp_path) == (0, [])


def test_figures_are_drawn_without_jax(handmade, tmp_path):
    for decay in range(2):
        points = {decay: {"hyperparameters": {"weight_decay": 0.1}}}
        tried = {0.1: [[3.0, 2.0, 1.0]], 0.2: [[3.0, 2.0, 2.0]]}
        sizes = {"batch_size": 4 + decay, "examples_per_step": 4 + decay}
        handmade("sgd", [[3.0, 2.0, 1.0]], tried=tried, points=points, **sizes)
    command = """
from optbench import figures
from optbench.cli import main
kinds = [kind for kind in figures.names() if kind not in ("answer", "matrix", "ranks")]
code = sum(main(["plot", "handmade", kind, "--output", "figure.svg"]) == 0 for kind in kinds)
"""
    drawn, loaded = loaded_by(command, folder=tmp_path)
    # Two kinds need timings, and say so.
    assert drawn >= 10 and loaded == []


def test_ranks_need_scipy_at_most(handmade, tmp_path):
    for problem in ("bowl", "hill"):
        for optimizer in ("sgd", "adam", "lion"):
            handmade(optimizer, [[3.0, 2.0, 1.0]], problem=problem)
    command = "from optbench.cli import main\ncode = main(['table', 'handmade', 'ranks', '--seeds', '1'])"
    code, loaded = loaded_by(command, folder=tmp_path)
    assert code == 0 and {*loaded} <= {"scipy"}


@pytest.mark.parametrize(
    "module",
    [
        "optbench",
        "optbench.request",
        "optbench.store.parts",
        "optbench.results",
        "optbench.tables",
        "optbench.figures",
        "optbench.problems",
    ],
)
def test_module_starts_without_jax(module, tmp_path):
    assert loaded_by(f"code = 0\nimport {module}", folder=tmp_path) == (0, [])
