"""Shows the variants as a table that can be sorted by every column."""

from xml.etree.ElementTree import Element

from craftc.report.cells import NOTHING, ColumnKey, best_rows, columns, shown
from craftc.report.numbers import choose_decimals, fixed
from craftc.report.page.axis import minus
from craftc.report.page.content import PageContent
from craftc.report.page.figure import data_table, in_numbers, scrolling, section, variant_name
from craftc.report.page.tree import Child, element
from craftc.report.wording import legend, notes
from craftc.schemas.conclusion import Conclusion, VariantSummary

DECISIONS = {"worse": 0, "undecided": 1, "equal": 2, "better": 3}
"""In the order by which they are sorted."""
MOST_ROWS = 150
MOST_VALUES = 1_500
"""Single values of seeds that are listed."""


def variants(content: PageContent) -> Element:
    """The table, how to read it, and the value of every seed."""
    conclusion = content.conclusion
    rows = _kept(conclusion)
    left_out = len(conclusion.variants) - len(rows)
    more = (
        f"{left_out} of {len(conclusion.variants)} variants are left out here, those that differ least."
        if left_out
        else ""
    )
    lines = [*legend(conclusion, "brackets"), *notes(conclusion)]
    return section(
        "variants",
        "Variants",
        scrolling("Table of the variants", _table(conclusion, rows)),
        element("p", more, class_="note") if more else None,
        element("div", [element("p", line) for line in lines], class_="note"),
        _values(conclusion, rows),
    )


def _kept(conclusion: Conclusion) -> list[int]:
    """The numbers of the rows that are shown, in the order of the plan."""
    rows = conclusion.variants

    def rank(number: int) -> tuple[bool, bool, float]:
        row = rows[number]
        return not row.is_baseline, row.difference is None, -abs(row.difference.mean if row.difference else 0.0)

    return sorted(sorted(range(len(rows)), key=rank)[:MOST_ROWS])


def _table(conclusion: Conclusion, kept: list[int]) -> Element:
    cells = columns(conclusion, choose_decimals(conclusion), "brackets")
    keys = [key for key in shown(conclusion) if any(text.strip() not in ("", NOTHING) for text in cells[key].cells)]
    best = best_rows(conclusion)
    rows = []
    for number in kept:
        row = conclusion.variants[number]
        class_ = " ".join(name for name, holds in (("baseline", row.is_baseline), ("best", number in best)) if holds)
        texts = {key: cells[key].cells[number] for key in keys}
        rows.append(
            element("tr", [_cell(key, texts[key], row, conclusion.baseline) for key in keys], class_=class_ or None)
        )
    foot = None
    if conclusion.trivial is not None:
        of_trivial = [(key, cells[key].trivial) for key in keys]
        foot = element("tfoot", element("tr", [_plain(key, text) for key, text in of_trivial]))
    header = [element("th", cells[key].header, scope="col", class_=key) for key in keys]
    head = element("thead", element("tr", header))
    caption = element("caption", f"The variants of {conclusion.name}", class_="unseen")
    return element("table", caption, head, element("tbody", rows), foot, class_="variants sortable")


def _plain(key: ColumnKey, text: str) -> Element:
    return element("th", text, scope="row") if key == "variant" else element("td", minus(text.strip()), class_=key)


def _cell(key: ColumnKey, text: str, row: VariantSummary, baseline: str) -> Element:
    if key == "variant":
        return element("th", variant_name(text), scope="row")
    content: Child = minus(text.strip())
    class_: str = key
    if key == "difference" and row.difference is not None:
        class_ = f"{key} {row.difference.verdict}"
    if key == "verdict" and row.difference is not None:
        class_ = f"{key} {row.difference.decision or ''}".strip()
    if key == "difference" and row.difference is None:
        content = text.strip()  # words, or another variant's name
    return element("td", content, class_=class_, data_sort=_sorted_by(key, row, baseline))


def _sorted_by(key: ColumnKey, row: VariantSummary, baseline: str) -> str:
    """The number that a cell is sorted by; empty for none, which comes last."""
    difference = row.difference
    is_zero = row.is_baseline or row.same_as == baseline
    numbers: dict[str, float | None] = {
        "seeds": row.num_finished,
        "value": row.value.mean if row.value else None,
        "difference": 0.0 if is_zero else difference.mean if difference else None,
        "p": difference.p_value_adjusted if difference else None,
        "verdict": DECISIONS.get((difference.decision if difference else None) or ""),
        "epochs": row.best_epoch,
        "at_last": row.at_last,
        "gap": row.gap,
    }
    number = numbers.get(key)
    return "" if number is None else f"{number:.9g}"


def _values(conclusion: Conclusion, kept: list[int]) -> Element | None:
    """Each seed's value, folded away."""
    rows = [conclusion.variants[number] for number in kept]
    places = list(dict.fromkeys((seed.fold, seed.seed) for row in rows for seed in row.seeds))
    if not places or not rows:
        return None
    rows = rows[: max(1, MOST_VALUES // len(places))]
    decimals = choose_decimals(conclusion)
    header = ["variant", *(f"seed {seed}" if fold is None else f"fold {fold}, seed {seed}" for fold, seed in places)]
    texts = []
    for row in rows:
        by_place = {(seed.fold, seed.seed): seed for seed in row.seeds}
        cells = []
        for place in places:
            seed = by_place.get(place)
            value = None if seed is None else seed.value
            cells.append(minus(fixed(value, decimals)) if value is not None else seed.status if seed else "")
        texts.append([row.name, *cells])
    metric = f"{conclusion.metric.split}/{conclusion.metric.name}"
    title = f"Each seed's {metric}"
    if len(rows) < len(conclusion.variants):
        title += f", of {len(rows)} variants"
    return in_numbers(title, data_table(title, header, texts))
