"""What the table of a spec gives by the roles of its columns, as far as the spec or the beginning of its file shows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from craftc.compiler.checking.rules.data_kinds import Kinds, given_kinds
from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.data_files.column_roles import COLUMNS, NUMERIC, TableColumn, is_typed, token_names
from craftc.compiler.data_files.look import look
from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import TargetKind, is_own

_ONE_INPUT = ("x",)


def _is_table(checked: Checked) -> bool:
    source = checked.spec.data.source
    entry = checked.catalogue.find("sources", source.kind)
    has_roles = not is_own(source.kind) and entry is not None and entry.parameter("columns") is not None
    return has_roles and isinstance(source.args.get("target"), str)


def _seen(checked: Checked) -> tuple[TableColumn, ...]:
    source = checked.spec.data.source
    return () if checked.folder is None else look({"kind": source.kind, **source.args}, checked.folder).columns


def target_of_table(checked: Checked) -> TargetKind | None:
    """Classes or a quantity; None of what is no table, and where it is not known."""
    if not _is_table(checked):
        return None
    args = checked.spec.data.source.args
    said, target = args.get("columns", "none"), args["target"]
    if said == "none":
        return "class"
    if isinstance(said, Mapping) and target in said:
        role = said[target]
    else:
        role = next((column.role for column in _seen(checked) if column.is_target), None)
    return "real" if role == "number" else "class" if role == "category" else None


def with_its_role(problems: Iterable[Problem], kind: TargetKind, target: str) -> Iterator[Problem]:
    """The same, with the role that the target would have to have."""
    other = f"columns: {{{target}: {'number' if kind == 'class' else 'category'}}}"
    for problem in problems:
        hint = f"{problem.hint}; or write {other}" if problem.hint else f"write {other}"
        yield replace(problem, hint=hint, reads=(*problem.reads, COLUMNS))


def inputs_of_table(checked: Checked) -> tuple[str, ...]:
    """The names of its inputs, as a model may ask for them; nothing where they are not known."""
    if not _is_table(checked):
        return ()
    if not is_typed(checked.spec.data.source.args):
        return _ONE_INPUT
    inputs = [column for column in _seen(checked) if not column.is_target]
    has = {"numbers": any(c.role in NUMERIC for c in inputs), "categories": any(c.role == "category" for c in inputs)}
    tables = tuple(name for name, is_there in has.items() if is_there)
    texts = [column.name for column in inputs if column.role == "text"]
    return (*tables, *(name for names in token_names(texts) for name in names)) if texts else tables


def kinds_of(checked: Checked) -> Kinds:
    """The kinds of data that the source gives; of a table, by what its columns are."""
    declared = given_kinds(checked.spec.data.source.kind, checked.catalogue)
    if not _is_table(checked) or "text" not in declared:
        return declared
    without = tuple(kind for kind in declared if kind != "text")
    if not is_typed(checked.spec.data.source.args):
        return without
    roles = {column.role for column in _seen(checked) if not column.is_target}
    said = checked.spec.data.source.args.get("columns")
    if not roles and isinstance(said, Mapping) and "text" in said.values():
        return declared  # a file that linting does not read, which may have more inputs
    if "text" not in roles:
        return without
    return declared if roles & {*NUMERIC, "category"} else ("text",)
