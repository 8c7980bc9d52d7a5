"""Plug-ins: what can be named, and how a mistake in them is told."""

import pytest

from optbench import optimizers, problems
from optbench.planning.plugins import load_plugin
from optbench.planning.registry import implementations
from optbench.request import RequestError, Suite

SGD = "import optax\ndef make(learning_rate, momentum=0.5):\n    return optax.sgd(learning_rate, momentum)\n"


def suite(problem="quadratic", optimizer="sgd"):
    return Suite.model_validate({"problems": [problem], "optimizers": [optimizer]})


def test_everything_in_the_catalogues_is_known():
    assert set(implementations().problems) == set(problems.families())
    assert set(implementations().optimizers) == set(optimizers.catalogue())


def test_a_plugin_is_known_by_the_text_that_named_it(plugin):
    spec = plugin(SGD)
    info = implementations(suite(optimizer=spec)).catalogue().optimizers[spec]
    assert dict(info.hyperparameters) == {"momentum": 0.5}
    assert not info.open


def test_open_keywords_are_open(plugin):
    spec = plugin("def make(learning_rate, **hyperparameters):\n    return None\n")
    assert implementations(suite(optimizer=spec)).catalogue().optimizers[spec].open


def test_a_problem_is_known_with_its_parameters(plugin):
    spec = plugin("def make(dim: int = 3, name='x'):\n    return None\n")
    assert implementations(suite(problem=f"{spec}[dim=4]")).catalogue().problems[spec] == {"dim": 3, "name": "x"}


def test_a_module_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "my_own_optimizers.py").write_text(SGD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_plugin("my_own_optimizers:make").value.__name__ == "make"


def test_a_plugin_may_define_classes(plugin):
    """Dataclasses look their module up by its name."""
    made = load_plugin(
        plugin("""
            from __future__ import annotations
            from dataclasses import dataclass
            from typing import ClassVar, NamedTuple

            class State(NamedTuple):
                count: int

            @dataclass
            class Settings:
                kind: ClassVar[str] = "x"
                rate: float = 0.5

            def make(learning_rate):
                return State(3), Settings()
        """)
    ).value
    state, settings = made(0.1)
    assert (state.count, settings.rate) == (3, 0.5)


def test_the_same_relative_path_in_another_folder(tmp_path, monkeypatch):
    """A relative path means the file that is there now."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "here.py").write_text(f"make = {name!r}.upper\n")
    made = []
    for name in ("a", "b"):
        monkeypatch.chdir(tmp_path / name)
        made.append(load_plugin("./here.py:make").value())
    assert made == ["A", "B"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("make = 3", "int"),
        ("make = None", "NoneType"),
        ("mkae = len", "did you mean 'mkae'?"),
        ("", "no 'make'"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('first\\nsecond')", "RuntimeError: first"),
        ("def make(:", "SyntaxError"),
        ("import sys\nsys.exit(3)", "SystemExit"),
        ("make = dict", "dict"),
    ],
    ids=["number", "none", "misspelt", "empty", "import", "raises", "syntax", "exits", "no-signature"],
)
@pytest.mark.parametrize("kind", ["problem", "optimizer"])
def test_a_bad_plugin_is_told_in_one_line(plugin, kind, code, said):
    spec = plugin(code)
    with pytest.raises(RequestError) as caught:
        implementations(suite(**{kind: spec})).catalogue()
    assert spec in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("./nowhere.py:make", "./nowhere.py is not here"),
        ("nowhere_to_be_found:make", "No module named 'nowhere_to_be_found'"),
        ("optax:sdg", "optax has no 'sdg'; did you mean 'sgd'?"),
        ("./nowhere.py:", "./nowhere.py"),
        (":make", ":make"),
    ],
)
def test_a_plugin_that_is_not_there(spec, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError) as caught:
        implementations(suite(optimizer=spec))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
