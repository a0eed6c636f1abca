"""`model.adapter`: what is trained of a model as a spec has it, what it is of a trial, and what is refused."""

from pathlib import Path

import pytest
import torch

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.schemas.plan import Plan
from craftc.training.assemble import assemble
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.trial import train_trial

SPEC = """craftc: 1
name: adapted
data: {source: digits, normalize: per_dataset}
model: {kind: mlp, hidden: [16, 16]ADAPTER}
objective: {kind: cross_entropy}
training: {epochs: 1, batch_size: 128, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {seeds: 2}
"""


def plan_of(adapter: str, folder: Path) -> Plan:
    compiled = compile_spec(SPEC.replace("ADAPTER", adapter), str(folder / "spec.yaml"), built_in_catalogue())
    assert compiled.plan is not None
    return compiled.plan


def test_none_is_no_part_of_a_trial(tmp_path: Path) -> None:
    plain = plan_of("", tmp_path)
    assert plain == plan_of(", adapter: none", tmp_path)
    adapted = plan_of(", adapter: lora", tmp_path)
    assert {trial.id for trial in plain.trials}.isdisjoint(trial.id for trial in adapted.trials)
    assert [trial.group for trial in plain.trials] == [0, 0]
    assert [trial.group for trial in adapted.trials] == [None, None]


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_the_rest_stays_as_it_was(kind: str, tmp_path: Path) -> None:
    trial = plan_of(f", adapter: {{kind: {kind}, rank: 2}}", tmp_path).trials[0]
    list(train_trial(trial, folder=tmp_path / "trial", device="cpu"))
    data = prepare(trial.config["data"])
    begun = assemble(trial, data, torch.device("cpu"), course_of(trial.config, len(data.splits["train"])))
    [file] = (tmp_path / "trial").rglob("last.pt")
    after = torch.load(file, weights_only=True)["model"]
    before = begun.model.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {name for name, each in begun.model.named_parameters() if each.requires_grad}


def test_what_names_no_layer_is_reported(tmp_path: Path) -> None:
    [trial, _] = plan_of(", adapter: {kind: lora, targets: blocks.*}", tmp_path).trials
    with pytest.raises(TrainingError, match="adapter lora: ValueError: targets: no module of the model is named") as at:
        list(train_trial(trial, folder=tmp_path / "trial", device="cpu"))
    assert at.value.code == "model-not-buildable"
