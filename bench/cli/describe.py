"""`python -m optbench.cli.describe`: what a manifest says of a run that begins here and now, as JSON.

Backfilling asks in a process of its own, for jax keeps most of a GPU's memory once it has seen it.
"""

import json
import sys


def main() -> int:
    """Print this machine, its versions and the commit: 0, or 1 with one line on stderr if it can't be told."""
    from optbench.errors import one_line

    try:
        from optbench.runner.describe import describe_here

        described = describe_here()
    except Exception as error:
        print(one_line(error), file=sys.stderr)
        return 1
    print(json.dumps(described))
    return 0


if __name__ == "__main__":
    sys.exit(main())
