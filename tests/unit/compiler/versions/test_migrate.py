"""An older spec is rewritten at the places that changed, every other byte as it was; or it is left alone and told."""

from pathlib import Path
from typing import Any

import pytest

from craftc.cli.migrate import migrate_files
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.reading.parse import parse
from craftc.compiler.versions.migrate import Migrated, migrate
from craftc.compiler.versions.migration import Change, Migration, Move, Remove, Replace
from craftc.compiler.versions.migrations import MIGRATIONS
from craftc.compiler.versions.version import LANGUAGE, check_version

ROOT = Path(__file__).parents[4]


def to_2(tree: dict[str, Any]) -> list[Change]:
    """The rate belongs to what takes the steps, metrics to judging; early stopping has a shorter name."""
    return [
        Move(("training", "lr"), ("training", "optimizer", "lr")),
        Move(("objective", "metrics"), ("evaluation", "metrics")),
        Move(("training", "early_stopping"), ("training", "stop")),
        Remove(("report", "html")),
    ]


def to_3(tree: dict[str, Any]) -> list[Change]:
    """Percent of the samples were fractions."""
    splits = tree.get("data", {}).get("splits", {})
    return [Replace(("data", "splits", name), f"{share / 100:g}") for name, share in splits.items() if share >= 1]


STEPS = (
    Migration(1, "training.lr is optimizer.lr, objective.metrics is evaluation.metrics", to_2),
    Migration(2, "splits are fractions", to_3),
)
FIRST = STEPS[:1]


def brought_up(text: str, migrations: tuple[Migration, ...] = FIRST) -> str:
    migrated = migrate(text, "x.yaml", migrations=migrations)
    assert migrated.diagnostics == ()
    return migrated.text


def test_what_did_not_change_keeps_every_byte() -> None:
    before = """\
# yaml-language-server: $schema=../schemas/experiment.v1.json
craftc: 1   # the language
name:   vit     # odd  spaces

data: {source: digits,  normalize: none,   splits: { train: 80, test: 20 } }
# The loss.
objective:
  kind: "cross_entropy"
  # What is told.
  metrics: [accuracy,   'auroc']   # two

training:
    epochs: 20   # many

    # How fast.
    lr: 1e-3  # a guess
    # Which one.
    optimizer:
        kind:   adamw   # decoupled
        betas: [0.9,0.95]
    early_stopping:    # when
        metric: 'valid/loss'

        patience: 0x10
# No pages.
report:
  html: true
ablation:
  grid: {training.lr: [1e-2,  1e-4], model.lr: [3]}
  require: ["training.lr > 1e-9 and training.lrs < 2"]
"""
    after = """\
# yaml-language-server: $schema=../schemas/experiment.v1.json
craftc: 3   # the language
name:   vit     # odd  spaces

data: {source: digits,  normalize: none,   splits: { train: 0.8, test: 0.2 } }
# The loss.
objective:
  kind: "cross_entropy"

training:
    epochs: 20   # many

    # Which one.
    optimizer:
        kind:   adamw   # decoupled
        betas: [0.9,0.95]
        # How fast.
        # a guess
        lr: 1e-3
    stop:    # when
        metric: 'valid/loss'

        patience: 0x10
ablation:
  grid: {training.optimizer.lr: [1e-2,  1e-4], model.lr: [3]}
  require: ["training.optimizer.lr > 1e-9 and training.lrs < 2"]
# What is told.
# two
evaluation: {metrics: [accuracy,   'auroc']}
"""
    assert brought_up(before, STEPS) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("training: {lr: 1e-3, optimizer: adamw}", "training: {optimizer: {kind: adamw, lr: 1e-3}}"),
        ("training: {optimizer: {kind: sgd} , lr: 0.1 }", "training: {optimizer: {kind: sgd, lr: 0.1} }"),
        ("training: {epochs: 2, lr: 0.1}", "training: {epochs: 2, optimizer: {lr: 0.1}}"),
        ("training:\n  lr: 0.1", "training:\n  optimizer: {lr: 0.1}\n"),
        ("objective:\n- metrics", "objective:\n- metrics"),
        ("report: {html: true, trackers: [tensorboard]}", "report: {trackers: [tensorboard]}"),
        ("report: {trackers: [tensorboard], html: true}", "report: {trackers: [tensorboard]}"),
        ("search:\n  space: {training.lr: {choice: [1]}}", "search:\n  space: {training.optimizer.lr: {choice: [1]}}"),
        (
            "ablation:\n  features:\n    slow:\n      'training.lr': 0.1\n  exclude: [{training.lr: 1}]",
            "ablation:\n  features:\n    slow:\n      training.optimizer.lr: 0.1\n"
            "  exclude: [{training.optimizer.lr: 1}]",
        ),
        (
            "objective:\n  kind: x\n  metrics:\n    # first\n    - accuracy\n\n    - kind: auroc\nmodel: mlp\n",
            "objective:\n  kind: x\nmodel: mlp\n"
            "evaluation:\n  metrics:\n    # first\n    - accuracy\n\n    - kind: auroc\n",
        ),
        (
            "evaluation:\n    select: none\nobjective:\n  kind: x\n  metrics:\n  - accuracy\n",
            "evaluation:\n    select: none\n    metrics:\n    - accuracy\nobjective:\n  kind: x\n",
        ),
        (
            "training: {lr: &rate 0.1, epochs: 2}\nmodel: {rate: *rate}",
            "training: {epochs: 2, optimizer: {lr: &rate 0.1}}\nmodel: {rate: *rate}",
        ),
        ("training: {epochs: 2, # few\n  lr: 0.1}", "training: {epochs: 2, # few\n  optimizer: {lr: 0.1}}"),
        ('training:\n  early_stopping: {\n    a: 1 }\n  x: "é"', 'training:\n  stop: {\n    a: 1 }\n  x: "é"'),
    ],
)
def test_every_way_of_writing(before: str, after: str) -> None:
    for newline in ("\n", "\r\n"):
        changed = brought_up(f"craftc: 1\n{before}".replace("\n", newline))
        assert changed == f"craftc: 2\n{after}".replace("\n", newline)
    assert brought_up(f"craftc: 2\n{after}") == f"craftc: 2\n{after}"


