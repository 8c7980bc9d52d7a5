"""The tests of a group run in one process, whatever pytest and xdist are: each compiles what it shares once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import os
import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(number):
    with open("workers", "a") as file:
        print(__name__.rpartition(".")[2], os.environ["PYTEST_XDIST_WORKER"], file=file)
"""


def test_tests_of_a_file_run_in_one_process(tmp_path):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"test_{name}.py").write_text(TESTS)
    words = ["-p", "xdist", "-n", "2", "--dist", "loadscope", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", *words]
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    lines = (tmp_path / "workers").read_text().splitlines()
    assert len(lines) == 8
    assert len(set(lines)) == len({line.partition(" ")[0] for line in lines}) == 2


def test_groups_are_files_clusters_and_problems(group_of):
    contract = "tests/problems/test_problem_contract.py::test_it"
    assert group_of(f"{contract}[quadratic[dim=7,noise=0.5]-float32]") == "quadratic[dim=7,noise=0.5]"
    assert group_of(f"{contract}[float32-rnn[]]") == "rnn[]"
    assert group_of("tests/bench/runner/cluster/test_tls.py::test_it") == "cluster"
    assert group_of("tests/bench/test_results.py::test_it[a]") == "tests/bench/test_results.py"
