"""Mends are made round after round, in every text that is given, until none is left that can be made."""
# ruff: noqa: E501 (tables of texts)

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from craftc.compiler.fixing.fix_texts import Fixed, fix_texts
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.schemas.diagnostic import Diagnostic

REST = "objective: cross_entropy\ntraining: {epochs: 5, batch_size: 32, optimizer: adamw}\n"


def fixed(text: str, **others: str) -> Fixed:
    """A spec, and files that it names and that are given too."""

    def lint(texts: Mapping[str, str]) -> Sequence[Diagnostic]:
        return analyse(texts["x.yaml"], "x.yaml", built_in_catalogue(), stand_ins=stand_ins(texts)).diagnostics

    def stand_ins(texts: Mapping[str, str]) -> dict[str, str]:
        return {str(Path(name).resolve()): text for name, text in texts.items()}

    return fix_texts({"x.yaml": text, **{f"{name}.yaml": other for name, other in others.items()}}, lint, str)


def test_one_mend_uncovers_the_next() -> None:
    result = fixed(f"crafct: 1\nname: x\ndata: {{suorce: digts}}\nmodel: mlp\n{REST}")
    assert result.texts["x.yaml"] == f"craftc: 1\nname: x\ndata: {{source: digits}}\nmodel: mlp\n{REST}"
    assert result.num_fixed == {"x.yaml": 3}
    assert result.diagnostics == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Both belong under training, which has it once the first is there.
        ("data: {source: digits, epochs: 5}\nmodel: {kind: mlp, epochs: 5}\nobjective: cross_entropy\n"
         "training: {batch_size: 32, optimizer: adamw}\n",
         "data: {source: digits}\nmodel: {kind: mlp, epochs: 5}\nobjective: cross_entropy\n"
         "training: {batch_size: 32, optimizer: adamw, epochs: 5}\n"),
        ("data: {source: digits}\nepochs: 5\nmodel: {kind: mlp}\nobjective: cross_entropy\n"
         "training: {epoch: 6, batch_size: 32, optimizer: adamw}\n",
         "data: {source: digits}\nmodel: {kind: mlp}\nobjective: cross_entropy\n"
         "training: {epoch: 6, batch_size: 32, optimizer: adamw, epochs: 5}\n"),
        ("data: {source: digits}\nmodel: mlp\nbatch_size: 32\nepochs: 5\nobjective: cross_entropy\ntraining:\n  optimizer: adamw\n",
         "data: {source: digits}\nmodel: mlp\nobjective: cross_entropy\ntraining:\n  optimizer: adamw\n  batch_size: 32\n  epochs: 5\n"),
    ],
)  # fmt: skip
def test_mends_that_meet(before: str, after: str) -> None:
    result = fixed(f"craftc: 1\nname: x\n{before}")
    assert result.texts["x.yaml"] == f"craftc: 1\nname: x\n{after}"


def test_a_mend_in_a_base_is_made_where_the_base_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = "data: {source: digits}\nmodel: mpl\nobjective: cross_entropy\ntraining: {epochs: 3}\n"
    Path("base.yaml").write_text(base)
    text = "craftc: 1\nname: x\nextends: base.yaml\ntraining: {epoch: 5, batch_size: 32, optimizer: adamw}\n"
    both = fixed(text, base=base)
    assert both.texts == {"x.yaml": text.replace("epoch:", "epochs:"), "base.yaml": base.replace("mpl", "mlp")}
    assert both.diagnostics == ()
    alone = fixed(text)
    assert alone.texts == {"x.yaml": text.replace("epoch:", "epochs:")}
    assert [d.range.filename for d in alone.diagnostics if d.fix is not None] == ["base.yaml"]
    assert Path("base.yaml").read_text() == base


def test_a_mend_in_a_search_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("search_spaces").mkdir()
    space = "# Rates.\ntraining.optimizer.lrr: {uniform: ['0.1', 0.2]}\n"
    Path("search_spaces/rates.yaml").write_text(space)
    text = f"craftc: 1\nname: x\ndata: {{source: digits}}\nmodel: mlp\n{REST}"
    text += "search: {use: rates, optimize: {metric: valid/loss}, trials: 3}\n"
    result = fixed(text, **{"search_spaces/rates": space})
    assert result.texts["search_spaces/rates.yaml"] == "# Rates.\ntraining.optimizer.lr: {uniform: [0.1, 0.2]}\n"
    assert result.diagnostics == ()
    alone = "training.optimiser.lr: {uniform: [0.1, 0.2]}\n"
    (found,) = analyse(alone, "y.yaml", built_in_catalogue(), kind=None).diagnostics
    assert found.fix is not None
    assert found.fix.message == 'call it "training.optimizer.lr"'


def test_what_never_ends_is_ended() -> None:
    """Whatever lint says: here that the text is always too short."""
    text = f"craftc: 1\nname: x\ndata: {{source: digits}}\nmodel: mpl\n{REST}"
    (slip,) = analyse(text, "x.yaml", built_in_catalogue()).diagnostics
    assert slip.fix is not None
    result = fix_texts({"x.yaml": text}, lambda _: [slip], str)
    assert 0 < result.num_fixed["x.yaml"] <= 20
