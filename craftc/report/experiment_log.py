"""Keeps the experiment log: a Markdown file with an entry for each run, of which people write parts.

What craftc writes of a run stands between two comments, and is written anew each time. All else is left as it is: what
stands under Analysis and Next steps, entries of runs that are gone, and whatever people have added or moved.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from craftc.report.comparison_lines import field_line
from craftc.report.numbers import fixed
from craftc.report.render_markdown import conclusion_table, escape
from craftc.report.turning_point import TurningPoint
from craftc.report.wording import failure_line, legend, title, told
from craftc.schemas.comparison import FieldChange
from craftc.schemas.conclusion import Conclusion

HEAD = """# Experiments

The newest run first. `craftc log` writes what stands between the comments of a run, and anew each time. All else is
yours, and it never changes it.
"""
BEGIN, END = "<!-- craftc: begin {} -->", "<!-- craftc: end {} -->"
_OF_ANY = re.compile(r"^<!-- craftc: (begin|end) (\S+) -->$", re.MULTILINE)
ROOM = "\n### Analysis\n\n\n### Next steps\n\n"
MOST_CHANGES = 30


class LogDamagedError(Exception):
    """The comments of the file do not go together. The message names the line and the mend."""


@dataclass(frozen=True)
class LogEntry:
    """A run as the log tells of it. `run` is `NAME/RUN`; `changes` are the fields in which it differs from the run
    `base`, the one before of its name; None where there is none, or its spec cannot be read. `turning` is of the
    baseline's trials."""

    run: str
    date: str
    status: str
    description: str
    conclusion: Conclusion
    base: str | None = None
    changes: Sequence[FieldChange] | None = None
    turning: TurningPoint | None = None


def entry_text(entry: LogEntry) -> str:
    """What craftc writes of a run: between its comments, with them."""
    conclusion = entry.conclusion
    name = entry.run.partition("/")[0]
    lines = [f"**{escape(name)}**, {entry.date}: {entry.status}", ""]
    lines += [f"*{escape(entry.description)}*", ""] if entry.description else []
    lines += ["### Configuration", "", *_configuration(entry), "", "### Results", "", escape(title(conclusion)), ""]
    lines += [*conclusion_table(conclusion), "", *(f"{escape(line)}  " for line in legend(conclusion, "brackets")), ""]
    lines += [*_fit(entry), *(f"- {escape(text)}" for text in told(conclusion.findings))]
    lines += [f"- failed: {escape(failure_line(each, conclusion.record_name))}" for each in conclusion.failures]
    return "\n".join([BEGIN.format(entry.run), *lines, END.format(entry.run)]) + "\n"


def _configuration(entry: LogEntry) -> list[str]:
    if entry.base is None:
        return ["The first run of this name that is still there."]
    if entry.changes is None:
        return [f"What differs from {entry.base} is not known: a spec of the two cannot be read any more."]
    if not entry.changes:
        return [f"As {entry.base}."]
    lines = [f"- `{field_line(change).replace('`', chr(39))}`" for change in entry.changes[:MOST_CHANGES]]
    more = len(entry.changes) - MOST_CHANGES
    return [f"Against {entry.base}:", "", *lines, *([f"- and {more} more"] if more > 0 else [])]


def _fit(entry: LogEntry) -> list[str]:
    """How well the baseline fits, and when it began to fit noise."""
    conclusion, turning = entry.conclusion, entry.turning
    lines = []
    for row in (row for row in conclusion.variants if row.is_baseline and row.value is not None):
        if row.best_epoch is not None and row.last_epoch is not None:
            lines.append(f"- {row.name}: best {conclusion.record_name} {row.best_epoch:.3g} of {row.last_epoch:.3g}")
        if row.gap is not None and conclusion.gap_splits is not None:
            lines.append(f"- overfitting gap, {' - '.join(conclusion.gap_splits)}: {fixed(row.gap, 3, sign=True)}")
    if turning is not None:
        lines.append(f"- {turning.metric} {_turned(turning, conclusion.record_name)}")
    return lines


def _turned(turning: TurningPoint, record: str) -> str:
    least, at_last = f"{turning.least:.4g}", f"{turning.at_last:.4g}"
    if turning.at == turning.last or least == at_last:
        return f"had not turned by {record} {turning.last:.3g}, {at_last}"
    return f"turned at {record} {turning.at:.3g} of {turning.last:.3g}, from {least} to {at_last}"


def merged(text: str, entries: Mapping[str, str]) -> str:
    """The log with `entries`, `NAME/RUN` to what is written of it. Those that it has are written anew in their places;
    each other one comes before the first that is older, or at the end.

    Raises LogDamagedError where comments do not go together: nothing is then to be written.
    """
    for run, entry in entries.items():
        spans = _spans(text)
        if run in spans:
            start, end = spans[run]
            text = f"{text[:start]}{entry}{text[end:]}"
            continue
        older = [place for other, (place, _) in spans.items() if _name(other) < _name(run)]
        at = _heading_before(text, min(older)) if older else len(text)
        before = text[:at].rstrip() or HEAD.rstrip()
        text = f"{before}\n\n## {_name(run)}\n\n{entry}{ROOM}{text[at:]}"
    return text or HEAD


def _name(run: str) -> str:
    return run.rpartition("/")[2]


def _heading_before(text: str, place: int) -> int:
    """Where the heading of an entry begins, or the entry itself where that has none."""
    between = text.rfind("\n<!-- craftc: end ", 0, place)
    heading = text.rfind("\n## ", max(between, 0), place)
    return place if heading < 0 else heading + 1


def _spans(text: str) -> dict[str, tuple[int, int]]:
    """Run to where its comments begin and end."""
    spans: dict[str, tuple[int, int]] = {}
    opened: tuple[str, int] | None = None
    for found in _OF_ANY.finditer(text):
        kind, run, line = found[1], found[2], text.count("\n", 0, found.start()) + 1
        if kind == "begin":
            if opened is not None:
                raise LogDamagedError(_damaged(opened[0], line, "begins before the one above ends"))
            if run in spans:
                raise LogDamagedError(_damaged(run, line, "is there twice"))
            opened = run, found.start()
        elif opened is None or opened[0] != run:
            raise LogDamagedError(_damaged(run, line, "ends, and has not begun"))
        else:
            spans[run] = opened[1], min(found.end() + 1, len(text))
            opened = None
    if opened is not None:
        raise LogDamagedError(_damaged(opened[0], text.count("\n", 0, opened[1]) + 1, "begins, and has no end"))
    return spans


def _damaged(run: str, line: int, what: str) -> str:
    mend = f'"{BEGIN.format(run)}" and "{END.format(run)}" are each a line, one after the other'
    return f"line {line}: the entry of {run} {what}; {mend}, or take both out to have it written anew"
