"""Change the code at random and see whether the tests of its own folder notice: what is not noticed is not tested.

Run as a script: `.venv/bin/python tests/benchmarks/mutants.py [number] [seed] [only this module]`, an hour for 100 on
two cores. Each mutant is one change in a copy of the tree; its tests run until the first fails, those of the module's
own file first. Prints each mutant that no test caught, and how many there were. The tests have to pass unchanged first.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
#: The code that numbers hang on -> its tests.
TESTED_BY = {
    "bench/sweep/*.py": "tests/bench/sweep",
    "optimizers/weight_decay.py": "tests/optimizers",
    "bench/analyse/statistics.py": "tests/bench/analyse",
    "bench/analyse/significance.py": "tests/bench/analyse",
    "bench/store/*.py": "tests/bench/store",
    "bench/planning/cell_key.py": "tests/bench/planning",
}
#: A mutant that runs for so long never ends, which is noticed too.
LONGEST_SECONDS = 1800
WORKERS = 2

OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


class Mutant(NamedTuple):
    """One changed file: its path, where and what was changed, its new text, and the folder of its tests."""

    path: Path
    line: int
    change: str
    text: str
    tests: str


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    """Yield what can be changed about a node: (what it becomes, what changes it in place)."""
    operator = getattr(node, "op", None) or next(iter(getattr(node, "ops", ())), None)
    other = OPERATORS.get(type(operator))
    if other is not None and isinstance(node, ast.Compare):
        yield other.__name__, lambda node: node.ops.__setitem__(0, other())
    elif other is not None:
        yield other.__name__, lambda node: setattr(node, "op", other())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield str(not node.value), lambda node: setattr(node, "value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} + 1", lambda node: setattr(node, "value", node.value + 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield (
            "without its sign",
            lambda node: (
                setattr(node, "op", ast.UAdd())
                if isinstance(node.op, ast.USub)
                else setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
            ),
        )
    if isinstance(node, ast.If | ast.IfExp):
        yield "the other branch", lambda node: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))


def places(tree: ast.AST) -> list[int]:
    """Number the nodes that are code: no annotations, which nothing runs."""
    nodes = list(ast.walk(tree))
    fields = [getattr(node, name, None) for node in nodes for name in ("annotation", "returns")]
    typing = {id(inner) for field in fields if field for inner in ast.walk(field)}
    return [number for number, node in enumerate(nodes) if id(node) not in typing]


def mutants(number: int, seed: int, only: str = "") -> list[Mutant]:
    """Draw so many mutants, all changes of all files alike."""
    every = []
    for pattern, tests in TESTED_BY.items():
        for path in sorted(ROOT.glob(pattern)):
            tree = ast.parse(path.read_text())
            nodes = list(ast.walk(tree))
            every += [(path, tests, at, which) for at in places(tree) for which, _ in enumerate(changes(nodes[at]))]
    every = [drawn for drawn in every if only in str(drawn[0])]
    return [_mutant(*drawn) for drawn in random.Random(seed).sample(every, min(number, len(every)))]


def _mutant(path: Path, tests: str, at: int, which: int) -> Mutant:
    tree = ast.parse(path.read_text())
    node = list(ast.walk(tree))[at]
    before = ast.unparse(deepcopy(node))
    what, apply = list(changes(node))[which]
    apply(node)
    text = ast.unparse(ast.fix_missing_locations(tree))
    change = f"{before.splitlines()[0][:60]!r} becomes {what}"
    return Mutant(path.relative_to(ROOT), getattr(node, "lineno", 0), change, text, tests)


#: The change of a mutant that is none.
NOTHING = "nothing"


def unchanged(folders: set[str]) -> list[Mutant]:
    """Return one change that is none for each folder of tests."""
    modules = {tests: next(iter(sorted(ROOT.glob(pattern)))) for pattern, tests in TESTED_BY.items()}
    return [
        Mutant(modules[tests].relative_to(ROOT), 0, NOTHING, modules[tests].read_text(), tests)
        for tests in sorted(folders)
    ]


#: Makes the installed package's names those of a copied tree, in the processes that its tests start too.
IMPORTED_FROM_HERE = """import sys
for finder in sys.meta_path:
    mapping = getattr(sys.modules.get(getattr(finder, "__module__", "")), "MAPPING", {})
    if "optbench" in mapping:
        mapping |= {name: path.replace(%r, %r) for name, path in mapping.items()}
"""


def copy_tree(folder: Path) -> Path:
    """Copy what is in git, and what makes its package the one that is imported."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "build" / "here").mkdir(parents=True)
    (folder / "build" / "here" / "sitecustomize.py").write_text(IMPORTED_FROM_HERE % (str(ROOT), str(folder)))
    return folder


def is_caught(mutant: Mutant, folder: Path) -> bool:
    """Run the tests of a mutant in a copy of the tree, its own file's first, and put the file back."""
    path, before = folder / mutant.path, (folder / mutant.path).read_text()
    path.write_text(mutant.text)
    environment = os.environ | {"PYTHONPATH": str(folder / "build" / "here"), "PYTHONDONTWRITEBYTECODE": "1"}
    own = folder / mutant.tests / f"test_{path.stem}.py"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *([str(own)] if own.exists() else []),
    ]
    try:
        done = subprocess.run(
            [*command, mutant.tests], cwd=folder, env=environment, capture_output=True, timeout=LONGEST_SECONDS
        )
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        print("no end", f"{mutant.path}:{mutant.line}", flush=True)
        return True
    finally:
        path.write_text(before)


def main(number: int = 100, seed: int = 0, only: str = "") -> None:
    """Try so many mutants and print what was not caught."""
    drawn = mutants(number, seed, only)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(WORKERS) as pool:
        folders: SimpleQueue[Path] = SimpleQueue()
        for worker in range(WORKERS):
            folders.put(copy_tree(Path(scratch) / str(worker)))

        def attempt(mutant: Mutant) -> bool:
            folder = folders.get()
            try:
                caught = is_caught(mutant, folder)
            finally:
                folders.put(folder)
            word = "caught " if caught else "MISSED "
            if mutant.change != NOTHING:
                print(word, f"{mutant.path}:{mutant.line}", mutant.change, flush=True)
            return caught

        if any(pool.map(attempt, unchanged({mutant.tests for mutant in drawn}))):
            raise SystemExit("tests fail without any change")
        caught = list(pool.map(attempt, drawn))
    print(f"{sum(caught)} of {len(caught)} mutants were caught")


if __name__ == "__main__":
    numbers, words = sys.argv[1:3], sys.argv[3:4]
    main(*map(int, numbers), *words)
