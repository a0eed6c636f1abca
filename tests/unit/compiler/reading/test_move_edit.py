"""A key in the wrong section goes to the one place that has it, its comments with it; or it stays where it is."""
# ruff: noqa: E501 (tables of texts)

from pathlib import Path

import pytest

from craftc.compiler.fixing.apply_edits import apply_edits
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.schemas.diagnostic import Diagnostic

START = "craftc: 1\nname: x\nobjective: cross_entropy\n"


def diagnosed(text: str) -> list[Diagnostic]:
    return [d for d in analyse(text, "x.yaml", built_in_catalogue()).diagnostics if d.severity == "error"]


def mended(text: str) -> str | None:
    fixes = [d.fix for d in diagnosed(text) if d.fix is not None]
    if not fixes:
        return None
    changed = apply_edits(text, fixes[0].edits)
    assert diagnosed(changed) == [], changed
    return changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # From braces to braces, to lines, and to a section that is not there yet.
        ("data: {source: digits, epochs: 5}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw}",
         "data: {source: digits}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw, epochs: 5}"),
        ("data: {epochs: 5, source: digits}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw, }",
         "data: {source: digits}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw, epochs: 5, }"),
        ("model: {kind: mlp, clip_grad_norm: 1.0}\ndata: {source: digits}\n"
         "training:\n  epochs: 5\n  batch_size: 32\n  optimizer: adamw",
         "model: {kind: mlp}\ndata: {source: digits}\n"
         "training:\n  epochs: 5\n  batch_size: 32\n  optimizer: adamw\nregularization: {clip_grad_norm: 1.0}"),
        # From lines, with what is said of it.
        ("data:\n  source: digits\n  # Long\n  # enough.\n  epochs: 5  # five\n  normalize: per_line\nmodel: mlp\n"
         "training:\n    batch_size: 32\n    optimizer:\n      kind: adamw  # decoupled\n\nreport: {trackers: [tensorboard]}",
         "data:\n  source: digits\n  normalize: per_line\nmodel: mlp\n"
         "training:\n    batch_size: 32\n    optimizer:\n      kind: adamw  # decoupled\n    # Long\n    # enough.\n"
         "    epochs: 5  # five\n\nreport: {trackers: [tensorboard]}"),
        # A block of several lines, further out.
        ("data: {source: digits}\nmodel: mlp\ntraining:\n  epochs: 5\n  batch_size: 32\n  optimizer:\n    kind: adamw\n"
         "    early_stopping:\n      metric: valid/loss\n\n      # short\n      patience: 2",
         "data: {source: digits}\nmodel: mlp\ntraining:\n  epochs: 5\n  batch_size: 32\n  optimizer:\n    kind: adamw\n"
         "  early_stopping:\n    metric: valid/loss\n\n    # short\n    patience: 2"),
        # Of the whole file.
        ("data: {source: digits}\nmodel: mlp\nbatch_size: 32\ntraining:\n  epochs: 5\n  optimizer: adamw",
         "data: {source: digits}\nmodel: mlp\ntraining:\n  epochs: 5\n  optimizer: adamw\n  batch_size: 32"),
        # To a component, by its name alone or not, that takes it.
        ("data: {source: digits}\nmodel: mlp\ntraining: {lr: 0.1, epochs: 5, batch_size: 32, optimizer: adamw}",
         "data: {source: digits}\nmodel: mlp\ntraining: {epochs: 5, batch_size: 32, optimizer: {kind: adamw, lr: 0.1}}"),
        ("data: {source: digits}\nmodel: mlp\ntraining:\n  epochs: 5\n  batch_size: 32\n  optimizer: sgd\n  lr: 0.1",
         "data: {source: digits}\nmodel: mlp\ntraining:\n  epochs: 5\n  batch_size: 32\n"
         "  optimizer: {kind: sgd, lr: 0.1}"),
        # What must not be moved.
        ("data: {source: digits, epochs: 4}\nmodel: mlp\ntraining: {epochs: 5, batch_size: 32, optimizer: adamw}", None),
        ("data: {source: digits, epochs: many}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw}", None),
        ("data: {source: digits, dropout: 0.1}\nmodel: mlp\ntraining: {epochs: 5, batch_size: 32, optimizer: adamw}", None),
        ("data: {source: digits}\nmodel: mlp\nproject: p\ntraining: {epochs: 5, batch_size: 32, optimizer: adamw}", None),
        ("data: {source: digits}\nmodel: mlp\ntrials: 3\ntraining: {epochs: 5, batch_size: 32, optimizer: adamw}", None),
        ("data: {source: digits}\nmodel: mlp\nevaluation: {clip_grad_norm: 1.0}\n"
         "training: {epochs: 5, batch_size: 32, optimizer: adamw}", None),
        ("data: {source: digits, # here\n  epochs: 5, normalize: per_line}\nmodel: mlp\n"
         "training: {batch_size: 32, optimizer: adamw}",
         "data: {source: digits, # here\n  normalize: per_line}\nmodel: mlp\n"
         "training: {batch_size: 32, optimizer: adamw, epochs: 5}"),
        ("data: {source: digits, # here\n  epochs: 5}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw}", None),
        ("data: {source: digits}\nmodel: mlp\n# Many.\nbatch_size: 32\ntraining: {epochs: 5, optimizer: adamw}", None),
        ("data: {source: digits}\nmodel: mlp\nbatch_size: 32 # many\ntraining: {epochs: 5, optimizer: adamw}", None),
        ("data: {source: digits, epochs: &e 5}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw}", None),
        ("data: &d {source: digits, epochs: 5}\nmodel: mlp\ntraining: {batch_size: 32, optimizer: adamw}\n"
         "ablation: {grid: {data: [*d]}}", None),
        ("data: {source: digits}\nmodel: mlp\ntraining: {lr: 0.1, epochs: 5, batch_size: 32, optimizer: &o adamw}\n"
         "ablation: {grid: {training.optimizer: [*o]}}", None),
    ],
)  # fmt: skip
def test_moves(before: str, after: str | None) -> None:
    for newline in ("\n", "\r\n"):
        text = f"{START}{before}\n".replace("\n", newline)
        expected = after and f"{START}{after}\n".replace("\n", newline)
        assert mended(text) == expected
        found = mended(text.removesuffix(newline))
        # What stood last leaves the line end before it.
        assert (found and found.removesuffix(newline)) == (expected and expected.removesuffix(newline))


def test_what_stands_in_a_base_stays_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = "data: {source: digits, epochs: 5}\ntraining: {batch_size: 32}\n"
    (tmp_path / "base.yaml").write_text(base)
    text = (
        "craftc: 1\nname: x\nextends: base.yaml\nmodel: mlp\nobjective: cross_entropy\ntraining: {optimizer: adamw}\n"
    )
    (found,) = [d for d in analyse(text, "x.yaml", built_in_catalogue()).diagnostics if d.fix is not None]
    assert found.fix is not None
    assert {edit.range.filename for edit in found.fix.edits} == {"base.yaml"}
    assert apply_edits(base, found.fix.edits) == "data: {source: digits}\ntraining: {batch_size: 32, epochs: 5}\n"
