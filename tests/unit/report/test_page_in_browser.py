"""The page in a real browser, where Chromium is installed: what it complains of, how it fits, and how it is used."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from craftc.report.page.content import PageContent
from craftc.report.page.page import render_page

WIDTHS = (390, 900, 1440)
# Of leaves with text: those whose boxes share more than a few pixels. What scrolls is no overlap.
OVERLAPS = """
(() => {
  const leaves = [...document.querySelectorAll("body *")].filter((node) =>
    [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()) &&
    !node.closest("script, style, .unseen, title, desc") && node.checkVisibility());
  const boxes = leaves.flatMap((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const holder = node.closest(".scroll, pre");
    const limit = holder?.getBoundingClientRect();
    const cut = (box) => ({ node, left: Math.max(box.left, limit.left), right: Math.min(box.right, limit.right),
                            top: Math.max(box.top, limit.top), bottom: Math.min(box.bottom, limit.bottom) });
    return [...range.getClientRects()]
      .map((box) => (limit ? cut(box) : { node, left: box.left, right: box.right, top: box.top, bottom: box.bottom }))
      .filter((box) => box.right - box.left > 1 && box.bottom - box.top > 1);
  });
  const found = [];
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) {
      if (a.node === b.node || a.node.contains(b.node) || b.node.contains(a.node)) continue;
      if (a.node.closest(".scroll") && b.node.closest(".scroll") === a.node.closest(".scroll")) continue;
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 2 && down > 4) found.push([a.node.textContent.slice(0, 40), b.node.textContent.slice(0, 40)]);
    }
    if (a.right > innerWidth + 1 || a.left < -1) found.push(["beyond the window", a.node.textContent.slice(0, 40)]);
  }
  return found;
})()
"""
FIRST_COLUMN = "[...document.querySelectorAll('.variants tbody th')].map((cell) => cell.textContent)"


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    module = loaded(Path(__file__).parents[3] / "docs" / "browser.py")
    program = module.find_chromium()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with module.open_browser(program) as page:
        yield page


@pytest.fixture(scope="module")
def of_page() -> ModuleType:
    return loaded(Path(__file__).with_name("test_page.py"))


@pytest.fixture(scope="module")
def pages(
    of_page: ModuleType, ablation: Any, make_run: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """An ablation as most are, one with long names and numbers of all sizes, two searches, and crossed factors."""
    names = {f"training.optimizer.lr={i / 1000:g},model.a_rather_long_name_of_an_argument={i}" for i in range(9)}
    wide = make_run({"full": (0.91, 12345.6)} | {name: (0.9, float(i) ** 6) for i, name in enumerate(sorted(names))})
    contents: dict[str, PageContent] = {
        name: of_page.content_of(
            run, histories=of_page.histories(run), spec="a: 1\n" * 50, resolved=f"b: {'x' * 300}  # default\n"
        )
        for name, run in (("ablation", ablation), ("wide", wide))
    }
    of_search = loaded(Path(__file__).with_name("test_page_search.py"))
    contents["search"] = of_search.searched(40, ("full", "-warmup"))
    widths = [{"model.width": width, "training.lr": rate} for width in range(9) for rate in (0, 1, 2)]
    contents["crossed"] = of_page.content_of(of_search.crossed(make_run, [{}, *widths[1:]]))
    folder = tmp_path_factory.mktemp("pages")
    for name, content in contents.items():
        (folder / f"{name}.html").write_text(render_page(content), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in contents}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["ablation", "wide", "search", "crossed"])
def test_nothing_overlaps_overflows_or_complains(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    browser.open(pages[name], width=width)
    browser.value("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value(OVERLAPS) == []
    assert browser.complaints == []


def test_a_column_is_sorted_by_the_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    browser.open(pages["ablation"], width=900)
    in_order = browser.value(FIRST_COLUMN)
    assert in_order[0] == "full"
    column = "document.querySelector('.variants thead th.difference button')"
    browser.value(f"{column}.focus()")
    browser.press("Enter")
    rising = browser.value(FIRST_COLUMN)
    assert rising[0] == "-normalization"
    assert rising[-3:] == ["full", "num_layers=4", "-dropout"]  # the baseline, the same trials, what is better
    assert browser.value(f"{column}.closest('th').getAttribute('aria-sort')") == "ascending"
    browser.press("Enter")
    assert browser.value(FIRST_COLUMN)[:3] == ["-dropout", "full", "num_layers=4"]
    browser.press("Enter")
    assert browser.value(FIRST_COLUMN) == in_order
    assert browser.value("document.querySelectorAll('[aria-sort]').length") == 0


def test_what_has_no_number_is_sorted_to_the_end(browser: Any, pages: dict[str, Path]) -> None:
    browser.open(pages["ablation"], width=900)
    for _ in range(2):
        browser.value("document.querySelector('.variants thead th.p button').click()")
        assert browser.value(FIRST_COLUMN)[-2:] == ["full", "num_layers=4"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_colours_follow_the_system_and_the_switch(browser: Any, pages: dict[str, Path], theme: str) -> None:
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    browser.open(pages["ablation"], width=900, theme=theme)
    by_system = browser.value(paper)
    browser.value("document.getElementById('theme-dark').click()")
    dark = browser.value(paper)
    browser.value("document.getElementById('theme-light').click()")
    light = browser.value(paper)
    assert dark != light
    assert by_system == {"light": light, "dark": dark}[theme]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_the_paper(browser: Any, pages: dict[str, Path], theme: str) -> None:
    """A contrast of 4.5 to 1, as WCAG 2.2 asks for (1.4.3)."""
    browser.open(pages["ablation"], width=900, theme=theme)
    contrasts = browser.value("""
        (() => {
          const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          const light = (color) => {
            canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
              .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const paper = light(getComputedStyle(document.documentElement).backgroundColor);
          const contrast = (color) => {
            const ink = light(color);
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
          };
          return [...document.querySelectorAll("body *")]
            .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()))
            .filter((node) => !node.closest("script, title"))
            .map((node) => [contrast(getComputedStyle(node)[node.closest("svg") ? "fill" : "color"]), node.outerHTML])
            .filter(([ratio]) => ratio < 4.5).map(([ratio, html]) => [ratio, html.slice(0, 80)]);
        })()
    """)
    assert contrasts == []


def test_without_scripts_it_is_complete(browser: Any, pages: dict[str, Path]) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(pages["ablation"], width=900)
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", {"value": False})
    assert browser.value("document.querySelectorAll('thead button').length") == 0
    assert len(browser.value(FIRST_COLUMN)) == 8
