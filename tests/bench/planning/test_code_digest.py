"""The digest of code: what it computes, and not how it is told."""

from textwrap import dedent

import pytest

from optbench.planning.code_digest import code_digest, module_file

CODE = '''
    """What it is for."""
    import optax as o
    from jax import numpy as jnp
    from optbench.sweep.step import Recipe
    from optbench.sweep import sharding

    RATE = 0.1  #: the usual

    class Settings:
        """Hold a rate."""
        rate: float = RATE
        """Said of the rate."""

    def make(rate, *rest):
        """Make it."""
        scale = jnp.sqrt(2.0)
        if rate > 1: return o.sgd(rate * scale), Recipe, sharding.WHOLE
        return f"{rate:.3f} of {rest}"
'''


def digest(code):
    return code_digest(dedent(code).encode())


def changed(*changes):
    code = CODE
    for old, new in changes:
        assert old in code
        code = code.replace(old, new)
    return digest(code)


@pytest.mark.parametrize(
    "change",
    [
        ("#: the usual", "# what others take"),
        ("What it is for.", "Another word."),
        ('"""Make it."""', '"""Make it anew.\n\n        At length.\n        """'),
        ('"""Said of the rate."""', ""),
        ("if rate > 1: return", "if rate > 1:\n\n            # why\n            return"),
        ("o.sgd(rate * scale)", "(o.sgd(\n            rate * scale\n        ))"),
        ("from jax import numpy as jnp", "import os\n    from jax import numpy as jnp"),
        ("from optbench.sweep.step import Recipe", "from optbench.sweep.program import Recipe"),
        ('f"{rate:.3f} of {rest}"', "f'{rate:.3f} of {rest}'"),
    ],
    ids=["comment", "docstring", "longer", "bare-string", "lines", "brackets", "unused", "moved", "quotes"],
)
def test_words_layout_and_import_lines_do_not_count(change):
    assert changed(change) == digest(CODE)


def test_a_name_counts_as_what_it_stands_for():
    assert changed(("import optax as o", "import optax"), ("o.sgd", "optax.sgd")) == digest(CODE)
    assert changed(("from jax import numpy as jnp", "from numpy import ma as jnp")) != digest(CODE)
    assert changed(("import Recipe", "import Carry as Recipe")) != digest(CODE)


def test_a_module_of_optbench_may_be_renamed():
    renamed = ("from optbench.sweep import sharding", "from optbench.sweep import streams as sharding")
    assert changed(renamed) == digest(CODE)


@pytest.mark.parametrize(
    "change",
    [
        ("RATE = 0.1", "RATE = 0.2"),
        ("rate: float = RATE", "rate: float"),
        ("2.0", "2"),
        ("rate > 1", "rate >= 1"),
        ("o.sgd", "o.adam"),
        ("*rest", "**rest"),
        (".3f", ".4f"),
        ("rate * scale)", "rate, scale)"),
        ("import optax as o", "import optax as o\n    from helper import *"),
    ],
)
def test_what_is_computed_counts(change):
    assert changed(change) != digest(CODE)


def test_lists_side_by_side_are_told_apart():
    assert digest("f([a], [b])") != digest("f([a, b], [])") != digest("f([], [a, b])")
    assert digest("def f(a, /, b): ...") != digest("def f(a, b): ...")
    assert digest("def f():\n    global a") != digest("def f():\n    global b")


def test_imports_for_type_checkers_do_not_count():
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import jax\nx = 1\n"
    assert digest(code) == digest("x = 1")


def test_modules_are_located_without_being_imported():
    assert str(module_file("optbench.sweep.step")).endswith("bench/sweep/step.py")
    assert str(module_file("optbench.problems.problem")).endswith("problems/problem.py")
    assert str(module_file("optbench")).endswith("bench/__init__.py")
    assert module_file("optbench.nothing") is None
    assert module_file("optax") is None
