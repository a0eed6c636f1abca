"""What the page on data shows of a table is what a plan prints."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app

PAGE = Path(__file__).parents[3] / "docs/how_to/data.md"
MAKERS = ("ford", "vw", "", "fiat", "seat")
SPEC = """craftc: 1
name: cars
data:
  source:
    kind: csv
    path: cars.csv
    target: fuel
    columns: {maker: category, built: date, dealer: group, note: ignore}
    impute: median
  normalize: per_feature
model: mlp
objective: cross_entropy
training: {epochs: 1, batch_size: 8, optimizer: {kind: adamw, lr: 1e-3}}
"""


def test_the_columns_that_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        f"{MAKERS[i % 5]},{80 + i * 1.5 if i % 8 else '?'},{(4, 6, 8)[i % 3]},2020-{1 + i % 12:02}-15,"
        f"d{i % 7},seen {i},{('diesel', 'petrol')[i % 2]}"
        for i in range(60)
    ]
    Path("cars.csv").write_text("\n".join(["maker,hp,cyl,built,dealer,note,fuel", *rows]))
    Path("spec.yaml").write_text(SPEC)
    page = PAGE.read_text()
    source = SPEC[SPEC.index("  source:") : SPEC.index("  normalize")]
    assert source in page
    shown = CliRunner().invoke(app, ["plan", "spec.yaml"]).stdout
    lines = shown.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("data of csv"))
    assert "\n".join(lines[start : start + 9]) in page, "\n".join(lines[start : start + 9])