@pytest.mark.parametrize(
    "text",
    [
        "shared: &fit {epochs: 2, lr: 0.1}\ntraining: *fit",
        "shared: &fit\n  epochs: 2\n  lr: 0.1\ntraining: *fit",
        "shared: &fit {lr: 0.1}\ntraining: {<<: *fit, epochs: 2}",
        "training: {lr: 0.1, # low\n  epochs: 2}",
        "training: {lr: 0.1, optimizer: {kind: sgd, lr: 0.2}}",
        "training: {lr: 0.1, optimizer: [sgd]}",
    ],
)
def test_what_cannot_be_rewritten_is_left_and_told_at_its_place(text: str) -> None:
    migrated = migrate(f"craftc: 1\n{text}\n", "x.yaml", migrations=FIRST)
    assert migrated.text == f"craftc: 1\n{text}\n"
    (refusal,) = migrated.diagnostics
    assert refusal.code == "not-migrated"
    assert refusal.hint is not None
    assert "training.lr is optimizer.lr" in refusal.hint
    line = f"craftc: 1\n{text}\n".splitlines()[refusal.range.start.line - 1]
    assert line[refusal.range.start.column - 1 :].startswith("lr")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name: x", "missing-version"),
        ("craftc: 3", "newer-version"),
        ("craftc: 0", "older-version"),
        ("craftc: '1'", "wrong-type"),
        ("craftc: true", "wrong-type"),
        ("- craftc", "wrong-type"),
        ("craftc: 1\na: {", "yaml-syntax"),
        ("craftc: 1\na: !x 1", "yaml-tag"),
        ("", "empty-document"),
    ],
)
def test_what_is_no_older_spec_is_told(text: str, code: str) -> None:
    migrated = migrate(text, "x.yaml", migrations=FIRST)
    assert migrated == Migrated(text, diagnostics=migrated.diagnostics, version=migrated.version)
    assert [d.code for d in migrated.diagnostics] == [code]


def test_an_older_version_says_how_to_migrate() -> None:
    document, _ = parse("craftc: 1\nname: x\n", "a/x.yaml")
    assert document is not None
    refusal = check_version(document, STEPS)
    assert refusal is not None
    assert (refusal.code, refusal.range.start.line) == ("older-version", 1)
    assert refusal.hint is not None
    assert "craftc migrate a/x.yaml" in refusal.hint


def test_the_migrations_lead_to_the_version_that_is_read() -> None:
    assert [step.from_version for step in MIGRATIONS] == list(range(LANGUAGE - len(MIGRATIONS), LANGUAGE))


