"""A complete spec to YAML, with the origin of each value as a comment behind it."""

from dataclasses import dataclass, field

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

from craftc.compiler.resolved.resolved_spec import Item, ResolvedSpec
from craftc.compiler.resolved.yaml_text import in_comment, on_one_line, styled, text_of

_INDENT = 2


def as_yaml(spec: ResolvedSpec) -> str:
    """The spec as a text that can be saved anywhere and plans to the same trials."""
    lines = [f"# {in_comment(spec.filename)}, complete: every default and every included file is written in."]
    lines += [
        f"# {in_comment(name)} is included in {in_comment(where.filename)}:{where.start.line}."
        for name, where in spec.files.items()
    ]
    document = _Document()
    text = text_of(document.mapping(spec.root, 0))
    rest = [" " * comment.column + comment.text for comment in document.waiting]
    return "\n".join(lines) + "\n" + text + "".join(f"{line}\n" for line in rest)


@dataclass(frozen=True)
class _Comment:
    """A line of its own."""

    text: str
    column: int

    def token(self) -> CommentToken:
        return CommentToken(f"{self.text}\n", CommentMark(self.column), None)


@dataclass
class _Document:
    """Builds ruamel's values from the first to the last. `waiting`: comments that stand above what comes next."""

    waiting: list[_Comment] = field(default_factory=list)

    def mapping(self, item: Item, column: int) -> CommentedMap:
        assert isinstance(item.children, dict)
        made = CommentedMap()
        for name, child in item.children.items():
            if child.is_written:
                key = styled(name)
                above = self._above()
                made[key] = self._value(child, column + _INDENT)
                # In ruamel's order: of the key, above it, behind the value, above the value.
                made.ca.items[key] = [None, above, _behind(child), None]
            else:
                self._leave_out(name, child, column)
        self._tell_unset(item, column)
        return made

    def _sequence(self, item: Item, column: int) -> CommentedSeq:
        assert isinstance(item.children, list)
        made = CommentedSeq()
        for child in item.children:
            above = self._above()
            made.append(self._value(child, column + _INDENT))
            made.ca.items[len(made) - 1] = [_behind(child), above]
        return made

    def _value(self, item: Item, column: int) -> object:
        if item.children is None:
            return styled(item.value)
        return self.mapping(item, column) if isinstance(item.children, dict) else self._sequence(item, column)

    def _leave_out(self, name: str, item: Item, column: int) -> None:
        """As a comment: without it, a key whose values are all left out would have none, which is a mistake."""
        start = f"# {on_one_line(name)}:"
        if item.children is None:
            text = f"{start} {on_one_line(item.value)}  # {_origin(item)}, left out: it is set elsewhere"
            self.waiting.append(_Comment(text, column))
        else:
            assert isinstance(item.children, dict)
            self.waiting.append(_Comment(start, column))
            for inner, child in item.children.items():
                self._leave_out(inner, child, column + _INDENT)
            self._tell_unset(item, column + _INDENT)

    def _tell_unset(self, item: Item, column: int) -> None:
        if item.unset:
            self.waiting.append(_Comment(f"# not set: {', '.join(item.unset)}", column))

    def _above(self) -> list[CommentToken]:
        above, self.waiting = [comment.token() for comment in self.waiting], []
        return above


def _behind(item: Item) -> CommentToken | None:
    # A space of its own beside that of ruamel.
    return None if item.children is not None else CommentToken(f" # {_origin(item)}\n", CommentMark(0), None)


def _origin(item: Item) -> str:
    if item.place is None:
        return "default"
    place = f"{in_comment(item.place.filename)}:{item.place.start.line}"
    return f"env {', '.join(item.variables)}, {place}" if item.variables else place
