"""Progress on a terminal."""

import io
from contextlib import redirect_stderr

from optbench.cli.progress import Reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_goes_on_before_anything_is_planned():
    with redirect_stderr(Terminal()) as terminal, Reporter() as reporter:
        reporter.say("calibrating on mlp[width=8]")
    assert "calibrating on mlp[width=8]" in terminal.getvalue()


def test_a_terminal_counts_cells_once_they_are_planned():
    with redirect_stderr(Terminal()) as terminal, Reporter() as reporter:
        reporter.say("calibrating")
        reporter.plan([None, None, None])  # pyright: ignore[reportArgumentType] (they are counted)
        reporter.say("timing")
    assert "0/3 cells  timing" in terminal.getvalue()


def test_a_warning_stays_on_a_terminal_in_one_line_whatever_comes_after_it():
    warning = "1 seed decides nothing " * 20
    with redirect_stderr(Terminal()) as terminal, Reporter() as reporter:
        reporter.say(warning)
        reporter.plan([None])  # pyright: ignore[reportArgumentType] (they are counted)
    assert f"{warning}\n" in terminal.getvalue()
