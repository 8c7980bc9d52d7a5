"""What a plug-in's numbers depend on: its own modules, the files that they name, the packages that they import."""

import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from optbench.planning.plugins import load_plugin
from optbench.problems.problem import Problem
from optbench.store.locations import ROOT

PROBLEM = """
    import jax.numpy as jnp, numpy as np
    from optbench.problems.problem import Problem
    {head}
    def make({parameters}):
        x = {read}
        return Problem(init=lambda k: jnp.zeros(2), loss=lambda p, b, k: jnp.sum(p ** 2), train=(np.ones((4, 2)),),
                       metrics=lambda p, d: {{"loss": jnp.sum(p ** 2)}}, source="a bowl")
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files into a folder that is the current one: write({"a/b.py": code, ...})."""
    monkeypatch.chdir(tmp_path)

    def call(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    return call


def scale(spec):
    """Call a plug-in's `make` as it is called when it is built."""
    plugin = load_plugin(spec)
    with plugin.in_view():
        return plugin.value(1.0)


#: What a plug-in consists of, and which line of it is edited.
CODE = {
    "beside": {"opt.py": "import helper\ndef make(rate): return helper.SCALE", "helper.py": "SCALE = 1"},
    "from": {"opt.py": "from helper import SCALE\ndef make(rate): return SCALE", "helper.py": "SCALE = 1"},
    "star": {"opt.py": "from helper import *\ndef make(rate): return SCALE", "helper.py": "SCALE = 1"},
    "inside": {"opt.py": "def make(rate):\n    import helper\n    return helper.SCALE", "helper.py": "SCALE = 1"},
    "deeper": {
        "opt.py": "import between\ndef make(rate): return between.helper.SCALE",
        "between.py": "import helper",
        "helper.py": "SCALE = 1",
    },
    "package": {
        "opt.py": "from pkg import scale\ndef make(rate): return scale()",
        "pkg/__init__.py": "from .sub.deep import scale",
        "pkg/sub/__init__.py": "",
        "pkg/sub/deep.py": "from ..constants import SCALE\ndef scale(): return SCALE",
        "pkg/constants.py": "SCALE = 1",
    },
    "init": {"opt.py": "import pkg\ndef make(rate): return pkg.SCALE", "pkg/__init__.py": "SCALE = 1"},
    "all": {
        "opt.py": "from pkg import *\ndef make(rate): return one.SCALE",
        "pkg/__init__.py": "__all__ = ['one']",
        "pkg/one.py": "SCALE = 1",
    },
    "literal": {
        "opt.py": "from importlib import import_module\ndef make(rate): return import_module('helper').SCALE",
        "helper.py": "SCALE = 1",
    },
    "computed": {
        "opt.py": "import importlib\ndef make(rate): return importlib.import_module('hel' + 'per').SCALE",
        "helper.py": "SCALE = 1",
    },
}


@pytest.mark.parametrize("spec", ["./opt.py:make", "opt:make"])
@pytest.mark.parametrize("files", CODE.values(), ids=CODE)
def test_an_edited_module_changes_the_key_and_is_imported_anew(write, keys, files, spec):
    write(files)
    assert scale(spec) == 1
    before = keys(optimizers=[spec])
    assert keys(optimizers=[spec]) == before
    # Words alone are no edit.
    write({name: f"# Said of it.\n{dedent(code)}" for name, code in files.items()})
    assert keys(optimizers=[spec]) == before
    write({name: code.replace("SCALE = 1", "SCALE = 2") for name, code in files.items()})
    assert keys(optimizers=[spec]) != before
    assert scale(spec) == 2
    write(files)
    assert keys(optimizers=[spec]) == before
    assert scale(spec) == 1


def test_a_library_that_lies_elsewhere_is_followed(write, keys, tmp_path, monkeypatch):
    """As one that is installed for editing, whose version stays the same."""
    monkeypatch.syspath_prepend(str(tmp_path / "library"))
    write({"own/opt.py": "from mylib_elsewhere.core import scale\ndef make(rate): return scale()"})
    for value in (1, 2):
        core = f"from . import values\ndef scale(): return values.get({value})"
        write({"library/mylib_elsewhere/__init__.py": "", "library/mylib_elsewhere/core.py": core})
        write({"library/mylib_elsewhere/values.py": "def get(value): return value"})
        assert scale("./own/opt.py:make") == value
    before = keys(optimizers=["./own/opt.py:make"])
    write({"library/mylib_elsewhere/values.py": "def get(value): return 7 * value"})
    assert keys(optimizers=["./own/opt.py:make"]) != before
    assert scale("./own/opt.py:make") == 14


def test_a_file_given_to_an_optimizer_is_part_of_the_key(write, keys):
    write({"opt.py": "import optax\ndef make(rate, table='none'): return optax.sgd(rate)", "table.csv": "1"})
    before = keys(optimizers=["./opt.py:make[table=table.csv]"])
    write({"table.csv": "2"})
    assert keys(optimizers=["./opt.py:make[table=table.csv]"]) != before


def test_two_plugins_have_a_helper_each(write):
    code = "import helper\ndef make(rate):\n    import late\n    return helper.SCALE + late.SCALE"
    for folder, value in (("a", 1), ("b", 10)):
        files = {"opt.py": code, "helper.py": f"SCALE = {value}", "late.py": f"SCALE = {2 * value}"}
        write({f"{folder}/{name}": text for name, text in files.items()})
    first, second = load_plugin("./a/opt.py:make"), load_plugin("./b/opt.py:make")
    for _ in range(2):
        for plugin, value in ((first, 3), (second, 30)):
            with plugin.in_view():
                assert plugin.value(1.0) == value


def test_what_nobody_edited_is_not_imported_anew(write):
    write({"opt.py": "import helper\ndef make(rate): return helper.SCALE", "helper.py": "SCALE = []"})
    assert scale("opt:make") is scale("opt:make")
    assert load_plugin("opt:make").value is load_plugin("opt:make").value


def test_modules_beside_a_plugin_are_found_by_its_import_lines_alone(write, tmp_path):
    write({"sub/opt.py": "import beside_it\ndef make(rate): return 1", "sub/beside_it.py": ""})
    load_plugin("./sub/opt.py:make")
    assert str(tmp_path / "sub") not in sys.path
    sys.modules.pop("beside_it")
    with pytest.raises(ModuleNotFoundError):
        __import__("beside_it")


#: What holds the name of a file, and how it is read.
DATA = {
    "default": ("", "path='data.npy'", "np.load(path)"),
    "path": ("from pathlib import Path", "path=Path('data.npy')", "np.load(path)"),
    "constant": ("PATH = 'data.npy'", "", "np.load(PATH)"),
    "literal": ("", "", "np.load('data.npy')"),
    "class": ("class Settings:\n        path = 'data.npy'", "", "np.load(Settings.path)"),
    "beside": ("from pathlib import Path", "", "np.load(Path(__file__).parent / 'data.npy')"),
    "folder": ("from pathlib import Path", "", "np.load(Path('.') / 'shards' / 'part.npy')"),
    "pattern": ("from pathlib import Path", "", "[np.load(p) for p in sorted(Path('shards').glob('*.npy'))]"),
    "f-string": ("", "name='data'", "np.load(f'{name}.npy')"),
    "computed": ("import os\n    PATH = os.path.join(os.getcwd(), 'da' + 'ta.npy')", "", "np.load(PATH)"),
    "computed-default": ("import os", "path=os.path.join('.', 'da' + 'ta.npy')", "np.load(path)"),
    "listed": ("PATHS = ['da' + 'ta.npy']", "", "np.load(PATHS[0])"),
    "helper": ("import where", "", "np.load(where.PATH)"),
    "beside-a-long-text": (f"HELP = {'words ' * 200!r}", "path='data.npy'", "np.load(path)"),
}


@pytest.mark.parametrize(("head", "parameters", "read"), DATA.values(), ids=DATA)
def test_data_that_a_plugin_names_are_part_of_the_key(write, keys, tmp_path, head, parameters, read):
    import numpy as np

    (tmp_path / "shards").mkdir()
    paths = [tmp_path / "data.npy", tmp_path / "shards" / "part.npy"]
    write({"p.py": PROBLEM.format(head=head, parameters=parameters, read=read), "where.py": "PATH = 'data.npy'"})
    for path in paths:
        np.save(path, np.zeros(3))
    before = keys(problems=["./p.py:make"])
    assert keys(problems=["./p.py:make"]) == before
    for path in paths:
        np.save(path, np.ones(3))
    assert keys(problems=["./p.py:make"]) != before


def test_versions_of_installed_packages_that_are_imported_are_part_of_the_key(write, keys, monkeypatch):
    from optbench.planning import plugin_sources

    write({"opt.py": "import optax, upath.core, json\ndef make(rate): return optax.sgd(rate)"})
    versions = load_plugin("./opt.py:make").sources.versions
    # Not every package is called as the distribution that it comes with.
    assert {name.replace("_", "-") for name in versions} == {"optax", "universal-pathlib"}
    before = keys(optimizers=["./opt.py:make"])
    monkeypatch.setattr(plugin_sources, "version", lambda name: "0.0.1")
    assert keys(optimizers=["./opt.py:make"]) != before


OLD = """
    from problems.problem import Problem
    from optimizers.optimizer import Optimizer
    import problems.convex.quadratic as family
    def make(rate):
        from problems import accept
        import bench.errors
        return Problem, Optimizer, accept, family, bench.errors
"""


def test_old_names_of_optbench_are_the_modules_of_today(write, monkeypatch):
    write({"opt.py": OLD})
    from optbench import errors
    from optbench.optimizers.optimizer import Optimizer
    from optbench.problems import accept
    from optbench.problems.convex import quadratic

    plugin = load_plugin("./opt.py:make")
    assert plugin.value(0.1) == (Problem, Optimizer, accept, quadratic, errors)
    assert "problem.py" in {file.name for file in plugin.sources.ours}
    assert sys.modules["optbench.problems.problem"].__spec__.name == "optbench.problems.problem"
    # By other import lines nothing of ours is found under an old name.
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if Path(folder).resolve() != ROOT])
    with pytest.raises(ModuleNotFoundError):
        __import__("optimizers")


