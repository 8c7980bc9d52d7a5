"""Call the command line in process."""

from typing import NamedTuple

import pytest


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def optbench(tmp_path, monkeypatch, capsys):
    """Run a command in `tmp_path`: optbench(*words) -> Said(code, out, err)."""
    from optbench.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = main(list(words))
        return Said(code, *capsys.readouterr())

    return call