OLD = "craftc: 1\ntraining: {lr: 0.1, epochs: 2}\nsearch: {use: rates}\n"
NEW = "craftc: 2\ntraining: {epochs: 2, optimizer: {lr: 0.1}}\nsearch: {use: rates}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(OLD)
    Path("search_spaces").mkdir()
    Path("search_spaces/rates.yaml").write_text("# How fast.\ntraining.lr: {uniform: [0, 1]}  # all\n")
    return tmp_path


def test_what_would_change_is_shown_as_a_diff(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrate_files([Path("spec.yaml")], write=False, check=False, migrations=FIRST)
    out, err = capsys.readouterr()
    assert out.startswith("--- spec.yaml\n+++ spec.yaml\n")
    assert "\n-training: {lr: 0.1, epochs: 2}\n" in out
    assert "\n+training: {epochs: 2, optimizer: {lr: 0.1}}\n" in out
    assert "+training.optimizer.lr: {uniform: [0, 1]}  # all\n" in out
    assert "search_spaces/rates.yaml, which spec.yaml names: to be rewritten" in err
    assert Path("spec.yaml").read_text() == OLD


def test_writing_keeps_mode_links_and_mark_and_is_done_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("spec.yaml").write_text("\ufeff" + OLD, newline="\r\n")
    Path("spec.yaml").chmod(0o640)
    Path("link.yaml").symlink_to("spec.yaml")
    assert not migrate_files([Path("link.yaml")], write=False, check=True, migrations=FIRST)
    assert migrate_files([Path("link.yaml"), Path("spec.yaml")], write=True, check=False, migrations=FIRST)
    assert Path("spec.yaml").read_bytes() == ("\ufeff" + NEW.replace("\n", "\r\n")).encode()
    assert Path("link.yaml").is_symlink()
    assert Path("spec.yaml").stat().st_mode & 0o777 == 0o640
    assert "training.optimizer.lr" in Path("search_spaces/rates.yaml").read_text()
    assert migrate_files([Path("spec.yaml")], write=True, check=False, migrations=FIRST)
    assert migrate_files([Path("spec.yaml")], write=False, check=True, migrations=FIRST)
    assert sorted(path.name for path in folder.iterdir()) == ["link.yaml", "search_spaces", "spec.yaml"]
    assert "2 files with nothing to change" in capsys.readouterr().err


def test_bases_are_rewritten_too_and_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("spec.yaml").write_text("craftc: 1\nextends: base.yaml\ntraining: {lr: 0.1}\n")
    Path("base.yaml").write_text("extends: deep.yml  # more\ntraining: {epochs: 2, early_stopping: none}\n")
    Path("deep.yml").write_text("craftc: 1\nreport: {html: true, trackers: [tensorboard]}\n")
    assert migrate_files([Path("spec.yaml")], write=True, check=False, migrations=FIRST)
    assert Path("spec.yaml").read_text() == "craftc: 2\nextends: base.yaml\ntraining: {optimizer: {lr: 0.1}}\n"
    assert Path("base.yaml").read_text() == "extends: deep.yml  # more\ntraining: {epochs: 2, stop: none}\n"
    assert Path("deep.yml").read_text() == "craftc: 2\nreport: {trackers: [tensorboard]}\n"
    assert "base.yaml, which spec.yaml names: rewritten" in capsys.readouterr().err


def test_a_base_of_another_version_is_told_in_its_own_line(folder: Path) -> None:
    Path("base.yaml").write_text("# A base.\ncraftc: 2\ntraining: {epoch_count: 2}\n")
    text = "craftc: 1\nname: x\nextends: base.yaml\n"
    (refusal,) = analyse(text, "spec.yaml", built_in_catalogue()).diagnostics
    assert (refusal.code, refusal.range.filename, refusal.range.start.line) == ("newer-version", "base.yaml", 2)
    assert [(r.message, r.range.start.line) for r in refusal.related] == [("included here", 3)]


def test_one_file_that_cannot_be_rewritten_keeps_all_from_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.yaml").write_text("craftc: 1\na: &a {lr: 1, b: 2}\ntraining: *a\n")
    assert not migrate_files([Path("spec.yaml"), Path("odd.yaml")], write=True, check=False, migrations=FIRST)
    assert Path("spec.yaml").read_text() == OLD
    assert "odd.yaml:2:8: error[not-migrated]" in capsys.readouterr().out
