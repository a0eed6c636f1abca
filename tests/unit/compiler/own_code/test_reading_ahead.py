"""What lint reads of own code beyond a signature: other names, factories, arities, classes in arguments."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Compiled, compile_spec

SPEC = """craftc: 1
name: x
data: {source: digits}
model: %s
objective: %s
training: {epochs: 2, batch_size: 8, optimizer: %s}
"""
NETS = """
    import functools
    from numbers import Number
    from torch import nn
    import torch
    from lab.layers import Layer as Renamed, make_layers as made

    class Net(nn.Module):
        def __init__(self, num_classes: int, rate: Number = 1, size: tuple[int, int] = (8, 8), act=nn.ReLU): ...
        def forward(self, x, *, mask=None, **more): ...

    Alias = Net
    Again = Alias
    Layer = Renamed
    Same = Same

    class Deep(Alias):
        pass

    def _net(block, layers, weights, progress, *args, **kwargs):
        if weights is not None:
            _name(kwargs, "num_classes", 1000)
        kwargs.setdefault("act", nn.ReLU)
        width = kwargs.pop("width", 1.5)
        return Net(**kwargs)

    @functools.lru_cache
    def small(*, weights=None, progress: bool = True, **kwargs):
        return _net(Net, [2, 2], weights, progress, **kwargs)

    def two(**kwargs):
        setting = _setting(3, **kwargs)
        return Net(**kwargs)

    def _setting(arch: int, size=(1, 1), reduced: bool = False, rate=1): ...

    def by_class(**kwargs):
        return Maker.make(1, **kwargs)

    class Maker:
        @classmethod
        def make(cls, depth: int, width: int = 3): ...

    def kept(**kwargs):
        everything = kwargs
        return Net(**kwargs)

    def returned(name="small", **kwargs) -> Alias:
        return _any(Net, name, **dict(width=3, **kwargs))

    def _name(kwargs, key, value): ...
"""
LAYERS = """
    from torch import nn

    class Layer(nn.Module):
        def __init__(self, num_classes: int): ...
        def forward(self, x): ...

    def make_layers(): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, source in {
        "pyproject.toml": "",
        "lab/__init__.py": "",
        "lab/nets.py": NETS,
        "lab/layers.py": LAYERS,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(source))
    return tmp_path


def compiled(project: Path, model: str, objective: str = "cross_entropy", optimizer: str = "adamw") -> Compiled:
    return compile_spec(SPEC % (model, objective, optimizer), str(project / "x.yaml"), built_in_catalogue())


def model_of(project: Path, model: str) -> dict[str, Any]:
    found = compiled(project, model)
    assert found.diagnostics == (), found.diagnostics
    assert found.plan is not None
    config: dict[str, Any] = found.plan.trials[0].config["model"]
    return config


def told(project: Path, *sections: str) -> list[str]:
    return [d.message for d in compiled(project, *sections).diagnostics]


@pytest.mark.parametrize("name", ["Net", "Alias", "Again", "Deep"])
def test_another_name_is_the_same_class(project: Path, name: str) -> None:
    found = model_of(project, f"{{kind: lab.nets:{name}, rate: 2}}")
    assert (found["rate"], found["num_classes"]) == (2, "infer")
    assert isinstance(found["rate"], int), "a number that is whole stays so"


def test_a_name_that_is_imported_under_another_and_renamed_is_followed(project: Path) -> None:
    assert model_of(project, "lab.nets:Layer") == {"kind": "lab.nets:Layer", "num_classes": "infer"}
    assert model_of(project, "lab.nets:Renamed")["num_classes"] == "infer"
    assert "neither a class nor a function" in told(project, "lab.nets:Same")[0]


def test_kwargs_of_a_factory_are_those_of_what_it_makes(project: Path) -> None:
    found = model_of(project, "{kind: lab.nets:small, size: [4, 4], width: 2.0}")
    assert found == {
        "kind": "lab.nets:small", "weights": None, "progress": True, "num_classes": "infer", "size": [4, 4],
        "width": 2.0,
    }  # fmt: skip
    assert 'unknown key "sizes"' in told(project, "{kind: lab.nets:small, sizes: [4, 4]}")[0]
    assert '"model.size" is a list of 3' in told(project, "{kind: lab.nets:small, size: [4, 4, 4]}")[0]


