"""Rules of the data that a source names: its columns and files, and the splits of as many samples as are known."""

from collections.abc import Iterator
from dataclasses import replace

from craftc.compiler.checking.rules.data_kinds import SOURCE
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.data_files.look import look_at_data
from craftc.compiler.data_files.seen import NOTHING, Seen
from craftc.compiler.data_files.split_sizes import declared_samples, empty_splits, split_sizes
from craftc.compiler.reading.nearest import surely_meant
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree_edit import rename
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path
from craftc.schemas.split_roles import USUAL

_SPLITS: Path = ("data", "splits")


def feature_columns(checked: Checked) -> Iterator[Problem]:
    """The inputs of a table are columns, each once, without the target."""
    source = checked.spec.data.source
    features, target = source.args.get("features"), source.args.get("target")
    if is_own(source.kind) or not isinstance(features, list | tuple):
        return
    place: Path = (*SOURCE, "features")
    splits = checked.spec.data.splits
    for index, name in enumerate(features):
        if name in features[:index]:
            yield Problem("duplicate-feature", (*place, index), f'"{name}" is twice among the features', "remove one")
        if name == splits.column:
            message = f'"{name}" is one of the features, and data.splits.column tells samples apart by it'
            hint = "leave it out of the features: a model can learn from it which side a sample is on"
            reads = (place, ("data", "splits"))
            yield Problem("split-leak", (*place, index), message, hint, severity="warning", reads=reads)
        if name == target:
            message = f'"{name}" is the target and one of the features'
            hint = "leave it out: a model that is shown the answer learns nothing"
            yield Problem("data-mismatch", (*place, index), message, hint, reads=(place, (*SOURCE, "target")))


def files_seen(checked: Checked) -> Iterator[Problem]:
    """What a file that is there shows at its beginning."""
    yield from _seen(checked).problems


def _seen(checked: Checked) -> Seen:
    return NOTHING if checked.folder is None else look_at_data(checked.spec.data, checked.folder)


def split_typo(checked: Checked) -> Iterator[Problem]:
    """A split whose name is a slip of valid or test is nowhere taken for it."""
    names = checked.spec.data.splits.names
    for name in names:
        if checked.spec.data.splits.says_role(name):
            continue
        meant = surely_meant(name, [known for known in USUAL if known not in names])
        if meant is not None and name != meant:
            message = f'split "{name}" is a split of its own, and none is called "{meant}"'
            # Metrics that stand on it would have to be renamed with it.
            fix = None if f"{name}/" in str(checked.written) else rename((*_SPLITS, name), meant)
            hint = f'did you mean "{meant}"?'
            yield Problem("split-misspelt", (*_SPLITS, name), message, hint, True, severity="warning", fix=fix)


def split_too_small(checked: Checked) -> Iterator[Problem]:
    """Every split gets a sample, and as many as there are classes."""
    splits, source = checked.spec.data.splits, checked.spec.data.source
    entry, seen = checked.catalogue.find("sources", source.kind), _seen(checked)
    facts = entry.facts if entry else {}
    num_samples = declared_samples(entry, source.args) or seen.num_samples
    shares = splits.shares
    is_whole = abs(sum(shares.values()) - 1) <= 1e-6
    if num_samples is None or not is_whole or any(problem.severity == "error" for problem in seen.problems):
        return
    is_class = entry is None or not entry.gives_targets or "class" in entry.gives_targets
    num_classes = facts.get("num_classes") if is_class else None
    num_classes = num_classes if seen.class_names is None else len(seen.class_names)
    if min(shares.values()) * num_samples > (num_classes or 0) + 1:
        return
    reads = (_SPLITS, (*SOURCE, "kind"))
    yield from (replace(problem, reads=reads) for problem in empty_splits(num_samples, shares))
    for name, size in split_sizes(num_samples, shares).items():
        if num_classes is not None and 0 < size < num_classes:
            share = f"{shares[name]:g} of {num_samples:,} samples is about {size:,}"
            message = f"split {name} cannot have a sample of each of the {num_classes:,} classes: {share}"
            hint = f"raise data.splits.{name}"
            path: Path = (*_SPLITS, name)
            yield Problem("class-missing-from-split", path, message, hint, severity="warning", reads=reads)


FILE_RULES: tuple[Rule, ...] = (feature_columns, files_seen, split_typo, split_too_small)
"""What files and numbers of samples have to do with the rest, as far as they are known before anything runs."""
