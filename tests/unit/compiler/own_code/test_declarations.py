"""What a component of a user's own declares of itself, read from its source as a class attribute or a decorator."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from craftc.compiler.own_code.declarations import DeclarationError
from craftc.compiler.own_code.signature import read_component
from craftc.schemas.catalogue import ComponentEntry, FrozenParts, Group

MODULE = """
    from pathlib import Path
    from typing import Annotated, ClassVar
    from craftc.components.bounds import MODEL, WEIGHTS
    from craftc.components import declare
    from craftc.components.declare import declares
    from craftc.components.declare import declares as says
    from .kinds import NUMBERS
    from .kinds import declares as again
    Setting = Annotated[dict, MODEL]
"""
METRIC = """class it:
    {}
    def reset(self): ...
    def update(self, logits, targets): ...
    def compute(self): ...
"""
FROZEN = "@declares(frozen_parts={'backbone': 'encoder', 'weights': 'file', 'head': 'readout'})\n"
KINDS = """
    from craftc.components.declare import declares
    NUMBERS = ["table", "images"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "__init__.py").touch()
    (tmp_path / "lab" / "kinds.py").write_text(dedent(KINDS))
    return tmp_path


def read(folder: Path, source: str, group: Group = "models", name: str = "it") -> ComponentEntry:
    (folder / "lab" / "parts.py").write_text(dedent(MODULE) + dedent(source))
    return read_component(group, "it", f"lab.parts:{name}", [folder])


def refused(folder: Path, source: str, group: Group = "models") -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        read(folder, source, group)
    return caught.value


@pytest.mark.parametrize(
    ("source", "takes"),
    [
        ("class it: pass", ()),
        ("class it:\n    takes = ('text',)", ("text",)),
        ("class it:\n    takes: ClassVar[tuple[str, ...]] = ('table', 'images')", ("images", "table")),
        ("class it:\n    takes = NUMBERS", ("images", "table")),
        ("class base:\n    takes = ('text',)\nclass it(base): pass", ("text",)),
        ("class base:\n    takes = ('text',)\nclass it(base):\n    takes = ('table',)", ("table",)),
        ("class base:\n    takes = ('text',)\nclass it(base):\n    takes = None", ()),
        ("@declares(takes=('text',))\ndef it(): ...", ("text",)),
        ("@says(takes=['text'])\ndef it(): ...", ("text",)),
        ("@again(takes=NUMBERS)\ndef it(): ...", ("images", "table")),
        ("@declare.declares(takes=('text',))\nclass it: ...", ("text",)),
        ("@declares(takes=('text',))\nclass base: ...\nclass it(base): ...", ("text",)),
        ("def wraps(f): return f\n@wraps\n@declares(takes=('text',))\ndef it(): ...", ("text",)),
        ("class it:\n    def __init__(self):\n        self.takes = 'anything'", ()),
        ("class it:\n    @property\n    def takes(self): ...", ()),
    ],
)
def test_where_a_declaration_is_read(folder: Path, source: str, takes: tuple[str, ...]) -> None:
    assert read(folder, source).takes == takes


def test_a_decorated_class_keeps_its_arguments(folder: Path) -> None:
    source = "class base:\n    def __init__(self, width: int): ...\n@declares(takes=('text',))\nclass it(base): ..."
    assert [parameter.name for parameter in read(folder, source).parameters] == ["width"]


@pytest.mark.parametrize(
    ("group", "source", "field", "value"),
    [
        ("sources", "@declares(gives=('images', 'table'))\ndef it(): ...", "gives", ("images", "table")),
        (
            "sources",
            "class it:\n    facts = {'num_samples': 7, 'line_length': 3}",
            "facts",
            {"num_samples": 7, "line_length": 3},
        ),
        (
            "sources",
            "@declares(seed_unused_at={'noise': 0.0})\ndef it(*, noise: float = 0.1, seed: int = 0): ...",
            "seed_unused_at",
            {"noise": 0.0},
        ),
        ("normalizers", "class it:\n    pools_columns = 'takes one rank'", "pools_columns", "takes one rank"),
        ("augmentations", "@declares(semantics_version=3)\ndef it(): ...", "semantics_version", 3),
        (
            "models",
            FROZEN + "def it(*, encoder: Setting, file: Annotated[Path, WEIGHTS] | None, readout: Setting): ...",
            "frozen_parts",
            FrozenParts("encoder", "file", "readout"),
        ),
        (
            "schedules",
            "class it:\n    patience_argument = 'wait'\n    def __init__(self, wait: int): ...",
            "patience_argument",
            "wait",
        ),
        ("metrics", METRIC.format("bounds = (0.0, 1.0)"), "bounds", (0.0, 1.0)),
        ("metrics", METRIC.format("trivial = 'class_frequencies'"), "trivial", "class_frequencies"),
    ],
)
def test_what_each_group_declares(folder: Path, group: Group, source: str, field: str, value: Any) -> None:
    entry = read(folder, source, group)
    assert getattr(entry, field) == value
    other: Group = "optimizers"
    if source.startswith("class") and "__init__" not in source:
        assert getattr(read(folder, source.replace(":\n", ":\n    def step(self): ...\n", 1), other), field) != value


