"""`python -m optbench.cli.quiet WORDS`: a command whose tables nobody reads, under packages that may not fit.

Its progress stays on stderr. What breaks it is one line there and exit code 3: Python itself ends with 1 on an error,
as a run does whose cells failed.
"""

import os
import sys

#: The exit code of a command that raised what is no mistake of the user's.
BROKEN = 3


def main(arguments: list[str]) -> int:
    """Call a command of optbench, and return its exit code or BROKEN."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (to the end of the process)
    try:
        from optbench.cli.app import main as call

        return call(arguments)
    except Exception as error:
        from optbench.errors import one_line

        print(one_line(error), file=sys.stderr)
        return BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
