"""The first half of the compiler: YAML text in, all that is wrong with it out. This is what linting runs.

text -> parse -> compose -> with_own -> substitute -> resolve_relative_paths -> resolve -> validate -> check -> expand
     -> check_hypotheses -> check_ranges

`search: {use: defaults}` asks for the ranges that components declare. Which those are is known behind `validate`, so
that the spec is then put together with them and validated again.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from craftc.compiler.checking.incomplete_spec import as_spec, incomplete_problems
from craftc.compiler.checking.resolve import resolve
from craftc.compiler.checking.rules.all_rules import design_rules, variant_rules
from craftc.compiler.checking.rules.rule import CheckedExperiment, check, checked_experiment
from craftc.compiler.checking.validate import Validated, validate
from craftc.compiler.composing.compose import NO_STAND_INS, Composed, compose
from craftc.compiler.composing.environment import substitute
from craftc.compiler.composing.file_kind import FileKind, file_kind, is_foreign, is_foreign_text, without_content
from craftc.compiler.composing.foreign_file import foreign_file
from craftc.compiler.composing.relative_paths import resolve_relative_paths
from craftc.compiler.composing.written_secrets import written_secrets
from craftc.compiler.own_code.import_path import readable_roots
from craftc.compiler.own_code.own_components import with_own
from craftc.compiler.reading.document import SPACE, Document
from craftc.compiler.reading.parse import parse
from craftc.compiler.reading.problem import MAX_TOLD, Problem, too_many_mistakes, type_of
from craftc.compiler.reading.version import check_version
from craftc.compiler.variants.designs import is_searched
from craftc.compiler.variants.expand import expand
from craftc.compiler.variants.hypotheses import check_hypotheses
from craftc.compiler.variants.resolve_variant import ResolvedVariant, untainted
from craftc.compiler.variants.search_ranges import check_ranges
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.section import as_tree
from craftc.schemas.spec import Experiment

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Analysis:
    """All that is known of a file's text. `spec` and `variants` are only to be used where `is_valid`.

    `base` is what the variants are made of; `fragments` the texts of the files that the spec names, by their names.
    `kind` is None where the text cannot be read, and of YAML that has nothing to do with craftc.
    """

    document: Document | None
    spec: Experiment | None
    variants: tuple[ResolvedVariant, ...]
    diagnostics: tuple[Diagnostic, ...]
    base: CheckedExperiment | None = None
    fragments: Mapping[str, str] = field(default_factory=dict)
    kind: FileKind | None = None

    @property
    def is_valid(self) -> bool:
        """It is a spec, and no error was found."""
        is_spec = self.kind == "spec" and self.spec is not None
        return is_spec and not any(d.severity == "error" for d in self.diagnostics)


def analyse(
    text: str,
    filename: str,
    catalogue: Catalogue,
    *,
    environment: Mapping[str, str] = NO_ENVIRONMENT,
    kind: FileKind | None = "spec",
    stand_ins: Mapping[str, str] = NO_STAND_INS,
) -> Analysis:
    """Find every mistake that the text alone can show.

    `environment` is what `${env:NAME}` refers to. `kind` is what the file is to be: None finds it out, and of a base
    or a search space tells what can be said without the spec that includes it. `stand_ins` are texts that are read in
    the place of files that it names, by the files' real paths.
    """
    document, diagnostics = parse(text, filename)
    if is_foreign_text(text) if document is None else is_foreign(document.root):
        diagnostics = without_content(diagnostics)
    if document is None:
        return Analysis(None, None, (), by_position(diagnostics))
    if (foreign := foreign_file(document)) is not None:
        return Analysis(document, None, (), () if kind is None else (foreign,), kind=kind)
    kind = kind or file_kind(document.root)
    if kind is None:
        return Analysis(document, None, (), ())
    if not isinstance(document.root.value, dict):
        problem = Problem("wrong-type", (), f"a {kind} is a mapping, not {type_of(document.root)}")
        unmapped = problem.place(document)._replace(shows_line=not is_foreign(document.root))
        return Analysis(document, None, (), tuple([*diagnostics, unmapped]), kind=kind)
    if kind == "spec" and (refusal := check_version(document)) is not None:
        shown = refusal._replace(shows_line=not is_foreign(document.root))
        return Analysis(document, None, (), (shown,), kind=kind)
    roots = partial(readable_roots, Path(filename), environment)
    composed = compose(as_spec(document) if kind == "search space" else document, stand_ins, roots)
    if kind == "spec" and (refusal := check_version(composed.document)) is not None:
        return Analysis(document, None, (), (refusal,), fragments=composed.texts, kind=kind)
    catalogue = with_own(catalogue, composed.document.root.plain(), Path(filename))
    document, unsubstituted = substitute(composed.document, environment, catalogue)
    document = resolve_relative_paths(document, catalogue)
    diagnostics += composed.diagnostics + unsubstituted
    diagnostics += written_secrets({filename: text, **composed.texts}, document.included)
    written = resolve(document.root.plain())
    validated = validate(written, catalogue)
    if composed.defaults is not None:
        is_whole = kind == "spec" and composed.is_whole
        document = _with_default_ranges(document, composed, validated if is_whole else None, written, catalogue)
        written = resolve(document.root.plain())
        known = is_whole and validated.spec is not None
        validated = validate(written, catalogue)
        if not known:
            validated = replace(validated, tainted=validated.tainted | {("search", "use")})
    problems = validated.problems
    if kind != "spec" or not composed.is_whole:
        problems = [problem for problem in problems if problem.code != "missing-key"]
    variants: tuple[ResolvedVariant, ...] = ()
    base = None
    if validated.spec is not None:
        base = checked_experiment(
            validated.spec, as_tree(validated.spec), written, catalogue, os.path.dirname(filename)
        )
        if composed.is_whole and (kind == "spec" or _lacks_only_a_name(validated)):
            if composed.diagnostics:
                validated = replace(validated, tainted=validated.tainted | {("search", "use")})
            variants, found = _experiment(base, validated)
        else:
            found = untainted(incomplete_problems(base), validated.tainted)
        problems = [*problems, *found]
    told = by_position([*diagnostics, *(p.place(document) for p in _not_twice(problems, diagnostics, document))])
    return Analysis(document, validated.spec, variants, told, base, composed.texts, kind)


def _with_default_ranges(
    document: Document, composed: Composed, validated: Validated | None, written: dict[str, Any], catalogue: Catalogue
) -> Document:
    """The document with the ranges of its components; with none where too little is known of them."""
    from craftc.compiler.composing.put_ranges import put_ranges
    from craftc.compiler.variants.default_ranges import declared_ranges, default_ranges, is_same_place

    assert composed.defaults is not None
    if validated is None or validated.spec is None or validated.spec.search is None:
        return put_ranges(document, composed.defaults, {}, composed.taken_out)
    folder = os.path.dirname(document.filename)
    base = checked_experiment(validated.spec, as_tree(validated.spec), written, catalogue, folder)
    declared = declared_ranges(base)
    given = {*validated.spec.search.space, *composed.taken_out}
    ranges = default_ranges(base, declared, given, validated.problems)
    # Of a component that is mistaken nobody knows which ranges it would have had.
    is_mistaken = any(p.severity == "error" and p.path[:1] != SPACE[:1] for p in validated.problems)
    taken_out = composed.taken_out
    done = {path for path in taken_out if is_mistaken or any(is_same_place(path, other) for other in declared)}
    return put_ranges(document, composed.defaults, ranges, done)


def _experiment(base: CheckedExperiment, validated: Validated) -> tuple[tuple[ResolvedVariant, ...], list[Problem]]:
    """The variants of a spec, and what is wrong beside the problems of its values."""
    problems = untainted(check(base, variant_rules(base) + design_rules(base)), validated.tainted)
    if len(validated.problems) + len(problems) > MAX_TOLD:
        return (), problems
    expansion = expand(base, validated, validated.problems + problems)
    problems += untainted(expansion.problems, validated.tainted)
    if expansion.variants:
        names = [variant.name for variant in expansion.variants]
        problems += untainted(list(check_hypotheses(base, names)), validated.tainted)
    searched = [v.variant for v in expansion.variants if is_searched(base.spec, v.name)]
    found = check_ranges(base, validated, searched, validated.problems + problems)
    # That there is no such path does not stand on the range that it is given.
    unknown = [problem for problem in found if problem.code == "unknown-factor"]
    problems += unknown + untainted([p for p in found if p.code != "unknown-factor"], validated.tainted)
    return expansion.variants, problems


def _lacks_only_a_name(validated: Validated) -> bool:
    """Whether a base has all that makes an experiment, so that the rules between its fields can be checked."""
    missing = {problem.path for problem in validated.problems if problem.code == "missing-key"}
    return missing <= {("craftc",), ("name",)}


def _not_twice(problems: Iterable[Problem], found: list[Diagnostic], document: Document) -> Iterable[Problem]:
    """The problems whose text was not refused already when it was read."""
    refused = {(diagnostic.range.filename, diagnostic.range.start) for diagnostic in found}
    places = ((problem, document.locate(problem.path, key=problem.at_key)) for problem in problems)
    return [problem for problem, place in places if (place.filename, place.start) not in refused]


def by_position(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By place, each once: what an alias repeats is a mistake in one place."""
    unique = {(d.code, d.range, d.message): d for d in diagnostics}.values()
    found = sorted(
        unique, key=lambda d: (d.range.filename, d.range.start.line, d.range.start.column, d.code, d.message)
    )
    if len(found) <= MAX_TOLD:
        return tuple(found)
    # No number of warnings may hide an error: a spec without errors is run.
    first = sorted(range(len(found)), key=lambda index: found[index].severity != "error")
    kept = sorted(first[:MAX_TOLD])
    return *(found[index] for index in kept), too_many_mistakes(found[min(first[MAX_TOLD:])].range)
