"""What a program may hand over as its state, and that reading it runs no code."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from craftc.training.programs import state_values
from craftc.training.programs.metrics import ReportError
from craftc.training.programs.state_values import StateError, decoded, encoded

VALUES: dict[str, Any] = {
    "epoch": 3, "name": "lab", "none": None, "pair": (1, 2.5), "seen": {1, 2}, "raw": b"\x00", "deep": [{"x": [True]}],
    "array": np.arange(6.0).reshape(2, 3), "float32": np.float32(0.5), "words": np.array(["a", "bc"]),
    "ordered": OrderedDict(a=1),
}  # fmt: skip


@pytest.mark.parametrize("with_torch", [True, False])
def test_what_is_read_is_what_was_handed_over(monkeypatch: pytest.MonkeyPatch, with_torch: bool) -> None:
    state = dict(VALUES)
    if with_torch:
        net = torch.nn.Linear(2, 1)
        state |= {
            "net": net.state_dict(),
            "rng": torch.get_rng_state(),
            "opt": torch.optim.Adam(net.parameters()).state_dict(),
        }
    else:
        modules = {name: module for name, module in state_values.sys.modules.items() if name != "torch"}
        monkeypatch.setattr(state_values.sys, "modules", modules)
    content = encoded(state)
    assert content.startswith(b"PK") is with_torch
    read = decoded(content)
    assert read.keys() == state.keys()
    for name in ("array", "words"):
        np.testing.assert_array_equal(read.pop(name), state.pop(name))
    if with_torch:
        assert torch.equal(read.pop("rng"), state.pop("rng"))
        assert all(torch.equal(read["net"][name], tensor) for name, tensor in state["net"].items())
        read.pop("net")
        state.pop("net")
    assert read == state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"model": torch.nn.Linear(1, 1)},
            r"state\['model'\] is a torch.nn.modules.linear.Linear, .*its state_dict\(\)",
        ),
        ([1, {"path": Path("x")}], r"state\[1\]\['path'\] is a pathlib.PosixPath"),
        ({(1, 2): 3}, "a key of state is a tuple"),
        (np.array([object()]), "state is a numpy.ndarray"),
    ],
)
def test_what_is_no_value_is_refused_with_its_place(state: Any, message: str) -> None:
    with pytest.raises(ReportError, match=message) as raised:
        encoded(state)
    assert raised.value.code == "program-bad-state"


class Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("bombed",)


@pytest.mark.parametrize(
    "content", [pickle.dumps(Bomb()), pickle.dumps({"x": Bomb()}), b"", b"PK nonsense", b"\x80\x05."]
)
def test_reading_runs_no_code(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StateError):
        decoded(content)
    assert not (tmp_path / "bombed").exists()
