"""README and docs are whole: pages, links, outputs, examples. The site itself is built by `make docs`, not here."""

import json
import re
import runpy
from pathlib import Path

import pytest

import optbench
from optbench import problems
from optbench.cli.answer import print_answer
from optbench.optimizers import catalogue

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "results").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return what links may say after #, made of headings as the repository's host makes it."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_of_a_page_is_dead(page):
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_stands_in_the_table_of_contents_once():
    listed = re.findall(
        r"^([\w./-]+)$", "\n".join(re.findall(r"\{toctree\}(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)), re.M
    )
    of_docs = sorted(name for name in listed if not name.startswith("../"))
    assert of_docs == sorted(page.stem for page in DOCS.glob("*.md") if page.stem != "index")
    assert all((DOCS / f"{name}.md").exists() for name in listed)


def test_the_readme_leads_to_every_page():
    # The gallery stands in the table of contents, and the site begins with its index.
    linked = {Path(link).stem for link in LINK.findall((ROOT / "README.md").read_text()) if link.startswith("docs/")}
    assert {page.stem for page in DOCS.glob("*.md")} - linked <= {"index", "gallery", "catalogue"}


def test_the_readme_is_short_and_has_its_picture():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 160
    assert "![" in text and "make bench     #" in text and "make test      #" in text


def test_the_answer_in_the_readme_is_what_is_printed(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(ROOT)
    print_answer(optbench.load("reference/quick"), True)
    shown = re.search(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown and capsys.readouterr().out.startswith(shown[1])


def test_the_site_lists_every_problem_and_optimizer():
    page = runpy.run_path(str(DOCS / "conf.py"))["catalogue_page"]()
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert sorted(headings) == sorted([*problems.families(), *catalogue()])
    # Their texts are those of the code.
    assert "how depth, scale, normalisation and wrong labels make a network hard to fit" in page


def test_the_python_api_has_every_public_name():
    assert set(re.findall(r"auto\w+:: optbench\.(\w+)", (DOCS / "api.md").read_text())) == set(optbench.__all__)


def test_the_notebook_runs_in_miniature(tmp_path, monkeypatch, capsys):
    notebook = json.loads((ROOT / "examples" / "quickstart.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code = "\n".join(cells)
    small = code.replace("steps=100", 'steps=2, seeds=1, report_seeds=2, learning_rate="0.1"').replace(
        '"logistic_regression"', '"quadratic[dim=3]"'
    )
    assert small != code
    monkeypatch.chdir(tmp_path)
    exec(compile(small, "quickstart.ipynb", "exec"), {"__name__": "notebook"})
    printed = capsys.readouterr().out
    assert "clipped_adam" in printed and "adam against sgd on 2 problems" in printed
    # And it is kept with what it gave.
    assert all(cell["outputs"] for cell in notebook["cells"][3::2] if cell["cell_type"] == "code")
