"""`search.use`: where files of ranges are found, and that their mistakes are told in their own lines."""

from pathlib import Path

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Analysis, analyse, compile_spec
from craftc.compiler.render.text import render_text

SPEC = """\
craftc: 1
name: example
data: {{source: digits}}
model: {{kind: scanline_vit}}
objective: {{kind: cross_entropy, metrics: [accuracy]}}
training: {{epochs: 5, batch_size: 32, optimizer: adamw}}
search:
  use: {use}
  space: {{{space}}}
  optimize: {{metric: valid/accuracy}}
  trials: 3
"""


def spec(folder: Path, *, use: str, space: str = "") -> Analysis:
    folder.mkdir(parents=True, exist_ok=True)
    return analyse(SPEC.format(use=use, space=space), str(folder / "spec.yaml"), built_in_catalogue())


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def paths(analysis: Analysis) -> list[str]:
    assert analysis.spec is not None
    assert analysis.spec.search is not None
    return list(analysis.spec.search.space)


def test_a_name_is_found_in_a_folder_above_and_the_nearest_counts(tmp_path: Path) -> None:
    write(tmp_path / "search_spaces" / "rates.yaml", "training.optimizer.lr: {log_uniform: [1e-4, 1e-2]}\n")
    above = spec(tmp_path / "a" / "b", use="rates")
    assert above.is_valid
    assert paths(above) == ["training.optimizer.lr"]
    write(tmp_path / "a" / "search_spaces" / "rates.yaml", "training.batch_size: {int: [8, 64]}\n")
    assert paths(spec(tmp_path / "a" / "b", use="rates")) == ["training.batch_size"]


def test_a_path_starts_from_the_folder_of_the_spec(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "")
    write(tmp_path / "ranges" / "rates.yaml", "training.batch_size: {int: [8, 64]}\n")
    assert paths(spec(tmp_path / "specs", use="../ranges/rates.yaml")) == ["training.batch_size"]


def test_the_specs_own_range_takes_the_place_of_the_files(tmp_path: Path) -> None:
    write(tmp_path / "search_spaces" / "s.yaml", "training.batch_size: {int: [8, 64]}\nmodel.d_ffn: {int: [0, 64]}\n")
    analysis = spec(tmp_path, use="s", space="model.d_ffn: {choice: [32, 64]}")
    assert analysis.is_valid
    assert analysis.spec is not None
    assert analysis.spec.search is not None
    assert analysis.spec.search.space["model.d_ffn"].forms == {"choice": (32, 64)}


def test_mistakes_are_told_in_the_files_own_lines(tmp_path: Path) -> None:
    file = write(
        tmp_path / "search_spaces" / "s.yaml",
        "# Two that fit and three that do not.\n"
        "training.batch_size: {int: [8, 64]}\n"
        "model.num_layer: {int: [1, 4]}\n"
        "model.dropout:\n"
        "  uniform: [0.0, 1.5]\n"
        "training.optimizer.lr: {loguniform: [1e-4, 1e-2]}\n",
    )
    analysis = spec(tmp_path, use="s", space="model.d_ffn: {int: [64, 32]}")
    told = [(d.range.filename, d.range.start.line, d.range.start.column, d.code) for d in analysis.diagnostics]
    assert told == [
        (str(file), 3, 1, "unknown-factor"),
        (str(file), 5, 18, "out-of-bounds"),
        (str(file), 6, 25, "unknown-key"),
        (str(tmp_path / "spec.yaml"), 9, 25, "range-order"),
    ]
    text = render_text(analysis.diagnostics[:1], analysis.fragments)
    assert text.splitlines()[1:] == [
        "    3 | model.num_layer: {int: [1, 4]}",
        "      | ^^^^^^^^^^^^^^^",
        f"      = {tmp_path / 'spec.yaml'}:8:8: included here",
    ]


@pytest.mark.parametrize(
    ("text", "code"), [("- a\n- b\n", "wrong-type"), ("a: [1\n", "yaml-syntax"), ("", "empty-document")]
)
def test_a_file_that_holds_no_ranges(tmp_path: Path, text: str, code: str) -> None:
    file = write(tmp_path / "search_spaces" / "s.yaml", text)
    analysis = spec(tmp_path, use="s")
    assert [(d.code, d.range.filename) for d in analysis.diagnostics] == [(code, str(file))]


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "search_spaces" / "rates.yaml", "training.batch_size: {int: [8, 64]}\n")
    (diagnostic,) = spec(tmp_path, use="rate").diagnostics
    assert diagnostic.code == "unknown-search-space"
    assert diagnostic.range.start.line == 8
    assert diagnostic.hint == 'did you mean "rates"?'


@pytest.mark.parametrize("name", ["vit_small", "optimizer"])
def test_the_maintained_spaces_fit(root: Path, name: str) -> None:
    assert (root / "search_spaces" / f"{name}.yaml").is_file()
    analysis = spec(root / "specs", use=name)
    assert analysis.diagnostics == ()
    assert paths(analysis)


def test_the_maintained_search_has_a_plan(root: Path) -> None:
    path = root / "specs" / "vit_search.yaml"
    compiled = compile_spec(path.read_text(), str(path), built_in_catalogue())
    assert compiled.diagnostics == ()
    assert compiled.plan is not None
    assert compiled.plan.search is not None
    assert compiled.plan.search.trials == 30
