"""Writes a conclusion as GitHub-flavoured Markdown."""

import re

from craftc.report.artefact_lines import artefact_lines
from craftc.report.cells import best_rows, columns, shown
from craftc.report.numbers import choose_decimals
from craftc.report.search_cells import Cells, search_tables
from craftc.report.verdict_wording import hypothesis_lines
from craftc.report.wording import failure_line, legend, notes, point_failure_lines, title, told
from craftc.schemas.conclusion import Conclusion

LEFT = ("variant", "value", "difference", "verdict")


def render_markdown(conclusion: Conclusion) -> str:
    """Heading, table, legend, findings, failed trials, methods; ends with a line break."""
    lines = [f"## {escape(conclusion.name)}", "", escape(title(conclusion)), "", *conclusion_table(conclusion)]
    around = [*legend(conclusion, "brackets"), *notes(conclusion)]
    lines += ["", *(f"{escape(line)}  " for line in around)] if around else []
    for cells in search_tables(conclusion):
        lines += ["", *markdown_table(cells)]
    for heading, items in (
        ("Hypotheses", hypothesis_lines(conclusion)),
        ("Findings", told(conclusion.findings)),
        ("Failed trials", [failure_line(failure, conclusion.record_name) for failure in conclusion.failures]),
        ("Points without a value", point_failure_lines(conclusion)),
        ("Artefacts", artefact_lines(conclusion)),
    ):
        if items:
            lines += ["", f"### {heading}", "", *(f"- {escape(item)}" for item in items)]
    if conclusion.methods:
        lines += ["", "### Methods", "", escape(conclusion.methods)]
    return "\n".join(lines) + "\n"


def markdown_table(cells: Cells) -> list[str]:
    """A heading and a table."""
    rule = [":---", *["---:"] * (len(cells.header) - 1)]
    rows = [[escape(cell) for cell in row] for row in (cells.header, *cells.rows)]
    return [f"### {escape(cells.title)}", "", *(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))]


def conclusion_table(conclusion: Conclusion) -> list[str]:
    """A row for each variant, and the trivial predictor."""
    table = columns(conclusion, choose_decimals(conclusion), "brackets")
    keys = shown(conclusion)
    best = best_rows(conclusion)
    rows = []
    for i in range(len(conclusion.variants)):
        cells = {key: escape(table[key].cells[i].strip()) for key in keys}
        cells["variant"] = _code(table["variant"].cells[i])
        if i in best:
            cells["value"] = f"**{cells['value']}**"
        rows.append([cells[key] for key in keys])
    if conclusion.trivial is not None:
        rows.append([escape(table[key].trivial.strip()) for key in keys])
    rule = [":---" if key in LEFT else "---:" for key in keys]
    header = [escape(table[key].header) for key in keys]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def _code(name: str) -> str:
    """A name as code. Backticks cannot be escaped within, and a bar would end the cell."""
    return escape(name) if "`" in name else "`" + name.replace("|", "\\|") + "`"


def escape(text: str) -> str:
    """Keep what is Markdown to others as it is; an underscore within a word is not."""
    text = re.sub(r"([\\`*<>|#~])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
