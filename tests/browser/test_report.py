"""A report in a real browser: nothing leaves, nothing runs that shouldn't, and everything works by hand and by key."""

from pathlib import Path

import pytest

#: Names as a plug-in or a file could have them.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><b>x",
    "a[b=0.9].c",
    "Ωptimizer-ünïcode-最適化",
)
READY = "document.documentElement.dataset.ready === 'yes'"


@pytest.fixture(scope="module")
def page(tmp_path_factory, write_handmade):
    """Write a run with hostile names of optimizers and a problem, and its page."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    from optbench.report.report import report
    from optbench.results import load

    folder = tmp_path_factory.mktemp("results") / "<i>run"
    for problem in ("bowl", "<script>alert(2)</script>"):
        for place, name in enumerate((*HOSTILE, "sgd")):
            curve = [3.0, 2.0 - place / 10, 1.2 - place / 10]
            tried = {0.1: [curve] * 3, 1.0: [[3.0, 5.0, 9.0]] * 3}
            write_handmade(
                folder, name, [[3.0, 2.0, end - place / 10] for end in (1.1, 1.2, 1.3)], tried=tried, problem=problem
            )
    path = folder.parent / "report.html"
    path.write_text(report([load(folder)], path), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, page):
    """Open the page anew, wide and light, and hold it to silence at the end."""
    browser.size(1400)
    browser.media("light")
    browser.open(page, READY)
    yield browser
    assert browser.faults() == []
    assert [address for address in browser.requests() if not address.startswith(("file:", "data:"))] == []


def texts(browser, selector):
    return browser.run(f"[...document.querySelectorAll({selector!r})].map((one) => one.textContent)")


#: The table of how far each optimizer came.
TABLE = "[...document.querySelectorAll('table')].find((one) => one.tHead.textContent.includes('train_loss'))"


def column(browser, name):
    """Read a column of the table of losses as it is shown."""
    return browser.run(
        f"(() => {{ const table = {TABLE};"
        f"const place = [...table.tHead.rows[0].cells].findIndex((one) => one.textContent === {name!r});"
        "return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[place].textContent) })()"
    )


def test_no_request_leaves_and_nothing_is_said(opened, page):
    assert opened.requests() == [page.as_uri()]
    assert opened.run("document.querySelectorAll('script[src], link[rel=stylesheet], iframe').length") == 0
    assert opened.run("document.documentElement.lang") == "en"


def test_hostile_names_show_as_text_and_run_nothing(opened):
    assert [event for event in opened.events if event["method"] == "Page.javascriptDialogOpening"] == []
    shown = set(column(opened, "optimizer"))
    assert {*HOSTILE, "sgd"} == shown
    assert opened.run("document.querySelectorAll('main img, main b, main i').length") == 0
    drawn = " ".join(texts(opened, "figure svg text"))
    assert "最適化" in drawn and "<script>" in drawn


def test_an_injected_script_would_not_run(opened):
    opened.run("document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.hacked = 1\">')")
    opened.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}))")
    opened.run("new Promise((done) => setTimeout(done, 100))")
    assert opened.run("window.hacked === undefined")
    assert all("Content Security Policy" in fault for fault in opened.faults())
    opened.events.clear()


def test_every_open_figure_has_marks(opened):
    empty = opened.run(
        "[...document.querySelectorAll('figure')].filter((one) => !one.closest('details:not([open])'))"
        ".filter((one) => !['line', 'symbol', 'rect'].some((mark) => one.querySelector(`svg .mark-${mark} path`)))"
        ".map((one) => one.textContent)"
    )
    assert opened.run("document.querySelectorAll('figure svg').length") >= 4
    assert empty == []


def test_a_closed_figure_is_drawn_once_opened(opened):
    closed = "details figure"
    if not opened.run(f"document.querySelector({closed!r}) !== null"):
        pytest.skip("no figure is closed")
    opened.run(f"document.querySelector({closed!r}).closest('details').open = true")
    opened.run(f"document.querySelector({closed!r}).scrollIntoView()")
    opened.wait(f"document.querySelector({closed!r}).querySelector('svg path') !== null")


def test_a_click_sorts_up_then_down_then_back(opened):
    before = column(opened, "train_loss")
    header = "[...document.querySelectorAll('table thead button')].find((one) => one.textContent === 'train_loss')"

    def numbers():
        return [float(text.split()[0]) for text in column(opened, "train_loss")]

    opened.run(f"{header}.click()")
    assert numbers() == sorted(numbers())
    assert opened.run(f"{header}.closest('th').getAttribute('aria-sort')") == "ascending"
    opened.run(f"{header}.click()")
    assert numbers() == sorted(numbers(), reverse=True)
    opened.run(f"{header}.click()")
    assert column(opened, "train_loss") == before


def test_the_keyboard_sorts(opened):
    opened.run(f"[...{TABLE}.querySelectorAll('thead button')].find((one) => one.textContent === 'optimizer').focus()")
    opened.press("Enter", "\r")
    found = column(opened, "optimizer")
    assert opened.run("document.activeElement.closest('th').getAttribute('aria-sort')") == "ascending"
    assert found[-1] == HOSTILE[-1] and found != column(opened, "train_loss")


def test_the_first_tab_skips_to_the_results(opened):
    opened.press("Tab")
    assert opened.run("document.activeElement.getAttribute('href')") == "#main"
    assert opened.run("document.activeElement.getBoundingClientRect().left") >= 0


def test_the_filter_leaves_what_it_names(opened):
    everything = len(column(opened, "optimizer"))
    opened.run("document.getElementById('filter').focus()")
    opened.call("Input.insertText", text="A[B, sgd")
    opened.wait("document.getElementById('found').textContent !== ''")
    assert set(column(opened, "optimizer")) == {"a[b=0.9].c", "sgd"}
    assert opened.run("document.querySelector('figure').view.signal('named')") == "a\\[b|sgd"
    lines = "[...document.querySelector('figure').querySelectorAll('.mark-line path')]"
    opened.wait(f"{lines}.some((one) => one.getAttribute('opacity') === '0.1')")
    shown = opened.run(f"{lines}.filter((one) => one.getAttribute('opacity') === '1').length")
    assert (shown, opened.run(f"{lines}.length")) == (4, 12), "both names in both panels"
    opened.run("document.getElementById('filter').value = ''")
    opened.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
    opened.wait("document.getElementById('found').textContent === ''")
    assert len(column(opened, "optimizer")) == everything


def colour(browser, style="backgroundColor"):
    return browser.run(f"getComputedStyle(document.body).{style}")


def test_dark_mode_is_dark_and_print_is_light_without_controls(opened):
    assert colour(opened) == "rgb(255, 255, 255)"
    opened.media("dark")
    assert sum(map(int, colour(opened)[4:-1].split(","))) < 150
    label = "getComputedStyle(document.querySelector('figure svg .role-axis-label text')).fill"
    assert opened.run(label) == colour(opened, "color")
    opened.media("dark", "print")
    assert colour(opened) == "rgb(255, 255, 255)" and opened.run(label) == "rgb(0, 0, 0)"
    assert opened.run("getComputedStyle(document.querySelector('.controls')).display") == "none"


@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_is_never_wider_than_the_window(browser, page, width):
    browser.size(width)
    browser.media("light")
    browser.open(page, READY)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_lines_are_three_quarters_as_high_as_wide_on_a_phone(browser, page):
    browser.size(400)
    browser.open(page, READY)
    found = browser.run(
        "[...document.querySelectorAll('figure svg .panel_0_group path.background')]"
        ".map((one) => one.getBoundingClientRect()).filter(({ width }) => width > 0)"
        ".map(({ width, height }) => height / width)"
    )
    assert found and all(ratio == pytest.approx(0.75, abs=0.01) for ratio in found)


def test_a_choice_draws_the_figure_anew(opened):
    choice = "document.querySelector('select[data-choice]')"
    titles = "figure svg .role-axis-title text"
    assert "examples" not in texts(opened, titles)
    opened.run(f"{choice}.value = 'examples'; {choice}.dispatchEvent(new Event('change'))")
    opened.wait("[...document.querySelectorAll('figure svg text')].some((one) => one.textContent === 'examples')")


def test_a_page_of_two_runs(browser, page):
    from optbench.report.report import report
    from optbench.results import load

    run = load(page.parent / "<i>run")
    path: Path = page.with_name("both.html")
    path.write_text(report([run, run], path), encoding="utf-8")
    browser.open(path, READY)
    assert browser.faults() == []


PICKED = "[...document.querySelectorAll('figure')].filter((one) => one.names?.length > 1 && one.view).map((one) => "
PICKED += "one.view.signal('picked'))"


def test_a_name_of_a_legend_is_highlighted_in_every_figure_until_it_is_pressed_again(opened):
    names = texts(opened, "figure .legend button")
    assert {"sgd", *HOSTILE} <= set(names)
    opened.run("document.querySelector('.legend button[value=sgd]').click()")
    picked = opened.run(PICKED)
    assert len(picked) > 1 and set(picked) == {"sgd"}
    pressed = "[...document.querySelectorAll('.legend [aria-pressed=true]')].map((one) => one.value)"
    assert set(opened.run(pressed)) == {"sgd"}
    opened.run("document.querySelector('.legend button[value=sgd]').click()")
    assert set(opened.run(PICKED)) == {""} and opened.run(pressed) == []


def test_a_legend_stays_in_view_below_the_filter_while_its_panels_pass(opened):
    place = "document.querySelector('.legend').getBoundingClientRect().top"
    high = "document.querySelector('.controls').offsetHeight"
    opened.run("window.scrollTo({top: document.querySelector('.chart').offsetTop + 200, behavior: 'instant'})")
    assert opened.run(place) == pytest.approx(opened.run(high), abs=1.5)
