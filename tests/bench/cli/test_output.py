"""What commands print: lines that fit, and colour on a terminal alone."""

import io
import re
from contextlib import redirect_stdout

import pytest

from optbench.cli.output import show, show_text, width
from optbench.present.table import Table

TABLE = Table(
    "who is better", ("optimizer", "verdict", "steps_to_target"), (("adam", "better", 3), ("sgd", "worse", 4))
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Return what a call prints on a terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def printed(call, *given):
        stream = Terminal()
        with redirect_stdout(stream):
            call(*given)
        return stream.getvalue()

    return printed


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_verdicts_are_coloured_on_a_terminal_and_nothing_else_changes(terminal):
    coloured = terminal(show, TABLE)
    assert "\x1b[32mbetter" in coloured and "\x1b[31mworse" in coloured and coloured.startswith("\x1b[1m")
    assert plain(coloured).splitlines()[0] == "who is better"


def test_no_color_is_heard(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    printed = terminal(show_text, "better [0.1, 0.2] and [red]worse[/red]")
    assert "\x1b[3" not in printed
    assert plain(printed) == "better [0.1, 0.2] and [red]worse[/red]\n"


def test_files_and_pipes_get_no_colour(capsys):
    show(TABLE)
    assert "\x1b" not in capsys.readouterr().out


def test_machine_formats_are_never_coloured(terminal):
    assert terminal(show, TABLE, "csv") == "optimizer,verdict,steps_to_target\nadam,better,3\nsgd,worse,4\n"


def test_the_width_is_that_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "57")
    assert width() == 57 and width(wide=True) is None


def test_tables_print_as_text_and_show_as_html():
    assert str(TABLE).startswith("who is better\n") and "<caption>who is better</caption>" in TABLE._repr_html_()
