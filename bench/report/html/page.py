"""Text, tables and figures as one page of HTML that loads nothing else."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import count
from typing import Any, NamedTuple

from optbench.present.table import Table
from optbench.report.html.data import PageData, embed_json
from optbench.report.html.shading import GROUPS
from optbench.report.html.table import escape, format_page_table

#: Nothing may be loaded from anywhere, and no script runs but the page's own, whatever a name holds.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


class Paragraphs(NamedTuple):
    """Paragraphs of text."""

    texts: Sequence[str]


class Commands(NamedTuple):
    """Lines to type in a terminal."""

    lines: Sequence[str]


class TableBlock(NamedTuple):
    """A table; its numbers are shaded by how near they are to the best of their group."""

    table: Table
    groups: Sequence[str] = GROUPS
    #: Shown on demand.
    closed: bool = False


class Variant(NamedTuple):
    """One way to draw a figure: a Vega-Lite specification, and what a reader chooses it by."""

    spec: Mapping[str, Any]
    choice: Mapping[str, str] = {}


class FigureBlock(NamedTuple):
    """One or several ways to draw a figure, and what it shows and how that was computed."""

    title: str
    variants: Sequence[Variant]
    caption: str
    #: Shown on demand.
    closed: bool = False


Block = Paragraphs | Commands | TableBlock | FigureBlock


class Section(NamedTuple):
    """A heading and the blocks under it."""

    title: str
    blocks: Sequence[Block]
    #: 1 for a part of the page, 2 for a section of a part.
    level: int = 2


class Page(NamedTuple):
    """All that a page shows."""

    title: str
    summary: Sequence[str]
    sections: Sequence[Section]


def format_page(page: Page, vega: str) -> str:
    """Return the page as HTML; `vega` is the JavaScript that defines `vegaEmbed`."""
    figures = [block for section in page.sections for block in section.blocks if isinstance(block, FigureBlock)]
    scripts = [*([vega] if figures else []), _asset("page.js")]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    numbers, data = count(1), PageData()
    sections = [(f"s{number}", section) for number, section in enumerate(page.sections, start=1)]
    bodies = [_section(name, section, numbers, data) for name, section in sections]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY.format(scripts=hashes))}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">',
            f"<title>{escape(page.title)}</title>\n<style>\n{_asset('page.css')}</style>\n</head>\n<body>",
            '<a class="skip" href="#main">Skip to the results</a>',
            f"<header>\n<h1>{escape(page.title)}</h1>\n{_paragraphs(page.summary, 'summary')}\n</header>",
            _contents(sections),
            _controls(),
            '<main id="main">',
            *bodies,
            "</main>",
            f'<script type="application/json" id="data">{data.text()}</script>',
            *(f"<script>{script}</script>" for script in scripts),
            "</body>\n</html>\n",
        ]
    )


def _asset(name: str) -> str:
    return files("optbench.report.html").joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _contents(sections: Sequence[tuple[str, Section]]) -> str:
    links = "\n".join(
        f'<li class="level{section.level}"><a href="#{name}">{escape(section.title)}</a></li>'
        for name, section in sections
    )
    return f'<nav aria-label="Contents">\n<ul>\n{links}\n</ul>\n</nav>'


def _controls() -> str:
    return (
        '<form class="controls" role="search">\n<label for="filter">Filter by name</label>\n'
        '<input type="search" id="filter" autocomplete="off" spellcheck="false" placeholder="adamw, mlp">\n'
        '<output id="found" for="filter"></output>\n</form>\n'
        "<noscript><p>Without JavaScript the tables can be read, and the figures are not drawn.</p></noscript>"
    )


def _section(name: str, section: Section, numbers: "count[int]", data: PageData) -> str:
    tag = f"h{section.level + 1}"
    blocks = "\n".join(_block(block, numbers, data) for block in section.blocks)
    head = f'<section id="{name}" aria-labelledby="{name}h">\n<{tag} id="{name}h">{escape(section.title)}</{tag}>'
    return f"{head}\n{blocks}\n</section>"


def _block(block: Block, numbers: "count[int]", data: PageData) -> str:
    if isinstance(block, Paragraphs):
        return _paragraphs(block.texts)
    if isinstance(block, Commands):
        return _commands(block.lines)
    if isinstance(block, TableBlock):
        return _on_demand(block.closed, block.table.title, format_page_table(block.table, block.groups))
    return _on_demand(block.closed, block.title, _figure(block, next(numbers), data))


def _on_demand(closed: bool, title: str, body: str) -> str:
    return f"<details>\n<summary>{escape(title)}</summary>\n{body}\n</details>" if closed else body


def _paragraphs(texts: Sequence[str], style: str = "") -> str:
    attribute = f' class="{style}"' if style else ""
    return "\n".join(f"<p{attribute}>{escape(text)}</p>" for text in texts)


def _commands(lines: Sequence[str]) -> str:
    return f'<pre tabindex="0">{chr(10).join(map(escape, lines))}</pre>'


def _figure(figure: FigureBlock, number: int, data: PageData) -> str:
    title = escape(figure.title)
    variants = [{"choice": variant.choice, "spec": data.add(variant.spec)} for variant in figure.variants]
    return (
        f'<figure id="f{number}">\n<h4>{title}</h4>\n{_choices(figure.variants)}'
        f'<div class="chart" tabindex="0" role="region" aria-label="{title}" aria-describedby="c{number}"></div>\n'
        f'<script type="application/json">{embed_json(variants)}</script>\n'
        f'<figcaption id="c{number}">{escape(figure.caption)}</figcaption>\n</figure>'
    )


def _choices(variants: Sequence[Variant]) -> str:
    """Let a reader choose where there is a choice, the first variant first."""
    names = list(dict.fromkeys(name for variant in variants for name in variant.choice))
    values = {name: list(dict.fromkeys(variant.choice[name] for variant in variants)) for name in names}
    boxes = [_select(escape(name), values[name]) for name in names if len(values[name]) > 1]
    return f'<div class="choices">{" ".join(boxes)}</div>\n' if boxes else ""


def _select(name: str, values: Sequence[str]) -> str:
    return f'<label>{name} <select data-choice="{name}">{"".join(map(_option, values))}</select></label>'


def _option(value: str) -> str:
    return f"<option>{escape(value)}</option>"
