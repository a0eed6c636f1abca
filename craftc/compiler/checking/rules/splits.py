"""Rules of the splits: what each is for, and what says which samples it has."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.data_kinds import SOURCE_KIND, gives_text
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem, all_of, one_of
from craftc.compiler.reading.tree import written_at
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path
from craftc.schemas.split_roles import FIT, is_unclear
from craftc.schemas.splits import OF_SAMPLES, SplitPart

SPLITS: Path = ("data", "splits")
_OF_FOLDERS = "image_folder"


def split_role(checked: Checked) -> Iterator[Problem]:
    """One split is fitted on, and is called train; a name that reads like that of a held-out split says what it is."""
    splits = checked.spec.data.splits
    for name, role in splits.roles.items():
        path = (*SPLITS, name)
        if name == FIT and role != "fit":
            message = f"split {FIT} is what models are fitted on, and not for {role}"
            yield Problem("split-role", path, message, "call the other split otherwise", True)
        elif name != FIT and role == "fit":
            message = f"one split is fitted on, {FIT}; {name} cannot be for fit too"
            yield Problem("split-role", path, message, f"call it {FIT}, or give it another role", True)
        elif is_unclear(name) and not splits.says_role(name):
            message = (
                f"split {name} reads like one that chooses nothing, and would be for select, by which epochs are chosen"
            )
            said = checked.spec.data.splits.fractions.get(name)
            share = "" if said is None else f"share: {said:g}, "
            hint = f"say what it is for: {name}: {{{share}for: final}}, or for: calibrate, or for: select"
            yield Problem("split-role", path, message, hint, True)


def split_method(checked: Checked) -> Iterator[Problem]:
    """One thing says which samples a split has."""
    splits = checked.spec.data.splits
    ways = [*splits.given_by, *(key for key in ("folds", "order") if getattr(splits, key) is not None)]
    if len(ways) > 1:
        message = f"{all_of(ways, ' and ')} each say which samples a split has"
        yield Problem("split-method", (*SPLITS, ways[1]), message, f"keep one of them: {one_of(ways)}", True)
        return
    if splits.order is not None and splits.group is not None:
        message = "order and group each say which samples a split has: what is of one group need not be of one time"
        yield Problem("split-method", (*SPLITS, "order"), message, "keep one of them", True)
    if splits.fold is not None and splits.folds is None:
        yield Problem(
            "split-method", (*SPLITS, "fold"), "there are no folds of which one could be held out", None, True
        )
    elif splits.fold is not None and splits.folds is not None and splits.fold >= splits.folds:
        message = f"fold {splits.fold} is not one of {splits.folds}; they count from 0"
        yield Problem("split-method", (*SPLITS, "fold"), message)
    yield from _shares(checked)


def _shares(checked: Checked) -> Iterator[Problem]:
    """Fractions where they say something, and only there."""
    splits = checked.spec.data.splits
    shares = splits.shares
    for name in splits.names:
        path = (*SPLITS, name)
        part = splits.train if name == FIT else splits.extra.get(name)
        share = splits.fractions.get(name) if part is not None else None
        if splits.given_by and share is not None:
            message = f"{splits.given_by[0]} says which samples split {name} has, and so does its fraction"
            value = name if splits.folders is None else splits.folders.get(name, name)
            hint = f"write {name}: {{for: {splits.role(name)}}}, or leave it out" if name == value else "leave it out"
            yield Problem("split-method", path, message, hint, True)
        elif splits.folders is not None and name not in splits.folders:
            message = f"folders has no folder of split {name}" if name == FIT or part else f"no folder is for {name}"
            yield Problem("split-method", (*SPLITS, "folders"), message, f"add {name}: its folder", True)
        elif splits.folds is not None and share is not None and name == splits.held_out:
            message = f"folds hold out split {name}, each a part of equal size, so that it has no fraction"
            yield Problem("split-method", path, message, "leave it out; fractions are of what is not held out", True)
        elif not splits.given_by and name not in shares:
            yield Problem(
                "missing-key", (*path, "share"), f'"data.splits.{name}" needs "share"', "a fraction of all samples"
            )
        if isinstance(part, SplitPart) and part.value is not None and not (splits.column or splits.file):
            message = "value is what a column or a file calls the split, and neither is named"
            yield Problem("split-method", (*path, "value"), message, "remove it", True)


def folders_of_images(checked: Checked) -> Iterator[Problem]:
    """Folders of splits are those of a source of folders."""
    data = checked.spec.data
    if data.splits.folders is not None and data.source.kind != _OF_FOLDERS:
        message = f"folders are those of {_OF_FOLDERS}, and the source is {data.source.kind}"
        hint = "use column, file, or from_source"
        yield Problem(
            "split-method", (*SPLITS, "folders"), message, hint, True, reads=((*SPLITS, "folders"), SOURCE_KIND)
        )


def fractions_of_text(checked: Checked) -> Iterator[Problem]:
    """The splits of a text are stretches of it."""
    data = checked.spec.data
    if not gives_text(data.source.kind, checked.catalogue):
        return
    for key, hint in OF_SAMPLES.items():
        if getattr(data.splits, key):
            message = f"{key} is said of samples, and {data.source.kind} gives a text, whose splits are stretches of it"
            yield Problem("split-method", (*SPLITS, key), message, hint, True, reads=((*SPLITS, key), SOURCE_KIND))
    if data.splits.from_source and not is_own(data.source.kind):
        message = f"{data.source.kind} gives one text, and no splits"
        hint = "give fractions, or write a source of your own that returns a text for each split"
        place = (*SPLITS, "from_source")
        yield Problem("split-method", place, message, hint, True, reads=(place, SOURCE_KIND))


def unread_split(checked: Checked) -> Iterator[Problem]:
    """Something reads every split."""
    splits = checked.spec.data.splits
    fitted_on = {stage.fit for stage in checked.spec.evaluation.after}
    # Where a stage names a split that there is not, this may be the one that is meant.
    is_known = fitted_on <= set(splits.names)
    for name, role in splits.roles.items():
        if role == "calibrate" and name not in fitted_on and is_known:
            message = f"nothing reads split {name}, which is for calibrate: it is not measured"
            hint = f"fit something on it: evaluation.after: [{{kind: temperature, fit: {name}}}]"
            reads = ((*SPLITS, name), ("evaluation", "after"))
            yield Problem("no-effect", (*SPLITS, name), message, hint, True, severity="warning", reads=reads)


def drawn_by_nothing(checked: Checked) -> Iterator[Problem]:
    """How samples are drawn is said where they are drawn."""
    splits = checked.spec.data.splits
    ways = [*splits.given_by, *(["order"] if splits.order else [])]
    if not ways:
        return
    message = f"nothing is drawn: {ways[0]} says which samples each split has"
    written = written_at(checked.written, SPLITS)
    if splits.stratify and "stratify" in written and splits.train_share == 1:
        yield Problem("no-effect", (*SPLITS, "stratify"), message, severity="warning", reads=((*SPLITS, ways[0]),))
    if splits.seed and splits.train_share == 1:
        yield Problem("no-effect", (*SPLITS, "seed"), message, severity="warning", reads=((*SPLITS, ways[0]),))


SPLIT_RULES: tuple[Rule, ...] = (
    split_role,
    split_method,
    folders_of_images,
    fractions_of_text,
    drawn_by_nothing,
)
"""Of the splits."""
