"""The site of the documentation: `make docs`. Sources are the Markdown files of the repository, as they stand."""

import inspect
from importlib.metadata import version as installed
from typing import Any

from optbench import problems
from optbench.optimizers import catalogue

project = "optbench"
author = "The optbench developers"
release = version = installed("optbench")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "results/*.md"]
exclude_patterns = [".*", "build", "dist"]
html_theme = "furo"
html_title = "optbench"
html_show_sourcelink = False
# Links to sections of other pages, `page.md#section`, as they work where the repository is shown.
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"


def setup(app: Any) -> None:
    """Have the list of problems and optimizers written into its page."""
    app.connect("source-read", _add_catalogue)


def _add_catalogue(app: Any, docname: str, source: list[str]) -> None:
    if docname == "docs/catalogue":
        source[0] += catalogue_page()


def catalogue_page() -> str:
    """Return every problem and optimizer as Markdown, from their docstrings and entries."""
    families = sorted(problems.families().items(), key=lambda pair: (pair[1].split(".")[-2], pair[0]))
    lines = ["\n## Problems\n"]
    lines += [_problem(name) for name, _ in families]
    lines += ["\n## Optimizers\n"]
    lines += [_optimizer(name, entry) for name, entry in catalogue().items()]
    return "\n".join(lines)


def _problem(name: str) -> str:
    factory = problems.factory(name)
    settings = ", ".join(f"{key}={value}" for key, value in problems.parameters(factory).items())
    text = inspect.getdoc(factory) or ""
    return f"### {name}\n\n```text\n{text}\n\nParameters: {settings}\n```\n"


def _optimizer(name: str, entry: Any) -> str:
    low, high = entry.learning_rates
    settings = ", ".join(f"{key}={value}" for key, value in entry.hyperparameters.items()) or "none"
    default = entry.default_learning_rate
    facts = f"learning rates {low:g} to {high:g}, default {default}; hyperparameters: {settings}; decay: {entry.decay}"
    return f"### {name}\n\n```text\n{entry.source}\n{facts}\n```\n"
