"""The static reader on signatures as users write them; none of these modules is ever imported."""

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from craftc.compiler.language.value_type import CLASS
from craftc.compiler.own_code.signature import TargetError, read_component
from craftc.schemas.catalogue import ComponentEntry

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write modules, dotted name to source, and return the folder to search in."""

    def write_modules(modules: dict[str, str]) -> Path:
        for name, source in modules.items():
            file = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("raise RuntimeError('imported')\n" + dedent(source), encoding="utf-8")
        return tmp_path

    return write_modules


def read(folder: Path, target: str, group: Any = "models") -> ComponentEntry:
    return read_component(group, "it", target, [folder])


def types(entry: ComponentEntry) -> dict[str, dict[str, Any]]:
    return {parameter.name: parameter.type for parameter in entry.parameters}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("str", {"type": "string"}),
        ("bool", {"type": "boolean"}),
        ("None", {"type": "null"}),
        ("Any", {}),
        ("object", {}),
        ("Path", {"type": "string", "format": "path", "minLength": 1}),
        ("Literal['a', 1, -2, None]", {"enum": ["a", 1, -2, None]}),
        ("Optional[int]", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ("int | str | int", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ("Union[int, Literal['x'], Literal['y']]", {"anyOf": [{"type": "integer"}, {"enum": ["x", "y"]}]}),
        ("int | Any", {}),
        ("'int | None'", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ("list", {"type": "array"}),
        ("list[int]", {"type": "array", "items": {"type": "integer"}}),
        ("typing.List[list[str]]", {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
        ("Sequence[float]", {"type": "array", "items": {"type": "number"}}),
        ("tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
        ("tuple[int, int]", {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
        ("dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
        ("Annotated[int, Ge(1)]", {"type": "integer", "minimum": 1}),
        ("Annotated[float, Gt(0), at.Lt(1.5)]", {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5}),
        ("Annotated[float, at.Interval(ge=-1, le=1)]", {"type": "number", "minimum": -1, "maximum": 1}),
        ("Annotated[int, at.MultipleOf(8)]", {"type": "integer", "multipleOf": 8}),
        (
            "Annotated[list[int], at.Len(2, 3)]",
            {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3},
        ),
        ("Annotated[str, at.MinLen(1)]", {"type": "string", "minLength": 1}),
        ("Annotated[int, Ge(LIMIT)]", {"type": "integer", "minimum": 7}),
        ("Annotated[int | Literal['none'], Ge(1)]", {"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["none"]}]}),
        ("Annotated[Annotated[int, Ge(1)], at.Le(9)]", {"type": "integer", "minimum": 1, "maximum": 9}),
        ("Annotated[int, 'a note', print('no')]", {"type": "integer"}),
        ("LocalAlias", {"type": "integer", "minimum": 1}),
        ("LocalAlias | None", {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}),
        ("Circular", {}),
        ("Callable[[int], int]", {}),
        ("nowhere.Unheard", {}),
        ("SomeClass", {"type": "object", "required": ["kind"]}),
        ("torch.Tensor", {"type": "object", "required": ["kind"]}),
        ("int | SomeClass", {"anyOf": [{"type": "integer"}, {"type": "object", "required": ["kind"]}]}),
        ("list[SomeClass]", {"type": "array", "items": {"type": "object", "required": ["kind"]}}),
        ("type[SomeClass]", CLASS),
        ("type | None", {"anyOf": [CLASS, {"type": "null"}]}),
        ("Callable[..., SomeClass]", CLASS),
        ("numbers.Number", {"anyOf": [{"type": "integer"}, {"type": "number"}]}),
        ("numbers.Integral", {"type": "integer"}),
        ("numbers.Real | Sequence", {"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "array"}]}),
        ("Hashable", {}),
        ("Colour", {}),
        ("Shaped", {}),
        ("Named", {"type": "object"}),
        ("1 + 1", {}),
    ],
)
def test_an_annotation_becomes_json_schema(write: Write, annotation: str, schema: dict[str, Any]) -> None:
    folder = write(
        {
            "mine": f"""
        import typing
        from typing import *
        from typing import Annotated, Any, Literal, Optional, Union
        import numbers
        from collections.abc import Callable, Hashable, Sequence
        from pathlib import Path
        import annotated_types as at
        from annotated_types import Ge, Gt
        import torch
        LIMIT = 7
        LocalAlias = Annotated[int, Ge(1)]
        Circular = Circular2
        Circular2 = Circular
        class SomeClass: ...
        import enum
        class Colour(enum.Enum): ...
        class Shaped(Protocol): ...
        class Base(TypedDict): ...
        class Named(Base): ...
        def it(x: {annotation}): ...
    """
        }
    )
    assert types(read(folder, "mine:it")) == {"x": schema}


def test_aliases_are_followed_through_other_modules(write: Write) -> None:
    folder = write(
        {
            "lab.__init__": "from .models import Net",
            "lab.models": """
                from lab.star import *
                from . import numbers as n
                from .numbers import Even
                class Net:
                    def __init__(self, a: Even, b: n.Count, c: Starred): ...
            """,
            "lab.numbers": """
                from typing import Annotated
                from annotated_types import Ge, MultipleOf as Of
                Count = Annotated[int, Ge(0)]
                Even = Annotated[Count, Of(2)]
            """,
            "lab.star": "from .deeper import *",
            "lab.deeper": "from .star import *\nfrom typing import Literal\nStarred = Literal['s']",
        }
    )
    count = {"type": "integer", "minimum": 0}
    expected = {"a": {**count, "multipleOf": 2}, "b": count, "c": {"enum": ["s"]}}
    assert types(read(folder, "lab:Net")) == types(read(folder, "lab.models:Net")) == expected


def test_defaults(write: Write) -> None:
    folder = write(
        {
            "mine": """
        import math
        WIDTH = 64
        def it(a, b=3, c=-1e-3, d=(1, 2), e=None, f="x", g={"k": [True]}, h=WIDTH, i=math.nan_to_num(0), j=b"x"): ...
    """
        }
    )
    entry = read(folder, "mine:it")
    assert [p.name for p in entry.parameters if p.required] == ["a"]
    assert {p.name: p.default for p in entry.parameters if not p.required} == {
        "b": 3, "c": -1e-3, "d": [1, 2], "e": None, "f": "x", "g": {"k": [True]}, "h": 64, "i": None, "j": None,
    }  # fmt: skip


def test_injected_and_variadic_parameters(write: Write) -> None:
    folder = write(
        {
            "mine": """
        def it(params, /, *args, lr: float, **rest: int): ...
        class Box:
            @staticmethod
            def still(a, b): ...
            @classmethod
            def make(cls, a): ...
    """
        }
    )
    entry = read(folder, "mine:it", "optimizers")
    assert types(entry) == {"lr": {"type": "number"}, "**": {"type": "integer"}}
    assert [p.required for p in entry.parameters] == [True, False]
    assert list(types(read(folder, "mine:Box.still"))) == ["a", "b"]
    assert list(types(read(folder, "mine:Box.make"))) == ["a"]


def test_what_kwargs_are_handed_on_to(write: Write) -> None:
    folder = write(
        {
            "base": "class Base:\n    def __init__(self, width: int, depth=2, *, causal=False): ...",
            "mine": """
                import base
                class Encoder(base.Base):
                    def __init__(self, more: str = "x", **kwargs):
                        assert "causal" not in kwargs
                        super().__init__(causal=False, **kwargs)
                def make(depth: float, **options):
                    return base.Base(3, **options, causal=True)
                def chained(**kw):
                    return make(**kw)
                def looks(**kw):
                    return base.Base(kw.pop("width"), **kw)
                def twice(**kw):
                    return base.Base(**kw), base.Base(**kw)
                def elsewhere(**kw):
                    return print(**kw)
                def endless(**kw):
                    return endless(**kw)
            """,
        }
    )
    handed = {name: read(folder, f"mine:{name}") for name in ("Encoder", "make", "chained", "looks", "twice")}
    assert types(handed["Encoder"]) == {"more": {"type": "string"}, "width": {"type": "integer"}, "depth": {}}
    # Those that come from further on are left to their own defaults: what hands them on may look at them.
    assert [p.computed for p in handed["Encoder"].parameters] == [False, True, True]
    assert list(types(handed["make"])) == list(types(handed["chained"])) == ["depth"]
    assert list(types(handed["looks"])) == ["width", "depth", "causal"]
    assert list(types(handed["twice"])) == ["width", "depth", "causal"]
    assert list(types(read(folder, "mine:elsewhere"))) == list(types(read(folder, "mine:endless"))) == ["**"]


def test_other_ways_to_be_made(write: Write) -> None:
    folder = write(
        {
            "mine": """
                import attrs
                class New:
                    def __new__(cls, task: str): ...
                class Child(New): ...
                @attrs.define
                class Config:
                    width: int
            """
        }
    )
    assert types(read(folder, "mine:Child")) == {"task": {"type": "string"}}
    assert types(read(folder, "mine:Config")) == {"**": {}}


def test_a_default_that_is_no_plain_value_is_left_to_the_component(write: Write) -> None:
    folder = write(
        {
            "mine": """
        import math
        from dataclasses import dataclass, field
        SIZE = (3, 3)
        @dataclass
        class It:
            a: int = 3
            b: float = math.pi * 2
            c: object = (1, 2)
            d: object = SIZE
            e: list = field(default_factory=list)
            f: object = field(default=[1, {"x": None}])
    """
        }
    )
    computed = {p.name: p.computed for p in read(folder, "mine:It").parameters}
    assert computed == {"a": False, "b": True, "c": True, "d": True, "e": True, "f": False}


def test_none_as_a_default_makes_an_argument_optional(write: Write) -> None:
    folder = write({"mine": "def it(a: int = None, b: 'int | None' = None, c=None): ..."})
    optional = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert types(read(folder, "mine:it")) == {"a": optional, "b": optional, "c": {}}


def test_an_init_is_inherited_across_modules(write: Write) -> None:
    folder = write(
        {
            "base": "import torch\nclass Base(torch.nn.Module):\n    def __init__(self, *, width: int = 3): ...",
            "mine": """
                from typing import Generic, TypeVar
                from torch import nn
                from base import Base
                import elsewhere
                T = TypeVar("T")
                class Child(Base):
                    constraints = ("width > 1",)
                class Grandchild(Generic[T], Child): ...
                class Bare(nn.Module): ...
                class Unknown(elsewhere.Thing): ...
                class Endless(Endless): ...
            """,
        }
    )
    assert types(read(folder, "mine:Grandchild")) == {"width": {"type": "integer"}}
    assert read(folder, "mine:Grandchild").constraints == ("width > 1",)
    assert types(read(folder, "mine:Bare")) == {}
    assert types(read(folder, "mine:Unknown")) == {"**": {}}
    assert list(types(read(folder, "mine:Endless"))) == ["**"]


def test_dataclasses(write: Write) -> None:
    folder = write(
        {
            "mine": """
        import dataclasses
        from dataclasses import KW_ONLY, dataclass, field
        from typing import ClassVar
        @dataclass
        class Base:
            a: int
        @dataclasses.dataclass(frozen=True)
        class Config(Base):
            kind: ClassVar[str] = "no"
            _: KW_ONLY
            b: float = 0.5
            c: list[int] = field(default_factory=list)
            d: int = field(init=False)
            e: str = field(default="x")
            @property
            def f(self) -> int: ...
    """
        }
    )
    entry = read(folder, "mine:Config")
    assert [(p.name, p.required, p.default) for p in entry.parameters] == [
        ("a", True, None), ("b", False, 0.5), ("c", False, None), ("e", False, "x"),
    ]  # fmt: skip


def test_docstrings_of_class_and_init(write: Write) -> None:
    folder = write(
        {
            "mine": '''
        class It:
            """Counts
            things.

            At length.

            Args:
                a: The first, on
                    two lines.
            """
            def __init__(self, a: int, b: int, c: int):
                """Make one.

                Args:
                    b (int): The second.
                """
    '''
        }
    )
    entry = read(folder, "mine:It")
    assert (entry.summary, entry.doc) == ("Counts things.", "At length.")
    assert [p.doc for p in entry.parameters] == ["The first, on two lines.", "The second.", ""]


def test_facts_of_the_data_may_be_inferred_in_models_alone(write: Write) -> None:
    folder = write({"mine": "def it(*, num_classes: int, num_features, width: int): ..."})
    entry = read(folder, "mine:it")
    assert types(entry)["num_classes"] == {"anyOf": [{"type": "integer"}, {"const": "infer"}]}
    assert types(entry)["num_features"] == {"anyOf": [{"type": "integer"}, {"const": "infer"}]}
    assert [(p.required, p.default) for p in entry.parameters] == [(False, "infer"), (False, "infer"), (True, None)]
    assert types(read(folder, "mine:it", "sources"))["num_classes"] == {"type": "integer"}


@pytest.mark.parametrize(
    ("body", "mode"), [("mode = 'min'", "min"), ("higher_is_better = True", "max"), ("pass", None)]
)
def test_the_better_direction_of_a_metric(write: Write, body: str, mode: str | None) -> None:
    folder = write({"mine": f"class It:\n    {body}\nclass Child(It): ..."})
    assert read(folder, "mine:Child", "metrics").mode == mode
    assert read(folder, "mine:Child", "models").mode is None


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("mine.It", "not of the form"),
        ("mine:", "not of the form"),
        ("mine:It now", "not of the form"),
        ("nowhere.at_all:It", 'module "nowhere.at_all"'),
        ("sys:exit", 'module "sys"'),
        ("mine:Missing", 'module "mine" has no "Missing"'),
        ("mine:NUMBER", "neither a class nor a function"),
        ("mine:Lost", "leads to elsewhere.Lost"),
        ("broken:It", "cannot be read as Python"),
        ("mine:It.method", "a method"),
    ],
)
def test_a_target_that_cannot_be_read_says_why(write: Write, target: str, part: str) -> None:
    folder = write(
        {"mine": "from elsewhere import Lost\nNUMBER = 1\nclass It:\n    def method(self): ...", "broken": "def ("}
    )
    with pytest.raises(TargetError, match=part):
        read(folder, target)


def test_a_misspelt_name_gets_a_suggestion(write: Write) -> None:
    with pytest.raises(TargetError) as raised:
        read(write({"mine": "class Network: ..."}), "mine:Netwrok")
    assert raised.value.hint == 'did you mean "Network"?'


def test_near_names_that_come_from_elsewhere(write: Write) -> None:
    folder = write({"lab.__init__": "from .models import *", "lab.models": "class Network: ..."})
    for target, near in [("lab:Netwrok", "Network"), ("lab.modles:Network", "lab.models"), ("lba.models:N", "lab")]:
        with pytest.raises(TargetError) as raised:
            read(folder, target)
        assert raised.value.hint == f'did you mean "{near}"?'


def test_torch_is_read_and_not_imported() -> None:
    before = set(sys.modules)
    entry = read_component("models", "linear", "torch.nn:Linear")
    assert types(entry)["in_features"] == {"type": "integer"}
    assert entry.parameter("bias") is not None
    assert not {name for name in set(sys.modules) - before if name.startswith("torch")}
