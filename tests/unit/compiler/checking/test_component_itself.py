"""A function that is the loss, the augmentation or the metric itself, named where craftc calls a kind to make one."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec

PARTS = """
    from torch import Tensor, nn

    def loss(logits, targets): ...
    def weighted(input: Tensor, target: Tensor, gamma: float): ...
    def noisy(x: Tensor, scale: float = 1.0) -> Tensor: ...
    def drawn(x, generator): ...
    def hits(preds, target) -> Tensor: ...
    def net(x): ...
    def scaled(x): ...
    def rate(base_lr, step, num_steps, steps_per_epoch): ...
    def counted(class_counts, gamma: float = 1.0): ...
    def made(inputs: int, width: int): ...
    def wide(inputs): ...
    def on(backbone: nn.Module, head: nn.Module): ...

    class Loss(nn.Module):
        def forward(self, logits, targets): return loss(logits, targets)
    def make_noisy(): return noisy
    class Hits:
        higher_is_better = True
        def reset(self): ...
        def update(self, logits, targets): ...
        def compute(self): ...
    class Net(nn.Module):
        def forward(self, x): return net(x)
    class Scaled:
        def fit(self, x_train): ...
        def __call__(self, x): return scaled(x)
    class Rate:
        epochs = "none"
        def lr(self, base_lr, step, num_steps, steps_per_epoch): ...
    def counting(class_counts, /, gamma: float = 1.0): ...
"""
SECTIONS = {
    "data": "data: {source: digits}",
    "model": "model: mlp",
    "objective": "objective: cross_entropy",
    "training": "training: {epochs: 2, batch_size: 32, optimizer: adamw}",
}
Tell = Callable[[str], list[tuple[str, str, str]]]


@pytest.fixture
def told(tmp_path: Path) -> Tell:
    """Code, path and text of each mistake of a spec with this section."""
    (tmp_path / "parts.py").write_text(dedent(PARTS))

    def tell(section: str) -> list[tuple[str, str, str]]:
        sections = {**SECTIONS, section.partition(":")[0]: section}
        text = "\n".join(["craftc: 1", "name: own", *sections.values()])
        found = compile_spec(text, str(tmp_path / "x.yaml"), built_in_catalogue()).diagnostics
        return [(d.code, d.path, f"{d.message}; {d.hint}") for d in found]

    return tell


@pytest.mark.parametrize(
    ("section", "path", "said", "mended"),
    [
        ("objective: {kind: 'parts:loss'}", "objective.kind",
         '"parts:loss" takes (logits, targets), as a loss does itself; craftc calls what kind names to make one; '
         "name a class derived from torch.nn.Module, whose forward(self, logits, targets) returns loss(logits, "
         "targets)",
         "objective: {kind: 'parts:Loss'}"),
        ("objective: {kind: 'parts:weighted'}", "objective.kind", '"parts:weighted" takes (input, target, gamma)',
         "objective: {kind: 'parts:Loss'}"),
        ("objective: {kind: 'parts:weighted', gamma: 1.0}", "objective.kind", '"parts:weighted" takes (input, target),',
         "objective: {kind: 'parts:Loss'}"),
        ("objective: {kind: 'torch.nn.functional:cross_entropy'}", "objective.kind",
         "name its class in torch.nn, as torch.nn:CrossEntropyLoss is that of cross_entropy",
         "objective: {kind: 'torch.nn:CrossEntropyLoss'}"),
        ("data: {source: digits, augment: [{kind: 'parts:noisy'}]}", "data.augment.0.kind",
         "name a function without arguments that returns it: def make_noisy(): return noisy",
         "data: {source: digits, augment: [{kind: 'parts:make_noisy'}]}"),
        ("data: {source: digits, augment: [{kind: 'parts:drawn'}]}", "data.augment.0.kind", "takes (x, generator)",
         "data: {source: digits, augment: [{kind: 'parts:make_noisy'}]}"),
        ("objective: {kind: cross_entropy, metrics: [{kind: 'parts:hits'}]}", "objective.metrics.0.kind",
         "name a class with reset(self), update(self, logits, targets) and compute(self)",
         "objective: {kind: cross_entropy, metrics: [{kind: 'parts:Hits'}]}"),
        ("objective: {kind: cross_entropy, metrics: [{kind: 'torchmetrics.functional:accuracy'}]}",
         "objective.metrics.0.kind", "name its class in torchmetrics",
         "objective: {kind: cross_entropy, metrics: [{kind: 'torchmetrics.classification:MulticlassAccuracy'}]}"),
        ("model: {kind: 'parts:net'}", "model.kind", "whose forward(self, x) returns net(x)",
         "model: {kind: 'parts:Net'}"),
        ("data: {source: digits, normalize: {kind: 'parts:scaled'}}", "data.normalize.kind",
         "name a class with fit(self, x_train)", "data: {source: digits, normalize: {kind: 'parts:Scaled'}}"),
        ("training: {epochs: 2, batch_size: 32, optimizer: adamw, schedule: [{kind: 'parts:rate'}]}",
         "training.schedule.0.kind", 'name a class with epochs = "none"',
         "training: {epochs: 2, batch_size: 32, optimizer: adamw, schedule: [{kind: 'parts:Rate'}]}"),
        ("objective: {kind: 'parts:counted'}", "objective.kind",
         "write a / behind it in the signature: (class_counts, /, ...)", "objective: {kind: 'parts:counting'}"),
    ],
)  # fmt: skip
def test_it_is_one_mistake_at_its_name_and_the_mend_is_clean(
    told: Tell, section: str, path: str, said: str, mended: str
) -> None:
    [(code, found, text)] = told(section)
    assert (code, found) == ("unfit-component", path)
    assert said in text
    assert told(mended) == []


@pytest.mark.parametrize(
    ("section", "missing"),
    [
        ("model: {kind: 'parts:made'}", ["model.inputs", "model.width"]),
        ("model: {kind: 'parts:on'}", ["model.backbone", "model.head"]),
    ],
)
def test_what_may_be_arguments_of_a_factory_is_asked_for(told: Tell, section: str, missing: list[str]) -> None:
    assert [(code, path) for code, path, _ in told(section)] == [("missing-key", path) for path in missing]


def test_a_factory_whose_arguments_are_written_is_one(told: Tell) -> None:
    assert told("model: {kind: 'parts:wide', inputs: 64}") == []
