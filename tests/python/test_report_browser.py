"""martlet report in headless Chromium: drawn, usable by keyboard, on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser, find_chromium
from martlet.report.page import write_report
from report_support import create_marts, fill_marts

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium or Chrome on the PATH: the report is not looked at"
)

# Every picture that is to be seen, with how many shapes have an extent.
_PICTURES = """
[...document.querySelectorAll('figure')].map(figure => {
  const svgs = [...figure.querySelectorAll('svg')].filter(svg => svg.getClientRects().length);
  const box = svgs.length ? svgs[0].getBoundingClientRect() : {width: 0, height: 0, right: 0};
  const shapes = svgs.length ? [...svgs[0].querySelectorAll('path, text, line, rect')].filter(
    shape => shape.getBoundingClientRect().width + shape.getBoundingClientRect().height > 0) : [];
  return {title: figure.querySelector('figcaption').textContent, svgs: svgs.length,
          width: box.width, height: box.height, right: box.right, shapes: shapes.length,
          outside: shapes.filter(shape => shape.tagName === 'text' &&
            shape.getBoundingClientRect().right > box.right + 1).map(shape => shape.textContent)};
})
"""
_WIDE_TABLES = """
[...document.querySelectorAll('table')].filter(table => table.getBoundingClientRect().right
  > document.querySelector('main').getBoundingClientRect().right + 1
).map(table => table.caption.textContent + table.getBoundingClientRect().width)
"""
# Ratio of the colours of each text and what it stands on (WCAG 2.2, relative luminance).
_CONTRASTS = """
(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
  ).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
  };
  return [...document.querySelectorAll('h1,h2,p,a,li,td,th,caption,figcaption,summary,svg text')]
    .map(element => {
      const style = getComputedStyle(element);
      const ink = parse(element.tagName === 'text' ? style.fill : style.color);
      const [a, b] = [light(ink), light(ground(element))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }).reduce((least, value) => Math.min(least, value), 21);
})()
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    create_marts(folder / "shop.duckdb")
    fill_marts(folder / "shop.duckdb")
    write_report(folder / "shop.duckdb", folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(file: Path) -> Iterator[Browser]:
    assert CHROMIUM is not None
    with Browser(CHROMIUM, file.parent / "profile") as tab:
        yield tab


def test_every_chart_is_drawn_on_every_screen_without_a_complaint(
    browser: Browser, file: Path
) -> None:
    browser.screen(1280)
    browser.open(file)
    browser.value("document.querySelectorAll('details').forEach(item => item.open = true)")
    for width in (1280, 920, 768, 360, 320):
        browser.screen(width)
        pictures = browser.value(_PICTURES)
        assert len(pictures) >= 15
        for picture in pictures:
            assert picture["svgs"] == 1, picture
            assert picture["shapes"] > 10, picture
            assert picture["width"] > 250, picture
            assert picture["height"] > 60, picture
            assert not picture["outside"], picture
        # Nobody scrolls sideways, and no table leaves the page's column.
        assert not browser.value(_WIDE_TABLES), width
        assert browser.value("document.documentElement.scrollWidth") <= width
    complaints = [
        event
        for event in browser.events
        if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        or (
            event["method"] == "Log.entryAdded"
            and event["params"]["entry"]["level"] in ("error", "warning")
        )
    ]
    assert not complaints
    asked = {
        event["params"]["request"]["url"].split(",")[0]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert asked <= {file.as_uri(), "data:"}


def test_texts_are_readable_in_light_and_dark(browser: Browser, file: Path) -> None:
    browser.screen(1280)
    browser.open(file)
    grounds = set()
    for scheme in ("light", "dark"):
        browser.screen(1280, scheme)
        grounds.add(browser.value("getComputedStyle(document.body).backgroundColor"))
        assert browser.value(_CONTRASTS) >= 4.5, scheme
    assert len(grounds) == 2


def test_the_page_is_used_by_keyboard(browser: Browser, file: Path) -> None:
    browser.screen(1280)
    browser.open(file)
    browser.press("Tab")
    assert browser.value("document.activeElement.className") == "skip"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "content"
    for _ in range(60):
        browser.press("Tab")
        if browser.value("document.activeElement.tagName") == "SUMMARY":
            break
    assert browser.value("document.activeElement.parentElement.open") is False
    browser.press("Enter")
    assert browser.value("document.activeElement.parentElement.open") is True


def test_a_screen_reader_hears_names_and_headings(browser: Browser, file: Path) -> None:
    browser.screen(1280)
    browser.open(file)
    nodes = [
        node
        for node in browser.call("Accessibility.getFullAXTree")["nodes"]
        if not node.get("ignored")
    ]

    def names(role: str) -> list[str]:
        return [
            node.get("name", {}).get("value", "") for node in nodes if node["role"]["value"] == role
        ]

    assert len(names("image")) >= 15
    assert all(len(name) > 20 for name in names("image"))
    assert names("navigation") == ["Sections"]
    assert "What to look at first" in names("heading")
    assert all(names("region"))
    assert len(names("main")) == 1
    # Cards on a phone are a table still.
    wide = len(names("row"))
    browser.screen(360)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    assert len([n for n in nodes if n.get("role", {}).get("value") == "row"]) >= wide - 30


def test_paper_gets_everything_in_black_on_white(browser: Browser, file: Path) -> None:
    browser.screen(800, "dark", media="print")
    browser.open(file)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert len(browser.call("Page.printToPDF")["data"]) > 10_000
