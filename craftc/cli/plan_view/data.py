"""What the data of a plan looks like, as far as its files show it without numpy: samples, splits, classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from craftc.compiler.data_files.column_roles import NUMERIC, TableColumn
from craftc.compiler.data_files.look import look_at_data
from craftc.compiler.data_files.seen import MOST_BYTES
from craftc.compiler.data_files.split_sizes import declared_samples, empty_splits, split_sizes
from craftc.compiler.reading.problem import Problem, classes_of
from craftc.compiler.variants.blame import blame
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.spec import Data, Spec
from craftc.schemas.split_roles import ROLE_OF_NAME, Role
from craftc.schemas.splits import Splits

if TYPE_CHECKING:
    from craftc.compiler.analyse import Analysis


BY_FRACTIONS = "fractions"


@dataclass(frozen=True)
class DataView:
    """One `data` section. What its files do not show is None; `sizes` are about right where it is stratified."""

    source: str
    path: str | None
    num_samples: int | None
    sizes: dict[str, int] | None
    is_stratified: bool
    class_names: tuple[str, ...] | None
    roles: dict[str, Role]
    split_by: str
    columns: tuple[TableColumn, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `craftc plan --format json`."""
        sizes = {"splits": self.sizes, "stratified": self.is_stratified}
        return (
            {"source": self.source, "path": self.path, "num_samples": self.num_samples}
            | sizes
            | {"classes": None if self.class_names is None else list(self.class_names)}
            | {"roles": self.roles, "split_by": self.split_by}
            | ({"columns": [column_json(column) for column in self.columns]} if self.columns else {})
        )

    def _role(self, name: str) -> str:
        """The role of a split whose name does not say it."""
        return "" if name in ROLE_OF_NAME else f" ({self.roles[name]})"

    @property
    def line(self) -> str | None:
        """In words; None where nothing is known."""
        parts = []
        if self.num_samples is not None:
            parts.append(f"{self.num_samples:,} samples")
        if self.sizes is not None:
            sizes = ", ".join(f"{name} {size:,}{self._role(name)}" for name, size in self.sizes.items())
            parts.append(f"{'about ' if self.is_stratified else ''}{sizes}")
        if self.split_by != BY_FRACTIONS:
            names = "" if self.sizes else f" {', '.join(f'{name}{self._role(name)}' for name in self.roles)}"
            parts.append(f"splits{names} by {self.split_by}")
        if self.class_names is not None:
            parts.append(f"{len(self.class_names):,} classes, from number 0: {classes_of(self.class_names)}")
        return f"data of {self.source}{f' {self.path}' if self.path else ''}: {'; '.join(parts)}" if parts else None


def column_json(column: TableColumn) -> dict[str, Any]:
    """For plans and checks."""
    counts = {"gaps": column.gaps, "distinct": column.distinct}
    return {"name": column.name, "role": _role(column), "kind": _kind(column), "guessed": column.guessed} | counts


def _role(column: TableColumn) -> str:
    return "target" if column.is_target else column.role


def _kind(column: TableColumn) -> str | None:
    """What a model, or its objective, is given of it."""
    if column.role in NUMERIC:
        return "real"
    return {"category": "class", "text": "token"}.get(column.role)


def column_lines(columns: Sequence[TableColumn]) -> list[str]:
    """A line for each column of a table: what it is for, and who says so."""
    if not columns:
        return []
    cells: list[tuple[str, ...]] = [("column", "role", "said by", "gaps", "values")]
    for column in columns:
        role = f"target ({column.role})" if column.is_target else column.role
        who = "guessed, doubtful" if column.doubt else "guessed" if column.guessed else "the spec"
        counts = ["" if number is None else f"{number:,}" for number in (column.gaps, column.distinct)]
        cells.append((column.name or "(no name)", role, who, *counts))
    widths = [max(len(row[index]) for row in cells) for index in range(5)]
    lines = []
    for row in cells:
        texts = [text.ljust(width) for text, width in zip(row[:3], widths, strict=False)]
        counts = [text.rjust(width) for text, width in zip(row[3:], widths[3:], strict=True)]
        lines.append("  " + "  ".join([*texts, *counts]))
    return lines


def data_views(analysis: "Analysis", folder: str) -> tuple[list[DataView], list[Diagnostic]]:
    """The different data of a valid spec's variants, and what is wrong with it that its beginning did not show."""
    assert analysis.base is not None
    assert analysis.document is not None
    views: dict[str, DataView] = {}
    found: dict[str, Diagnostic] = {}
    seen: set[int] = set()
    reported = {(each.code, each.range) for each in analysis.diagnostics}
    for variant in analysis.variants:
        if not isinstance(variant.spec, Spec):
            continue  # a program reads what it likes
        data = variant.spec.data
        if id(data) in seen:
            continue
        seen.add(id(data))
        view, problems = _view(data, variant.checked.catalogue, folder)
        views.setdefault(str(view), view)
        for problem in problems:
            placed = blame(problem, variant.variant, analysis.base.tree).place(analysis.document)
            if (placed.code, placed.range) not in reported:
                found.setdefault(placed.message, placed)
    return list(views.values()), list(found.values())


def _view(data: Data, catalogue: Catalogue, folder: str) -> tuple[DataView, Sequence[Problem]]:
    source = data.source
    seen = look_at_data(data, folder, MOST_BYTES)
    declared = declared_samples(catalogue.find("sources", source.kind), source.args)
    num_samples = declared if seen.num_samples is None else seen.num_samples
    sizes, problems = None, list(seen.problems)
    if num_samples is not None:
        shares = data.splits.shares
        sizes = (seen.split_sizes if data.splits.given_by else split_sizes(num_samples, shares)) or None
        problems += empty_splits(num_samples, shares)
    path = source.args.get("path")
    written = path if isinstance(path, str) else None
    is_about = data.splits.stratify and not data.splits.given_by
    roles, by = data.splits.roles, _split_by(data.splits)
    view = DataView(source.kind, written, num_samples, sizes, is_about, seen.class_names, roles, by, seen.columns)
    return view, problems


def _split_by(splits: Splits) -> str:
    """What says which samples a split has."""
    if splits.given_by:
        way = splits.given_by[0]
        named = {"column": splits.column, "file": splits.file, "folders": ""}.get(way, "")
        return "the source" if way == "from_source" else f"{way} {named}".rstrip()
    if splits.order is not None:
        return f"order of {splits.order}"
    groups = "" if splits.group is None else f"groups of {splits.group}"
    if splits.folds is not None:
        fold = "in turn" if splits.fold is None else f"here fold {splits.fold}"
        return f"{splits.folds} folds{f' of {groups}' if groups else ''}, of which {splits.held_out} is one, {fold}"
    return groups or BY_FRACTIONS


def data_lines(views: Sequence[DataView]) -> list[str]:
    """A line for each of which something is known, and below it those of its columns."""
    return [line for view in views if view.line is not None for line in (view.line, *column_lines(view.columns))]
