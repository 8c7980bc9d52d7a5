"""The command `optbench`: parse, call, print. Each command imports what it needs when it is called."""

from optbench.cli.app import app, main

__all__ = ["app", "main"]
