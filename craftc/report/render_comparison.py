"""Writes a Comparison as text for a terminal."""

import io
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from craftc.report.comparison_lines import conclusion_lines, count, field_line, legend_lines, side_line, variant_lines
from craftc.schemas.comparison import Comparison, ConclusionChange, TrialChanges

UNBOUNDED = 10_000
MOST_LINES = 20
"""Of one section, unless everything is asked for."""

_COLOURS = {"+": "green", "-": "red", "~": "yellow", ">": "cyan"}


def print_comparison(comparison: Comparison, console: Console, *, everything: bool = False) -> None:
    """Write to the console: in its width, and in its colours if it is a terminal."""
    color = console.color_system if console.is_terminal and not console.no_color else None
    text = render_comparison(comparison, console.width, color_system=color, everything=everything)
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))


def render_comparison(
    comparison: Comparison, width: int, *, color_system: str | None = None, everything: bool = False
) -> str:
    """Sections for fields, trials and, of two runs, the conclusion. Of a long section the first lines.

    Only the table heeds the `width`. `color_system` is one of rich's; None for plain text.
    """
    console = Console(
        file=io.StringIO(),
        width=UNBOUNDED,  # a line is as long as it is; the table is given its own width
        height=25,  # with both given, rich asks neither the terminal nor the environment
        force_terminal=color_system is not None,
        color_system=color_system,  # type: ignore[arg-type]
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )
    most = None if everything else MOST_LINES
    with console.capture() as capture:
        for mark, side in (("A", comparison.a), ("B", comparison.b)):
            console.print(Text(f"{mark}  {side_line(side)}"))
        _print_section(console, _fields_heading(comparison), map(field_line, comparison.fields), most)
        _print_section(console, _trials_heading(comparison.trials), variant_lines(comparison.trials, everything), most)
        if comparison.conclusion is not None:
            _print_conclusion(console, comparison.conclusion, width, most)
        for note in comparison.notes:
            console.print(Text(f"\n{note}", style="dim"))
    return "\n".join(line.rstrip() for line in capture.get().split("\n"))


def _fields_heading(comparison: Comparison) -> str:
    num = len(comparison.fields)
    return f"Fields: {count(num, 'difference') if num else 'no difference'}"


def _trials_heading(trials: TrialChanges) -> str:
    parts = [f"{trials.num_common} common"]
    if trials.num_only_a:
        parts.append(f"{trials.num_only_a} only in A")
    if trials.num_only_b:
        stored = f" ({trials.num_only_b_finished} of them finished)" if trials.num_only_b_finished else ""
        parts.append(f"{trials.num_only_b} only in B{stored}")
    return f"Trials: {', '.join(parts)}"


def _print_conclusion(console: Console, change: ConclusionChange, width: int, most: int | None) -> None:
    # Lazily, as what compares specs needs no statistics.
    from craftc.report.comparison_table import conclusion_table

    _print_section(console, "Conclusion", conclusion_lines(change), None)
    rows = change.rows if most is None else change.rows[:most]
    if rows:
        console.print()
        table, needed = conclusion_table(change, rows, width)
        console.print(table, soft_wrap=False, width=needed)
    if len(rows) < len(change.rows):
        console.print(_more(len(change.rows) - len(rows)))
    for line in legend_lines(change) if rows else ():
        console.print(Text(line, style="dim"))
    for mark, heading, findings in (("-", "Only A finds", change.only_a), ("+", "Only B finds", change.only_b)):
        if findings:
            _print_section(console, heading, [f"{mark} {finding.text}" for finding in findings], most)


def _print_section(console: Console, heading: str, lines: Iterator[str] | Sequence[str], most: int | None) -> None:
    console.print()
    console.print(Text(heading, style="bold"))
    every = list(lines)
    for line in every if most is None else every[:most]:
        console.print(Text(f"  {line}", style=_COLOURS.get(line[:1], "")))
    if most is not None and len(every) > most:
        console.print(_more(len(every) - most))


def _more(num: int) -> Text:
    return Text(f"  and {num} more; --all shows them", style="dim")
