"""What commands print on stdout: tables that fit the terminal."""

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optbench.present.table import Table

#: Characters of a line where no terminal says how many it has.
WIDTH = 100


def width(wide: bool = False) -> int | None:
    """Return the characters that a line of the terminal has, or COLUMNS where that is set; None for no limit."""
    return None if wide else shutil.get_terminal_size((WIDTH, 24)).columns


def text(table: "Table", format: str = "plain", wide: bool = False) -> str:
    """Return a table as text that fits the terminal."""
    from optbench.present.formats import format_table

    return format_table(table, format, width(wide))


def show(table: "Table", format: str = "plain", wide: bool = False) -> None:
    """Print a table; CSV and JSON row by row, so that not all rows are in memory."""
    from optbench.present.formats import write_table

    write_table(table, format, sys.stdout, width(wide))


def say_wrapped(text: str) -> None:
    """Print sentences in lines that fit the terminal."""
    from optbench.present.plain import wrapped

    print("\n".join(wrapped(line, width()) for line in text.splitlines()))
