"""What lint knows of a table's target and inputs by the roles of its columns."""

from pathlib import Path

import pytest

from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.schemas.diagnostic import Diagnostic

OWN = """from torch import Tensor, nn

class Embedded(nn.Module):
    def __init__(self, *, num_features: int, cardinalities: list[int], num_classes: int) -> None:
        super().__init__()

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        return numbers
"""
ROWS = "hp,maker,mpg,fuel\n" + "".join(
    f"{i * 1.5},{('ford', 'vw')[i % 2]},{i / 4},{'ab'[i % 3 == 0]}\n" for i in range(30)
)


def lint(
    folder: Path, source: str, objective: str = "cross_entropy", model: str = "mlp", own: str = OWN
) -> list[Diagnostic]:
    (folder / "t.csv").write_text(ROWS)
    (folder / "own_nets.py").write_text(own)
    text = (
        f"craftc: 1\nname: t\ndata: {{source: {{{source}}}}}\nmodel: {{kind: {model}}}\n"
        f"objective: {{kind: {objective}, metrics: []}}\n"
        "training: {epochs: 1, batch_size: 4, optimizer: {kind: adamw, lr: 1e-3}}\n"
    )
    return list(analyse(text, str(folder / "spec.yaml"), built_in_catalogue()).diagnostics)


CSV = "kind: csv, path: t.csv"


@pytest.mark.parametrize(
    ("source", "objective"),
    [
        (f"{CSV}, target: fuel, columns: infer", "cross_entropy"),
        (f"{CSV}, target: mpg, columns: infer", "mse"),
        (f"{CSV}, target: mpg, columns: {{mpg: number}}", "mse"),
        ("kind: parquet, path: t.parquet, target: mpg, columns: {mpg: number}", "mse"),
        ("kind: parquet, path: t.parquet, target: mpg", "mse"),
        ("kind: parquet, path: t.parquet, target: mpg", "cross_entropy"),
    ],
)
def test_an_objective_that_fits_the_role_of_the_target(source: str, objective: str, tmp_path: Path) -> None:
    assert lint(tmp_path, source, objective) == []


@pytest.mark.parametrize(
    ("source", "objective", "code", "hint"),
    [
        (f"{CSV}, target: fuel, columns: infer", "mse", "unfit-for-target", "columns: {fuel: number}"),
        (f"{CSV}, target: fuel, features: [hp]", "mse", "unfit-for-target", "columns: {fuel: number}"),
        (f"{CSV}, target: mpg, columns: infer", "cross_entropy", "target-not-classes", "columns: {mpg: category}"),
        (
            "kind: parquet, path: t.parquet, target: mpg, columns: {mpg: number}",
            "cross_entropy", "target-not-classes", "columns: {mpg: category}",
        ),
    ],
)  # fmt: skip
def test_an_objective_that_does_not(source: str, objective: str, code: str, hint: str, tmp_path: Path) -> None:
    [found] = lint(tmp_path, source, objective)
    assert found.code == code
    assert hint in (found.hint or found.message)


def test_a_model_of_numbers_and_categories_needs_both(tmp_path: Path) -> None:
    own = "own_nets:Embedded"
    assert lint(tmp_path, f"{CSV}, target: fuel, columns: infer", model=own) == []
    # A file that is not there may have both.
    assert lint(tmp_path, "kind: parquet, path: t.parquet, target: fuel", model=own) == []
    for source, given in (
        (f"{CSV}, target: fuel, columns: infer, features: [hp]", "gives numbers"),
        (f"{CSV}, target: fuel, features: [hp]", "gives x"),
    ):
        [found] = lint(tmp_path, source, model=own)
        assert (found.code, given in found.message) == ("missing-column", True), found


TEXTS = "review,stars,y\n" + "".join(
    f"{('good', 'bad')[i % 2]} film number {i},{i % 5}.5,{'uv'[i % 2]}\n" for i in range(30)
)
READER = """from torch import Tensor, nn

class Reader(nn.Module):
    def __init__(self, *, vocabulary_size: int, num_classes: int) -> None:
        super().__init__()

    def forward(self, tokens: Tensor, {asked}: Tensor) -> Tensor:
        return tokens
"""


@pytest.mark.parametrize(
    ("columns", "model", "asked", "codes"),
    [
        ("{review: text, stars: ignore}", "own_nets:Reader", "mask", []),
        ("{review: text}", "own_nets:Reader", "numbers", []),
        ("{review: text, stars: ignore}", "own_nets:Reader", "numbers", ["missing-column"]),
        ("{review: text, stars: ignore}", "mlp", "mask", ["unfit-for-text"]),
        ("{review: text, y: text}", "own_nets:Reader", "mask", ["data-mismatch"]),
    ],
)
def test_a_column_of_text(columns: str, model: str, asked: str, codes: list[str], tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text(TEXTS)
    facts = ", vocabulary_size: infer, num_classes: infer" if model != "mlp" else ""
    source = f"kind: csv, path: texts.csv, target: y, columns: {columns}"
    found = lint(tmp_path, source, model=f"{model!r}{facts}", own=READER.format(asked=asked))
    assert [each.code for each in found if each.severity == "error"] == codes, found
