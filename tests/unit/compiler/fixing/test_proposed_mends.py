"""Every mend that an error proposes, in its fix or in the words of its hint, mends, and leads to a clean spec."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from craftc.compiler.fixing.apply_edits import apply_edits
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.schemas.diagnostic import Diagnostic, Edit

WRONG = sorted((Path(__file__).parents[3] / "golden" / "err").glob("*.yaml"))
ENVIRONMENT = {"DATA_DIR": "data", "TEAM": "owls", "EMPTY": "", "NESTED": "a-${env:TEAM}", "TWO_LINES": "a\nb"}
HEAD = "craftc: 1\nname: t\ndata: {source: digits}\nobjective: {kind: cross_entropy, metrics: [accuracy]}\n"
MODEL = "model: {kind: mlp, hidden: [8]}\n"
TRAINING = "training: {epochs: 4, batch_size: 256, optimizer: adamw}\n"
PROPOSALS = (
    re.compile(r"write (?P<mend>none) to switch it off"),
    re.compile(r"write (?P<mend>\[.*\]|\{.*\}|[\w.-]+)(?:$|[:;,].*)"),
    re.compile(r'(?:did you mean|is) "(?P<mend>[^"]+)"\?.*'),
    re.compile(r'it is called "?(?P<mend>[\w-]+)"? here.*'),
    re.compile(r"leave it out.*(?P<mend>)"),
)
"""What a hint says that can be done by replacing the text at which the error points."""
MENDABLE = ("unknown-key", "unknown-choice", "unknown-kind", "wrong-type", "unknown-metric", "empty-value")
NOT_MECHANICAL = {
    "FILE", "NAME", "KEY", "PATH", "RANGE", "true", "false",
}  # fmt: skip
"""Words of a form in which something is to be put."""


def errors(text: str, filename: str = "x.yaml") -> list[Diagnostic]:
    found = analyse(text, filename, built_in_catalogue(), environment=ENVIRONMENT).diagnostics
    return [diagnostic for diagnostic in found if diagnostic.severity == "error"]


BROKEN = {"yaml-syntax", "duplicate-key", "key-not-text"}
"""Kinds that no mend may bring about, even where it uncovers what a mistake hid."""


def is_mended(before: Sequence[Diagnostic], after: Sequence[Diagnostic], mended: Diagnostic) -> bool:
    """Whether an error is gone, and the text is no worse to read."""
    kinds = {diagnostic.code for diagnostic in before}
    broken = [diagnostic for diagnostic in after if diagnostic.code in BROKEN - kinds]
    return not broken and (mended.message, mended.range) not in {(d.message, d.range) for d in after}


def proposed(diagnostic: Diagnostic, text: str) -> str | None:
    """The text as the hint of an error says; None where it says nothing that can be done mechanically."""
    hint = diagnostic.hint or ""
    start, end = diagnostic.range.start, diagnostic.range.end
    found = next((match for pattern in PROPOSALS if (match := pattern.fullmatch(hint)) is not None), None)
    if found is None or diagnostic.code not in MENDABLE or start.line != end.line or not found["mend"]:
        return None
    mend = found["mend"]
    if "..." in mend or " or " in mend or set(re.findall(r"[A-Za-z]+", mend)) & NOT_MECHANICAL:
        return None
    return apply_edits(text, [Edit(diagnostic.range, mend)])


def followed(text: str) -> str:
    """A text with every fix made, or else the first hint followed, until nothing more can be done mechanically."""
    for _ in range(10):
        found = errors(text)
        edits = next((list(d.fix.edits) for d in found if d.fix is not None), None)
        changed = apply_edits(text, edits) if edits else next((m for d in found if (m := proposed(d, text))), text)
        if changed == text:
            break
        text = changed
    return text


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_each_mend_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    text = path.read_text(encoding="utf-8")
    before = errors(text, path.name)
    for diagnostic in before:
        fix = diagnostic.fix if diagnostic.fix and diagnostic.fix.edits[0].range.filename == path.name else None
        hinted = proposed(diagnostic, text) if diagnostic.range.filename == path.name else None
        for mended in filter(None, [fix and apply_edits(text, list(fix.edits)), hinted]):
            assert is_mended(before, errors(mended, path.name), diagnostic), (diagnostic, mended)


ONE_MISTAKE = [
    MODEL + "training: {epochs: 1, batch_size: 256, optimizer: adamw, seed: 1}\n",
    MODEL + TRAINING + "seeds: 3\n",
    MODEL + TRAINING + "ablation: {grid: {training: {batch_size: [32, 64]}}}\n",
    MODEL + TRAINING + "ablation: {grid: {training: {batch_size: [32, 64], optimizer: {lr: [0.1, 1.0]}}}}\n",
    "model: {kind: mlp, hidden: 8}\n" + TRAINING,
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: adamw, early_stopping: false}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: adamw, early_stopping: off}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: adamw, schedule: none}\n",
    MODEL + TRAINING + "evaluation: {select: null}\n",
    MODEL + TRAINING + "regularization: {clip_grad_norm: no}\n",
    MODEL + TRAINING + "report: {trackers: false}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: {kind: adamw, lr: 0,001}}\n",
    MODEL + "training:\n  epochs: 4\n  batch_size: 256\n  optimizer:\n    kind: adamw\n    lr: 0,001\n",
    MODEL + "training: {epochs: 4, batch_size: 1_024, optimizer: adamw}\n",
    MODEL + "training:\n  epochs:4\n  batch_size: 256\n  optimizer: adamw\n",
    MODEL + "training:\n  epochs: 4\n  batch_size: 256\n  optimizer:adamw\n",
    MODEL + "training:\n  epochs: 4\n  batch_size: 256\n  optimizer:\n    kind:adamw\n",
    MODEL + "training:\n  epo\u200bchs: 4\n  batch_size: 256\n  optimizer: adamw\n",
    MODEL + "training: {num_epochs: 4, batchsize: 256, optim: adamw}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: adamw, learning_rate: 0.1}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: {kind: adamw, learning_rate: 0.1}}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: {type: adamw, lr: 0.1}}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: {name: adamw}}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: adamw, schedule: {kind: cosine}}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: adamw, schedule: [CosineAnnealingLR]}\n",
    MODEL + "training: {epochs: 4, batch_size: 256, optimizer: adamw, gradient_clip_val: 1.0}\n",
    MODEL + TRAINING + "max_grad_norm: 1.0\n",
    MODEL + "training:\n  epochs: 4\n  max_grad_norm: 1.0\n  batch_size: 256\n  optimizer: adamw\n",
    MODEL
    + "training: {epochs: 4, batch_size: 256, optimizer: adamw, early_stopping: {monitor: valid/loss, patience: 2}}\n",
    MODEL
    + "training: {epochs: 4, batch_size: 256, optimizer: adamw, early_stopping: {metric: val_loss, patience: 2}}\n",
    *(
        MODEL + TRAINING + "search: {space: {training.optimizer.lr: " + given + "}, optimize: {metric: valid/loss}, "
        "trials: 3}\n"
        for given in (
            "{min: 0.1, max: 1.0}",
            "{distribution: log_uniform_values, min: 0.1, max: 1.0}",
            "{values: [0.1, 0.2]}",
            "{low: 0.1, high: 1.0, log: true}",
            "{type: float, lower: 0.1, upper: 1}",
        )
    ),
    MODEL + TRAINING + "search: {space: {training.optimizer.lr: {uniform: [0.1, 1]}}, optimize: {metric: val_acc}, "
    "n_trials: 3}\n",
    MODEL.replace("model", "network") + TRAINING,
    MODEL + "training:\n  epochs: 4,\n  batch_size: 256,\n  optimizer: adamw\n",
    MODEL + "training:\n  epochs = 4\n  batch_size = 256\n  optimizer: adamw\n",
    MODEL + "training:\n  epochs:\u00a04\n  batch_size: 256\n  optimizer: adamw\n",
    MODEL + TRAINING + 'ablation: {grid: {training.optimizer.lr: "0.1,0.01"}}\n',
    MODEL + TRAINING + "ablation: {grid: {training/optimizer/lr: [0.1], batch_size: [32], max_epochs: [1, 2]}}\n",
    MODEL + TRAINING + "ablation:\n  seeds: 1,2\n",
    "model: {kind: mlp, hidden: {8, 4}}\n" + TRAINING,
    "model:\n  kind: mlp\n  hidden: (8, 4)\n" + TRAINING,
    "model: {mlp: {hidden: [8]}}\n" + TRAINING,
]


@pytest.mark.parametrize("text", ONE_MISTAKE)
def test_following_the_mends_of_one_mistake_leads_to_a_clean_spec(text: str) -> None:
    assert errors(HEAD + text)
    mended = followed(HEAD + text)
    assert errors(mended) == [], mended


@pytest.mark.parametrize("ablation", ["range(1, 3)", "0.1, 0.01"])
def test_what_is_no_list_is_not_put_in_brackets_by_its_half(ablation: str) -> None:
    text = f"{HEAD}{MODEL}{TRAINING}ablation: {{grid: {{training.optimizer.lr: {ablation}}}}}\n"
    assert [diagnostic.fix for diagnostic in errors(text) if diagnostic.fix] == []


def test_a_name_that_looks_like_a_number_is_put_in_quotes() -> None:
    text = HEAD.replace("name: t", "name: 1e5") + MODEL + TRAINING
    assert 'name: "1e5"' in followed(text)
    assert errors(followed(text)) == []


def test_a_mend_of_values_is_none_of_the_ends_of_a_range() -> None:
    search = "search: {space: {model.hidden: {int: [4, 8]}}, optimize: {metric: valid/loss}, trials: 3}\n"
    found = errors(HEAD + MODEL + TRAINING + search)
    assert [(diagnostic.hint, diagnostic.fix) for diagnostic in found] == [
        ("a range of int has numbers; give the values in choice", None)
    ] * 2


def test_a_mend_means_what_was_meant() -> None:
    """Not merely clean: the value that was written stands at the place that it was meant for."""
    meant = {
        "training: {epochs: 1, batch_size: 256, optimizer: adamw, seed: 7}\n": "seed: 7",
        TRAINING + "seeds: 3\n": "ablation: {seeds: 3}",
        "training: {epochs: 1, batch_size: 8, optimizer: adamw, learning_rate: 0.3}\n": "{kind: adamw, lr: 0.3}",
        TRAINING + "gradient_clip_val: 2.0\n": "regularization: {clip_grad_norm: 2.0}",
        TRAINING + "ablation: {grid: {training: {batch_size: [32, 64]}}}\n": "{grid: {training.batch_size: [32, 64]}}",
        "training: {epochs: 4, batch_size: 256, optimizer: {kind: adamw, lr: 0,001}}\n": "lr: 0.001",
        TRAINING + 'ablation: {grid: {training.optimizer.lr: "0.1,0.01"}}\n': "{training.optimizer.lr: [0.1, 0.01]}",
        TRAINING + "ablation: {grid: {learning_rate: [0.1]}}\n": "{training.optimizer.lr: [0.1]}",
        TRAINING + "ablation:\n  seeds: 1,2\n": "seeds: [1, 2]",
    }
    for text, wanted in meant.items():
        assert wanted in followed(HEAD + MODEL + text)
