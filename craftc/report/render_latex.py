"""Writes a conclusion as a LaTeX table in the style of booktabs, with its notes and the paragraph on methods."""

import re

from craftc.report.cells import ColumnKey, best_rows, columns, shown
from craftc.report.numbers import choose_decimals
from craftc.report.wording import legend, notes, title
from craftc.schemas.conclusion import Conclusion

KEYS: tuple[ColumnKey, ...] = ("variant", "seeds", "value", "difference", "p", "verdict")
"""What a paper's table has; the others stand in the report."""
LEFT = ("variant", "value", "difference", "verdict")
MINUS = "\N{MINUS SIGN}"
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"$<$",
    ">": r"$>$",
    MINUS: r"$-$",
}
_HYPHEN = re.compile(r"(?<![\w.)\]}-])-(?=[\d.])")


def render_latex(conclusion: Conclusion) -> str:
    """A `table` that needs the package booktabs, and below it the methods; ends with a line break."""
    table = columns(conclusion, choose_decimals(conclusion), "brackets")
    keys = [key for key in shown(conclusion) if key in KEYS]
    best = best_rows(conclusion)
    rows = []
    for i in range(len(conclusion.variants)):
        cells = {key: _cell(table[key].cells[i].strip()) for key in keys}
        name = escaped(table["variant"].cells[i])
        # Behind the end of a row, a bracket or a star would be an argument of it.
        cells["variant"] = f"{{}}{name}" if name[:1] in ("[", "*") else name
        if i in best:
            cells["value"] = rf"\textbf{{{cells['value']}}}"
        rows.append(f"{' & '.join(cells[key] for key in keys)} \\\\")
    if conclusion.trivial is not None:
        trivial = " & ".join(_cell(table[key].trivial.strip()) for key in keys)
        rows += [r"\midrule", f"{trivial} \\\\"]
    alignment = "".join("l" if key in LEFT else "r" for key in keys)
    header = " & ".join(escaped(table[key].header) for key in keys)
    around = " ".join(map(escaped, (*legend(conclusion, "brackets", with_gap=False), *notes(conclusion))))
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(conclusion.name)}: {escaped(title(conclusion))}.}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        f"{header} \\\\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *([rf"\par\smallskip\footnotesize {around}"] if around else []),
        r"\end{table}",
    ]
    if conclusion.methods:
        lines += ["", r"\paragraph{Methods}", escaped(conclusion.methods)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text in which nothing is a command, printed as it stands."""
    return "".join(_SPECIAL.get(c, c) for c in text)


def _cell(text: str) -> str:
    """Numbers with the sign of mathematics, and columns that are padded with one space."""
    return escaped(_HYPHEN.sub(MINUS, re.sub(r" +", " ", text)))