@pytest.mark.parametrize(
    ("group", "source", "message", "hint"),
    [
        ("models", "class it:\n    takes = ('image',)", '"image" is no kind of data', 'did you mean "images"?'),
        ("models", "class it:\n    takes = ('sound',)", '"sound" is no kind', "there are images, table, text"),
        ("models", "class it:\n    takes = 'text'", "expected a tuple of images, table or text", 'write ("text",)'),
        ("models", "class it:\n    takes = ()", "expected a tuple", None),
        ("models", "class it:\n    takes = 3", "expected a tuple", None),
        ("models", "class it:\n    semantics_version = 0", "0 is no whole number >= 1", None),
        ("models", "class it:\n    semantics_version = True", "true is no whole number >= 1", None),
        (
            "models",
            "class it:\n    takes = tuple(NUMBERS)",
            "linting reads it and computes nothing",
            "write the value out",
        ),
        ("models", "class it:\n    takes = {'text'}", "linting reads it and computes nothing", "write the value out"),
        (
            "models",
            "class base:\n    takes = ('txt',)\nclass it(base): ...",
            '"txt" is no kind',
            'did you mean "text"?',
        ),
        ("models", "@declares(takes=('image',))\ndef it(): ...", '"image" is no kind', 'did you mean "images"?'),
        ("models", "@declares(take=('text',))\ndef it(): ...", "no such declaration", 'did you mean "takes"?'),
        ("models", "@declares('text')\ndef it(): ...", "no such declaration", "craftc knows takes, gives"),
        ("models", "@declares(**NUMBERS)\ndef it(): ...", "no such declaration", "craftc knows takes, gives"),
        ("models", "@declares(gives=('text',))\ndef it(): ...", "that is for sources, and not for models", None),
        ("sources", "class it:\n    facts = {'num_class': 3}", '"num_class" is no fact', 'did you mean "num_classes"?'),
        (
            "sources",
            "class it:\n    facts = {'num_classes': 0}",
            "num_classes is 0; expected a whole number >= 1",
            None,
        ),
        ("sources", "class it:\n    facts = {'num_classes': True}", "num_classes is true", None),
        ("sources", "class it:\n    facts = 3", "expected whole numbers by name", None),
        ("sources", "class it:\n    seed_unused_at = {}", "expected values by the names of arguments", None),
        (
            "sources",
            "@declares(seed_unused_at={'noise': 0})\ndef it(*, noise: float = 0.0): ...",
            'it has no argument "seed"',
            None,
        ),
        ("normalizers", "class it:\n    pools_columns = True", "expected words that say what it does", None),
        (
            "schedules",
            "class it:\n    patience_argument = 'wait'\n    def __init__(self, waits: int): ...",
            'it has no argument "wait"',
            'did you mean "waits"?',
        ),
        (
            "models",
            "class it:\n    frozen_parts = {'head': 'head'}",
            "expected the names of arguments for backbone",
            None,
        ),
        (
            "metrics",
            METRIC.format("bounds = (1.0, 0.0)"),
            "expected its least and its greatest value",
            "write (0.0, 1.0)",
        ),
        ("metrics", METRIC.format("bounds = 1.0"), "expected its least and its greatest value", "write (0.0, 1.0)"),
        ("metrics", METRIC.format("trivial = 'frequencies'"), "no such predictor", "write class_frequencies"),
    ],
)
def test_what_is_not_understood(folder: Path, group: Group, source: str, message: str, hint: str | None) -> None:
    error = refused(folder, source, group)
    assert message in error.message
    assert error.message.startswith("declares ")
    assert (error.hint or "").startswith(hint or "")
    assert (error.hint is None) == (hint is None)
    [place] = error.related
    line = (folder / "lab" / "parts.py").read_text().splitlines()[place.range.start.line - 1]
    assert place.range.filename == str(folder / "lab" / "parts.py")
    assert line.lstrip().startswith(
        ("takes", "facts", "seed_", "pools", "patience", "frozen", "semantics", "bounds", "trivial", "@declares")
    )


def test_packages_and_ranges_are_read(folder: Path) -> None:
    source = """class it:
    packages = {"timm": "vision", "lab_kernels": ""}
    search_ranges = {"width": {"log_int": [8, 256]}, "norm": {"choice": ["batch", "none"]}}
    def __init__(self, width: int = 64, norm: str = "batch"): ...
"""
    entry = read(folder, source)
    assert entry.packages == {"timm": "vision", "lab_kernels": ""}
    assert entry.search_ranges == {"width": {"log_int": [8, 256]}, "norm": {"choice": ["batch", "none"]}}


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("packages = ('timm',)", "expected packages, with an extra for each"),
        ("packages = {'py-torch': 'x'}", '"py-torch" is no name that Python imports'),
        ("search_ranges = {'widht': {'int': [1, 2]}}", 'it has no argument "widht"'),
        ("search_ranges = {'width': [8, 256]}", "the range of width is a list of 2; expected one of"),
        ("search_ranges = {'width': {'log_int': [8, 9], 'int': [8, 9]}}", "expected one of"),
    ],
)
def test_packages_and_ranges_that_are_not_understood(folder: Path, stated: str, says: str) -> None:
    source = f"class it:\n    {stated}\n    def __init__(self, width: int = 64): ...\n"
    assert says in refused(folder, source).message