@pytest.mark.parametrize(
    "code",
    [
        "from optbench import supervised\ndef make():\n    return supervised",
        "from optbench.problems import supervised\ndef make():\n    return supervised",
        "import optbench\ndef make():\n    return optbench.supervised",
    ],
    ids=["optbench", "problems", "attribute"],
)
def test_what_optbench_offers_under_a_short_name_is_the_module_that_it_stands_in(write, code):
    write({"model.py": code})
    assert {file.name for file in load_plugin("./model.py:make").sources.ours} == {"own_model.py"}


def test_a_users_own_modules_come_before_old_names(write):
    write({"a/opt.py": "from optimizers import NAME\ndef make(rate): return NAME", "a/optimizers.py": "NAME = 'mine'"})
    write({"b/opt.py": OLD, "optimizers.py": "def make(rate): return 'theirs'"})
    assert scale("./a/opt.py:make") == "mine"
    assert scale("./b/opt.py:make")[0] is Problem
    assert scale("optimizers:make") == "theirs"
    assert scale("./a/opt.py:make") == "mine"


def test_the_key_is_the_same_whatever_was_loaded_before(write, keys):
    write({"one.py": "import helper, other\ndef make(rate): return helper.make(rate)", "other.py": ""})
    write({"two.py": "import helper\ndef make(rate): return helper.make(rate)"})
    write({"helper.py": "import optax\ndef make(rate): return optax.sgd(rate)"})
    alone = keys(optimizers=["./two.py:make"])
    both = keys(optimizers=["./one.py:make", "./two.py:make"])
    assert both[1:] == alone and both[0] not in alone


def test_a_plugin_may_be_read_from_anywhere(write, keys, tmp_path, monkeypatch):
    write({"a/opt.py": "import optax, helper\ndef make(learning_rate): return optax.sgd(helper.RATE)"})
    write({"a/helper.py": "RATE = 1.0"})
    os.renames(tmp_path / "a", tmp_path / "deeper" / "a")
    write({"a/opt.py": "import optax, helper\ndef make(learning_rate): return optax.sgd(helper.RATE)"})
    write({"a/helper.py": "RATE = 1.0"})
    first = keys(optimizers=["./a/opt.py:make"])
    monkeypatch.chdir(tmp_path / "deeper")
    assert keys(optimizers=["./a/opt.py:make"]) == first