def test_what_several_calls_are_handed_all_of_them_take(project: Path) -> None:
    assert model_of(project, "{kind: lab.nets:two, size: [2, 2], rate: 3}")["rate"] == 3
    for name in ("reduced: true", "act: 1"):
        assert "unknown key" in told(project, f"{{kind: lab.nets:two, {name}}}")[0]
    assert "unknown key" in told(project, "{kind: lab.nets:by_class, depth: 2}")[0]
    assert model_of(project, "{kind: lab.nets:by_class, width: 2}")["width"] == 2


def test_kwargs_that_cannot_be_followed_are_not_checked(project: Path) -> None:
    [note] = compiled(project, "{kind: lab.nets:kept, whatever: 1}").diagnostics
    assert (note.code, note.severity) == ("unchecked-argument", "note")
    assert model_of(project, "lab.nets:kept") == {"kind": "lab.nets:kept"}
    # What such a factory says that it returns is told of the data.
    assert model_of(project, "lab.nets:returned") == {
        "kind": "lab.nets:returned", "name": "small", "num_classes": "infer",
    }  # fmt: skip


def test_a_class_in_an_argument_is_one_by_as(project: Path) -> None:
    act = {"kind": "torch.nn:GELU", "as": "class", "approximate": "tanh"}
    found = model_of(project, "{kind: lab.nets:Net, act: {kind: torch.nn:GELU, as: class, approximate: tanh}}")
    # Its other arguments are left to whoever calls it.
    assert found["act"] == act
    assert model_of(project, "{kind: lab.nets:Net, act: {kind: torch.nn:Linear, as: class}}")["act"] == {
        "kind": "torch.nn:Linear", "as": "class",
    }  # fmt: skip
    wrong = told(project, "{kind: lab.nets:Net, act: {class: torch.nn:GELU}}")
    assert wrong == ['"model.act" names a class in a form that there is not']


FORWARDS = {
    "(self, x)": True,
    "(self, x, mask=None)": True,
    "(self, *inputs)": True,
    "(self, x, /, *, scale=1)": True,
    "(self, **inputs)": False,
    "(self)": False,
    "(self, x, mask)": False,
    "(self, x, *, mask)": False,
    "(self, x, mask: None | int, other: 'Optional[int]')": True,
    "(self, x, mask: list[None])": False,
}


@pytest.mark.parametrize(("signature", "fits"), FORWARDS.items())
def test_a_forward_that_takes_one_batch(project: Path, signature: str, fits: bool) -> None:
    net = f"from torch import nn\nclass Base(nn.Module):\n    def forward{signature}: ...\nclass Net(Base): ...\n"
    (project / "lab" / "own.py").write_text(net)
    found = told(project, "lab.own:Net")
    assert (found == []) is fits
    said = (
        '"lab.own:Net" must be given mask'
        if "mask" in signature
        else '"lab.own:Net" cannot be a model: its forward takes ('
    )
    assert fits or found[0].startswith(said)


def test_a_forward_that_is_decorated_or_made_elsewhere_is_left_to_be_tried(project: Path) -> None:
    text = """
        from torch import nn
        from nowhere import Base, wrap
        class Decorated(nn.Module):
            @wrap
            def forward(self, x, mask): ...
        class Assigned(nn.Module):
            forward = wrap(3)
        class Derived(Base):
            pass
        class First(Base, nn.Module):
            pass
    """
    (project / "lab" / "own.py").write_text(dedent(text))
    for name in ("Decorated", "Assigned", "Derived", "First"):
        assert told(project, f"lab.own:{name}") == []


def test_torchs_own_modules_are_held_to_the_same(project: Path) -> None:
    assert told(project, "mlp", "torch.nn:CrossEntropyLoss") == []
    assert "must be given negative" in told(project, "mlp", "torch.nn:TripletMarginLoss")[0]
    assert "must be given tgt" in told(project, "{kind: torch.nn:Transformer}")[0]
