"""What is read is never run: no pickle, no eval, and one exec, for plug-ins."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [path for folder in ("bench", "problems", "optimizers") for path in sorted((ROOT / folder).rglob("*.py"))]
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "torch.load", "pd.read_pickle", "pandas.read_pickle"}


def faults(tree: ast.AST):
    """Name what would run or unpickle what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield node.module
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func).removeprefix("builtins.")
            safe = any(word.arg == "allow_pickle" and ast.unparse(word.value) == "False" for word in node.keywords)
            if name in CALLS or (name in ("np.load", "numpy.load", "jnp.load") and not safe):
                yield name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_is_run(path):
    allowed = ["exec"] if path == ROOT / "bench" / "planning" / "plugins.py" else []
    assert list(faults(ast.parse(path.read_text(encoding="utf-8")))) == allowed


@pytest.mark.parametrize(
    "code", ["eval('1')", "import pickle", "from dill import loads", "np.load(x)", "yaml.load(x)", "builtins.exec(x)"]
)
def test_they_would_be_found(code):
    assert list(faults(ast.parse(code)))
