"""Families are found by file name, and finding them costs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from optbench import problems

ROOT = Path(problems.__file__).parent


def test_families_are_the_public_files_of_the_folders():
    files = {path.stem for path in ROOT.glob("*/*.py") if not path.stem.startswith("_")}
    assert files == set(problems.families())
    assert {"quadratic", "mlp"} <= files


@pytest.mark.parametrize("name", problems.families())
def test_the_factory_has_the_name_of_its_file(name):
    factory = problems.factory(name)
    assert factory.__name__ == name
    assert factory.__module__ == problems.families()[name]


@pytest.mark.parametrize("name", problems.families())
def test_every_parameter_has_a_default_and_a_type(name):
    factory = problems.factory(name)
    for parameter, default in problems.parameters(factory).items():
        assert isinstance(default, bool | int | float | str), parameter
        assert parameter in factory.__annotations__


def test_parameters_hold_the_defaults():
    assert problems.parameters(problems.factory("quadratic"))["dim"] == 100


def test_an_unknown_family_is_a_key_error():
    with pytest.raises(KeyError, match="quadritic"):
        problems.factory("quadritic")


@pytest.mark.parametrize("name", problems.families())
def test_the_docstring_says_what_it_reveals_and_where_it_is_from(name):
    factory = problems.factory(name)
    first, *rest = (factory.__doc__ or "").splitlines()
    assert first.endswith(".") and rest[0] == ""
    source = factory().source
    assert any(year.strip(".,;").isdigit() for year in source.split())
    assert source in " ".join(factory.__doc__.split())
    assert problems.section(factory, "Optimum")


@pytest.mark.parametrize("name", problems.families())
def test_the_ladder_has_three_rungs_of_its_own_parameters(name):
    rungs = problems.rungs(name)
    assert len(rungs) == 3 and len({str(rung) for rung in rungs}) == 3
    defaults = problems.parameters(problems.factory(name))
    # of the defaults' own types, so that a rung is written as a request for it is
    assert all(type(value) is type(defaults[key]) for rung in rungs for key, value in rung.items())


def _imported_by(code: str) -> set[str]:
    script = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT.parent, capture_output=True, text=True)
    return set(done.stdout.split())


def test_listing_names_imports_no_jax():
    modules = _imported_by("from optbench import problems; problems.families()")
    assert "optbench.problems" in modules and not modules & {"jax", "numpy", "sklearn"}


def test_importing_a_family_loads_no_data_and_starts_no_device():
    families = " ".join(f"import {module};" for module in problems.families().values())
    script = f"{families} from jax._src import xla_bridge; assert not xla_bridge._backends"
    modules = _imported_by(script.rstrip(";"))
    assert "optbench.problems.networks.mlp" in modules and "sklearn.datasets" not in modules
