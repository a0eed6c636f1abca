"""What an empty list means is declared by the component whose argument it is."""

from pathlib import Path

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec

SPEC = """craftc: 1
name: own
data: {source: digits}
model: {kind: "nets:Net", widths: []}
objective: cross_entropy
training: {epochs: 1, batch_size: 32, optimizer: adamw}
"""
NETS = """from typing import Annotated
from annotated_types import MinLen
from torch import nn

class Net(nn.Module):
    empty_means = {"widths": "write depth: 0"}
    def __init__(self, widths: Annotated[list[int], MinLen(1)] = (1,), depth: int = 1): ...
    def forward(self, x): ...
"""


def hints(folder: Path, nets: str, spec: str = SPEC) -> list[str | None]:
    (folder / "nets.py").write_text(nets)
    return [d.hint for d in compile_spec(spec, str(folder / "x.yaml"), built_in_catalogue()).diagnostics]


def test_of_ones_own(tmp_path: Path) -> None:
    assert hints(tmp_path, NETS) == ["write depth: 0"]


def test_of_a_built_in_and_its_mend_is_clean(tmp_path: Path) -> None:
    spec = SPEC.replace('{kind: "nets:Net", widths: []}', "{kind: mlp, hidden: []}")
    assert hints(tmp_path, NETS, spec) == ["without hidden layers it is the model linear: {kind: linear}"]
    assert hints(tmp_path, NETS, spec.replace("{kind: mlp, hidden: []}", "{kind: linear}")) == []


def test_it_names_arguments(tmp_path: Path) -> None:
    spec = SPEC.replace(", widths: []", "")
    [found] = compile_with(tmp_path, NETS.replace('{"widths": ', '{"width": '), spec)
    assert found.startswith('"nets:Net" declares empty_means = ')
    assert 'it has no argument "width"' in found


def compile_with(folder: Path, nets: str, spec: str) -> list[str]:
    (folder / "nets.py").write_text(nets)
    return [d.message for d in compile_spec(spec, str(folder / "x.yaml"), built_in_catalogue()).diagnostics]
