"""A finished run in; the top of its page, as Chromium shows it, out: `python docs/page_picture.py RUN_FOLDER PNG`."""

import sys
import tempfile
from pathlib import Path

from browser import find_chromium, open_browser

from craftc.report.page.content import read_content
from craftc.report.page.page import render_page

WIDTH = 1120
HEIGHT = 1850


def picture(run_folder: Path, chromium: str) -> bytes:
    """The PNG."""
    with tempfile.TemporaryDirectory() as folder, open_browser(chromium) as page:
        path = Path(folder) / "report.html"
        path.write_text(render_page(read_content(run_folder)), encoding="utf-8")
        page.open(path, width=WIDTH)
        return page.picture(height=HEIGHT)


if __name__ == "__main__":
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium: apt-get install chromium")
    Path(sys.argv[2]).write_bytes(picture(Path(sys.argv[1]), program))
