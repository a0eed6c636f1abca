"""A finished run in; its conclusion as a terminal shows it, as an SVG, out: `python docs/picture.py RUN_FOLDER SVG`."""

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from craftc.report.conclude import conclude
from craftc.report.read_run import read_run
from craftc.report.render_text import render_text

WIDTH = 112


def picture(run_folder: Path) -> str:
    """The SVG."""
    conclusion = conclude(*read_run(run_folder))
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(render_text(conclusion, WIDTH, color_system="standard")))
    return console.export_svg(title=f"craftc report {conclusion.name}", unique_id="conclusion")


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(picture(Path(sys.argv[1])), encoding="utf-8")
