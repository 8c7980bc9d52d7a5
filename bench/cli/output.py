"""What commands print on stdout: tables that fit the terminal."""

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optbench.present.table import Table

#: Characters of a line where no terminal says how many it has.
WIDTH = 100
#: What stands out on a terminal -> how.
STYLES = {
    r"\bbetter\b|\bok\b": "green",
    r"\bworse\b|\bdiverged\b|\bfailed\b|\binf\b": "red",
    r"\bundecided\b|\bnever\b|\(edge[^)]*\)": "yellow",
}


def width(wide: bool = False) -> int | None:
    """Return the characters that a line of the terminal has, or COLUMNS where that is set; None for no limit."""
    return None if wide else shutil.get_terminal_size((WIDTH, 24)).columns


def text(table: "Table", format: str = "plain", wide: bool = False) -> str:
    """Return a table as text that fits the terminal."""
    from optbench.present.formats import format_table

    return format_table(table, format, width(wide))


def show(table: "Table", format: str = "plain", wide: bool = False) -> None:
    """Print a table, on a terminal in colour; CSV and JSON row by row, so that not all rows are in memory."""
    from optbench.present.formats import write_table

    if format == "plain":
        show_text(text(table, format, wide), bold_first=bool(table.title))
    else:
        write_table(table, format, sys.stdout)


def show_text(shown: str, bold_first: bool = False) -> None:
    """Print a text; on a terminal with verdicts in colour, and its first line in bold where that is a title."""
    if not sys.stdout.isatty():
        print(shown)
        return
    from rich.console import Console
    from rich.text import Text

    styled = Text(shown)
    for pattern, style in STYLES.items():
        styled.highlight_regex(pattern, style)
    if bold_first:
        styled.stylize("bold", 0, (shown + "\n").index("\n"))
    # Lines are broken already, and rich leaves colours out where NO_COLOR or a dumb terminal asks for it.
    Console().print(styled, soft_wrap=True, highlight=False)


def say_wrapped(text: str) -> None:
    """Print sentences in lines that fit the terminal."""
    from optbench.present.plain import wrapped

    print("\n".join(wrapped(line, width()) for line in text.splitlines()))
