"""Any valid spec is the same when written and read; what decides its result, and no more, makes its identity; any one
mistake in it is told at its own line and column."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.expression import parse_expression
from craftc.compiler.pipeline import analyse, compile_spec
from craftc.compiler.planning.identity.with_defaults import with_defaults
from craftc.compiler.planning.identity.without_defaults import without_defaults, without_versions
from craftc.compiler.reading.tree import set_path
from craftc.schemas.catalogue import ANY_OTHER, Catalogue, ComponentEntry, Parameter
from craftc.schemas.diagnostic import Path
from craftc.schemas.language import SECTIONS as DECIDE
from craftc.schemas.language import sections_of
from craftc.schemas.plan import Trial
from craftc.schemas.section import Field, Section, SectionField, as_tree
from craftc.schemas.spec import EarlyStopping, Splits

CATALOGUE = built_in_catalogue()
DRAW_SLOWLY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
Tree = dict[str, Any]

projects = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
"""Of W&B, which takes no mark that an address has."""
texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)


def values(fragment: Tree) -> st.SearchStrategy[Any]:
    """What fits a JSON Schema fragment of the catalogue."""
    return _values(json.dumps(fragment))


@cache
def _values(written: str) -> st.SearchStrategy[Any]:
    fragment = json.loads(written)
    if "anyOf" in fragment:
        return st.one_of([values(part) for part in fragment["anyOf"]])
    if "enum" in fragment or "const" in fragment:
        return st.sampled_from(fragment.get("enum", [fragment.get("const")]))
    kind = fragment.get("type")
    if kind in ("integer", "number"):
        low = fragment.get("minimum", fragment.get("exclusiveMinimum", -(10**6)))
        high = fragment.get("maximum", fragment.get("exclusiveMaximum", 10**6))
        open_ends = {"exclude_min": "exclusiveMinimum" in fragment, "exclude_max": "exclusiveMaximum" in fragment}
        return st.integers(low, high) if kind == "integer" else st.floats(low, high, allow_subnormal=False, **open_ends)
    if kind == "array":
        size = {"min_size": fragment.get("minItems", 0), "max_size": fragment.get("maxItems", 4)}
        return st.lists(values(fragment.get("items", {})), **size)
    return {"boolean": st.booleans(), "string": texts}.get(str(kind), st.just(1))


@st.composite
def components(draw: st.DrawFn, group: str, *, without: tuple[str, ...] = ()) -> Tree:
    """A component of a group with any of its arguments, as its signature and its constraints allow.

    Those that are made of other components are left out.
    """
    # What needs a file or a trial of the store is no plain value, nor are the settings of another library.
    left_out = (*without, "sequence", "transformers", "distillation")
    entries = [e for e in CATALOGUE.entries if e.group == group and e.kind not in left_out]
    entry: ComponentEntry = draw(st.sampled_from(entries))
    made: Tree = {"kind": entry.kind}
    for parameter in entry.parameters:
        is_fact = {"const": "infer"} in parameter.type.get("anyOf", [])  # the data's own number is no free choice
        if (
            not is_fact
            and parameter.name not in ("class_weights", "metric", "epochs", "path", "mode", "pretrained", ANY_OTHER)
            and (parameter.required or draw(st.booleans()))
        ):
            made[parameter.name] = draw(values(parameter.type))
    given = {parameter.name: parameter.default for parameter in entry.parameters} | made
    for rule in map(parse_expression, entry.constraints):
        if not rule.evaluate(given):
            made = {name: value for name, value in made.items() if (name,) not in rule.names}
    return made


def unfit_for(group: str, target: str) -> tuple[str, ...]:
    """What does not take targets of that kind, or compares views of a sample."""
    found = [entry for entry in CATALOGUE.entries if entry.group == group]
    other = [entry for entry in found if entry.takes_targets and target not in entry.takes_targets]
    return tuple(entry.kind for entry in (*other, *(e for e in found if e.takes_outputs)))


def not_for_images(group: str) -> tuple[str, ...]:
    """What does not take images, nor do two augmentations mix one batch."""
    entries = [entry for entry in CATALOGUE.entries if entry.group == group]
    mixing = ("mixup", "cutmix", "mixup_or_cutmix")
    return (*mixing, *(entry.kind for entry in entries if entry.takes and "images" not in entry.takes))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """A valid spec as plain values, with any component and any argument that fits the data."""
    is_text = draw(st.booleans())
    images = st.sampled_from([{"kind": "digits"}, {"kind": "mnist_5k", "imbalance": 2.5, "seed": 4}])
    # A frozen backbone needs weights, which no plain value is.
    kind_of_data = "text" if is_text else "images"
    takes = {e.kind: e.takes for e in CATALOGUE.entries if e.group == "models"}
    unfit_models = tuple(kind for kind, kinds in takes.items() if kinds and kind_of_data not in kinds)
    target = "token" if is_text else "class"
    unfit = (*unfit_for("metrics", target), "auroc" if is_text else "bits_per_character")
    names = draw(st.lists(st.sampled_from(["valid", "test", "dev", "b"]), min_size=1, max_size=3, unique=True))
    splits = {"train": 0.5} | {name: 0.5 / len(names) for name in names}
    metrics = draw(st.lists(components("metrics", without=unfit), max_size=3, unique_by=lambda metric: metric["kind"]))
    epochs = draw(st.integers(2, 50))
    phases: list[Any] = (
        [{"kind": "linear_warmup", "epochs": draw(st.integers(0, epochs - 1))}] if draw(st.booleans()) else []
    )
    phases.append(draw(components("schedules", without=("linear_warmup", "reduce_on_plateau"))))
    measured = [f"{split}/{metric}" for split in ("train", *names) if split != "test" for metric in ("loss",)]
    tree: Tree = {
        "craftc": 1,
        "name": draw(
            st.from_regex(
                r"[A-Za-z0-9]([A-Za-z0-9._-]{0,19}[A-Za-z0-9_-])?",
                fullmatch=True,
                alphabet=st.characters(codec="ascii"),
            )
        ),
        "description": draw(texts),
        "seed": draw(st.integers(0, 2**32 - 4)),  # up to three seeds are counted up from it
        "data": {
            "source": draw(st.just({"kind": "python_docs", "context_length": 16}) if is_text else images),
            "splits": splits,
            "normalize": {"kind": "none"}
            if is_text
            else draw(components("normalizers", without=not_for_images("normalizers"))),
            "augment": []
            if is_text
            else draw(st.lists(components("augmentations", without=not_for_images("augmentations")), max_size=3)),
        },
        "model": draw(components("models", without=("frozen_backbone", *unfit_models))),
        "objective": {**draw(components("objectives", without=unfit_for("objectives", target))), "metrics": metrics},
        "training": {
            "epochs": epochs,
            "batch_size": draw(st.integers(1, 512)),
            "optimizer": draw(components("optimizers")),
            "schedule": phases,
            "early_stopping": draw(
                st.just("none") | st.fixed_dictionaries({"metric": st.sampled_from(measured), "patience": st.just(1)})
            ),
        },
        "evaluation": {"select": draw(st.just("none") | st.fixed_dictionaries({"metric": st.sampled_from(measured)}))},
        "regularization": draw(
            st.fixed_dictionaries(
                {}, optional={"clip_grad_norm": st.just("none") | st.just(0.5), "ema_decay": st.floats(0.1, 0.9)}
            )
        ),
        "ablation": {
            "seeds": draw(st.integers(1, 3) | st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True))
        },
        "resources": {"cpus": draw(st.integers(1, 8)), "max_concurrent": draw(st.just("none") | st.integers(1, 9))},
        "report": draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "trackers": st.sampled_from([[], ["tensorboard"]])
                    | st.lists(st.fixed_dictionaries({"kind": st.just("wandb"), "project": projects}), max_size=1)
                },
            )
        ),
    }
    optional = ["description", "seed", "regularization", "ablation", "evaluation", "resources", "report"]
    for name in draw(st.lists(st.sampled_from(optional), unique=True)):
        del tree[name]
    return tree


class Writer:
    """Writes a tree as YAML, each collection in block or flow style as is drawn, and notes where all of it stands."""

    def __init__(self, is_flow: Callable[[Path], bool]) -> None:
        self.text = ""
        self.keys: dict[Path, tuple[int, int]] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        self._is_flow = is_flow

    def _put(self, text: str) -> tuple[int, int]:
        place = self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n")
        self.text += text
        return place

    def write(self, value: Any, path: Path = (), indent: int = 0, *, in_flow: bool = False) -> None:
        if not isinstance(value, dict | list) or not value:
            self.values[path] = self._put(_scalar(value))
            return
        pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        if in_flow or (path and self._is_flow(path)):
            self.values[path] = self._put("{" if isinstance(value, dict) else "[")
            for index, (key, item) in enumerate(pairs):
                self._put(", " if index else "")
                if isinstance(value, dict):
                    self.keys[*path, key] = self._put(_scalar(key))
                    self._put(": ")
                self.write(item, (*path, key), in_flow=True)
            self._put("}" if isinstance(value, dict) else "]")
            return
        for index, (key, item) in enumerate(pairs):
            self._put("\n" + " " * indent if path or index else "")
            if isinstance(value, dict):
                self.keys[*path, key] = self._put(_scalar(key))
                self._put(": ")
            else:
                self._put("- ")
            self.write(item, (*path, key), indent + 2)


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, Blank):
        return ""
    plain = isinstance(value, str) and value.replace("_", "").isalnum() and value.isascii() and not value[0].isdigit()
    return (
        value
        if plain and value.lower() not in ("true", "false", "null")
        else json.dumps(value, ensure_ascii=len(str(value)) % 2 == 0)
    )


class Blank:
    """Stands for a value that is not written."""


def without_none(tree: Any) -> Any:
    """A dumped spec as a user writes it: what has no value is not there."""
    if isinstance(tree, dict):
        return {key: without_none(value) for key, value in tree.items() if value is not None}
    return [without_none(item) for item in tree] if isinstance(tree, list) else tree


def written(tree: Tree, data: st.DataObject) -> Writer:
    writer = Writer(lambda path: data.draw(st.booleans()))
    writer.write(tree)
    return writer


@given(trees(), st.data())
@DRAW_SLOWLY
def test_a_spec_is_the_same_when_written_and_read(tree: Tree, data: st.DataObject) -> None:
    first = analyse(written(tree, data).text, "x.yaml", CATALOGUE)
    assert [d for d in first.diagnostics if d.severity == "error"] == []
    assert first.spec is not None
    dumped = as_tree(first.spec)
    again = analyse(written(without_none(dumped), data).text, "x.yaml", CATALOGUE)
    assert again.is_valid, again.diagnostics
    assert again.spec is not None
    assert as_tree(again.spec) == dumped
    for section, value in tree.items():
        assert _holds(dumped[section], value)


def _holds(dumped: Any, value: Any) -> bool:
    """Whether what was written is in what was read, beside defaults."""
    if isinstance(value, dict) and isinstance(dumped, dict):
        return all(key in dumped and _holds(dumped[key], inner) for key, inner in value.items())
    if isinstance(value, list) and isinstance(dumped, list):
        return len(dumped) == len(value) and all(map(_holds, dumped, value))
    return bool(dumped == value or dumped == {"kind": value})


def leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every number, truth value and text of a tree, with its place."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(value, (*path, key))
    else:
        yield path, tree


def another(value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        return st.sampled_from([value + 1, value - 1, value * 2 + 1])
    if isinstance(value, float):
        return st.sampled_from([value / 2 + 0.01, value * 1.5, value + 1.0])
    return st.sampled_from([f"{value}x", "none", "train/loss", "min", "max", "infer", "balanced", "relu", "gelu"])


@given(trees(), st.data())
@DRAW_SLOWLY
def test_a_trial_is_another_one_exactly_if_a_field_changed_that_decides_its_result(
    tree: Tree, data: st.DataObject
) -> None:
    spec = analyse(json.dumps(tree), "x.yaml", CATALOGUE).spec
    assert spec is not None
    whole = without_none(as_tree(spec))
    first = compile_spec(json.dumps(whole), "x.yaml", CATALOGUE)
    assert first.plan is not None
    path, value = data.draw(st.sampled_from([leaf for leaf in leaves(whole) if leaf[0][0] not in ("craftc", "seed")]))
    changed = copy.deepcopy(whole)
    set_path(changed, path, data.draw(another(value).filter(lambda new: new != value)))
    second = compile_spec(json.dumps(changed), "x.yaml", CATALOGUE)
    assume(second.plan is not None)
    assert second.plan is not None
    settled = [[{**trial.config, "seed": trial.seed} for trial in plan.trials] for plan in (first.plan, second.plan)]
    ids = [[trial.id for trial in plan.trials] for plan in (first.plan, second.plan)]
    if path[0] in ("name", "description", "resources", "report"):
        assert ids[0] == ids[1]
    elif path[0] in DECIDE:
        # `infer` and the direction that it comes to are one experiment.
        assert (ids[0] == ids[1]) == (settled[0] == settled[1])
        assert ids[0] != ids[1] or path[-1] == "mode"
    else:
        assert set(ids[0]) != set(ids[1])


def identities(tree: Tree, catalogue: Catalogue = CATALOGUE) -> list[tuple[str, Any]]:
    """Each trial's fingerprint, and those of its stages."""
    return [(trial.id, trial.stages) for trial in compiled(tree, catalogue)]


def compiled(tree: Tree, catalogue: Catalogue = CATALOGUE) -> tuple[Trial, ...]:
    result = compile_spec(json.dumps(tree), "x.yaml", catalogue)
    assert result.plan is not None, result.diagnostics
    return result.plan.trials


def grown(default: Any) -> Catalogue:
    """A catalogue in which every component has one more argument."""
    added = Parameter("added_since", {}, required=False, default=default)
    entries = (entry._replace(parameters=(*entry.parameters, added)) for entry in CATALOGUE.entries)
    return Catalogue(tuple(entries))


def optional_key(default: Any) -> SectionField:
    field = Field(default)
    field.annotate(Any)
    assert isinstance(field, SectionField)
    return field


GROWING = [*(DECIDE[name] for name in sections_of(())), Splits, EarlyStopping]
"""The sections that decide a result; the keys of a model are its arguments."""
plain_defaults = st.sampled_from([None, 0, 1.5, True, "none", "infer", [], [1, 2], {"a": 1}])


@given(trees(), plain_defaults)
@DRAW_SLOWLY
def test_an_optional_argument_more_leaves_every_fingerprint(tree: Tree, default: Any) -> None:
    assert identities(tree, grown(default)) == identities(tree)


@given(
    trees(),
    st.sampled_from(GROWING),
    plain_defaults.filter(lambda default: default is not None),
)
@DRAW_SLOWLY
def test_an_optional_key_more_leaves_every_fingerprint(
    changed_section: Any, tree: Tree, section: type[Section], default: Any
) -> None:
    before = identities(tree)
    with changed_section(section, fields={**section.fields, "added_since": optional_key(default)}):
        after = compiled(tree)
        assert any("added_since" in json.dumps(trial.config) for trial in after) or section is EarlyStopping
    assert [(trial.id, trial.stages) for trial in after] == before


@given(trees())
@DRAW_SLOWLY
def test_writing_defaults_out_leaves_every_fingerprint(tree: Tree) -> None:
    result = compile_spec(json.dumps(tree), "x.yaml", CATALOGUE)
    assert result.analysis.spec is not None
    whole = without_none(as_tree(result.analysis.spec))
    if "select" not in tree.get("evaluation", {}):
        del whole["evaluation"]  # what is left out there depends on the splits, and is written out when lowered
    assert identities(whole) == identities(tree)


@given(trees())
@DRAW_SLOWLY
def test_what_is_left_out_is_what_is_filled_in(tree: Tree) -> None:
    for trial in compiled(tree):
        counted = {name: without_defaults(name, section, CATALOGUE) for name, section in trial.config.items()}
        counted = without_versions(counted)
        filled = with_defaults(counted | {"objective": {"metrics": []} | counted["objective"]}, CATALOGUE)
        if "metrics" not in counted["objective"]:
            filled["objective"]["metrics"] = trial.config["objective"]["metrics"]
        if "schedule" not in counted["training"]:
            filled["training"]["schedule"] = trial.config["training"]["schedule"]
        assert filled == trial.config


Plant = tuple[str, Path, Any, bool]
"""A code, the place that is to be told, the value that is written there, and whether its key is what is told."""
GRID: Path = ("ablation", "grid")
RANGE: Path = ("search", "space", "training.optimizer.lr")
SEARCH: Tree = {
    "optimize": {"metric": "train/loss"},
    "trials": 3,
    "space": {"training.optimizer.lr": {"uniform": [0.1, 0.2]}},
}
STOP: Path = ("training", "early_stopping", "metric")
PLANTS: list[Plant] = [
    ("unknown-key", ("zz",), 1, True),
    ("unknown-key", ("training", "epoch"), 1, True),
    ("unknown-key", ("model", "hiddenn"), [1], True),
    ("unknown-key", ("training", "optimizer", "lrr"), 0.1, True),
    ("unknown-key", ("resources", "gpu"), 1, True),
    ("unknown-kind", ("model", "kind"), "mpl", False),
    ("unknown-kind", ("training", "optimizer", "kind"), "adamww", False),
    ("unknown-kind", ("data", "normalize"), "per_lin", False),
    ("wrong-type", ("training", "epochs"), "five", False),
    ("wrong-type", ("training", "batch_size"), 1.5, False),
    ("wrong-type", ("data", "augment"), "gaussian_noise", False),
    ("wrong-type", ("data", "splits", "stratify"), "off", False),
    ("out-of-bounds", ("training", "batch_size"), 0, False),
    ("out-of-bounds", ("seed",), -1, False),
    ("out-of-bounds", ("regularization", "dropout"), 1, False),
    ("out-of-bounds", ("data", "splits", "train"), 1.5, False),
    ("wrong-name", ("name",), "a/b", False),
    ("wrong-name", ("data", "splits"), {"train": 0.5, "a.b": 0.5}, True),
    ("empty-value", ("training", "batch_size"), None, True),
    ("empty-value", ("description",), None, True),
    ("newer-version", ("craftc",), 2, False),
    ("unknown-choice", ("ablation", "design"), ["add_on"], False),
    ("splits-sum", ("data", "splits"), {"train": 0.5, "valid": 0.2}, True),
    ("duplicate-metric", ("objective", "metrics"), ["auroc", "auroc"], False),
    ("unknown-metric", STOP, "train/los", False),
    ("unknown-metric", ("report", "metric"), "dev/loss2", False),
    ("schedule-open-phase", ("training", "schedule"), ["constant", "cosine"], False),
    ("schedule-too-long", ("training", "schedule"), [{"kind": "linear_warmup", "epochs": 99}, "cosine"], True),
    ("unknown-factor", (*GRID, "model.zz"), [1], True),
    ("unknown-factor", (*GRID, "seed"), [1], True),
    ("out-of-bounds", (*GRID, "training.batch_size"), [0], False),
    ("out-of-bounds", (*GRID, "training.batch_size"), [], False),
    ("wrong-type", (*GRID, "training.optimizer.lr"), ["x"], False),
    ("zip-length", ("ablation", "zip"), {"training.batch_size": [1, 2], "training.optimizer.lr": [0.1]}, True),
    ("duplicate-seed", ("ablation", "seeds"), [3, 3], False),
    ("bad-expression", ("ablation", "require"), ["training.epochs >"], False),
    ("fractional-gpus", ("resources", "gpus"), 1.5, False),
    ("slurm-time-limit", ("resources", "slurm", "time_limit"), "soon", False),
    ("missing-key", ("training", "epochs"), Blank(), True),
    ("missing-key", ("data", "source"), Blank(), True),
    ("missing-key", ("model",), Blank(), True),
    ("data-mismatch", ("objective", "class_weights"), [1.0, 2.0], True),
    ("data-mismatch", ("model", "num_classes"), 7, False),
    ("range-order", (*RANGE, "uniform"), [0.2, 0.1], True),
    ("range-log", (*RANGE, "log_uniform"), [0, 1], False),
    ("search-without-space", ("search", "space"), {}, True),
    ("unknown-factor", ("search", "space", "training.optimizer.zz"), {"uniform": [0.1, 0.2]}, True),
    ("number-out-of-range", ("training", "epochs"), 2**70, False),
]  # fmt: skip
LAST_ITEM = {"duplicate-metric", "duplicate-seed"}
FIRST_ITEM = {"schedule-open-phase", "bad-expression", "unknown-choice", "range-log"}
"""Of which the mistake is the last or first item of the list that is planted."""


def plant(tree: Tree, planted: Plant) -> None:
    """Make the mistake; what it needs beside it is written too, and what would hide it is left out."""
    _, path, value, _ = planted
    tree.pop("regularization", None)
    tree.pop("evaluation", None)
    tree.setdefault("ablation", {"seeds": 1})
    tree["model"] = {"kind": "mlp"} if path[0] != "model" else {**tree["model"], "kind": "mlp"}
    tree["model"] = {"kind": "mlp"}
    if tree["data"]["source"]["kind"] == "python_docs":  # of which no mlp is trained
        tree["data"]["source"] = {"kind": "digits"}
        tree["objective"]["metrics"] = []
    tree["training"]["early_stopping"] = {"metric": "train/loss", "patience": 1}
    if path[0] == "search":
        tree["search"] = copy.deepcopy(SEARCH)
    parent: Any = tree
    for part in path[:-1]:
        parent = parent.setdefault(part, {})
    if isinstance(value, Blank):
        parent.pop(path[-1], None)
        return
    if path[:3] == RANGE:
        parent.clear()
    parent[path[-1]] = copy.deepcopy(value)


@given(trees(), st.sampled_from(PLANTS), st.data())
@settings(DRAW_SLOWLY, max_examples=150)
def test_one_mistake_in_a_valid_spec_is_told_where_it_stands(tree: Tree, planted: Plant, data: st.DataObject) -> None:
    code, path, value, at_key = planted
    plant(tree, planted)
    writer = written(tree, data)
    found = [d for d in analyse(writer.text, "x.yaml", CATALOGUE).diagnostics if d.severity == "error"]
    assert code in {d.code for d in found}, (writer.text, found)
    places = {(d.range.start.line, d.range.start.column) for d in found}
    expected = expected_place(writer, code, path, value, at_key)
    if code == "bad-expression":  # where in the expression it is, is told too
        assert {line for line, _ in places} == {expected[0]}
    else:
        assert places == {expected}, (writer.text, found)


def expected_place(writer: Writer, code: str, path: Path, value: Any, at_key: bool) -> tuple[int, int]:
    """Where the mistake stands: a collection that is not in brackets on one line is told at its key."""
    if code == "missing-key":
        return writer.keys.get(path[:-1], (1, 1))
    if code == "schedule-too-long":
        return writer.values[*path, 0, "epochs"]
    if code == "wrong-name" and at_key:
        return writer.keys[*path, "a.b"]
    if isinstance(value, list) and value and (code in LAST_ITEM | FIRST_ITEM or (path[:2] == GRID and not at_key)):
        return writer.values[*path, len(value) - 1 if code in LAST_ITEM else 0]
    in_brackets = path in writer.values and isinstance(value, list | dict) and code != "unknown-factor"
    if code in ("unknown-key", "empty-value", "search-without-space", "range-order") or not in_brackets:
        where = path[:-1] if code == "search-without-space" else path
        return writer.keys[where] if at_key else writer.values[path]
    return writer.values[path]


TEXT_PLANTS: dict[str, Callable[[str], str]] = {
    "duplicate-key": lambda line: f"{line}\nname: x",
    "yaml-tag": lambda line: line.replace(": ", ": !!str ", 1),
    "yaml-syntax": lambda line: line + ": x",
    "key-not-text": lambda line: f"{line}\n7: x",
    "several-documents": lambda line: f"{line}\n---\na: 1",
}


@given(trees(), st.sampled_from(sorted(TEXT_PLANTS)), st.data())
@DRAW_SLOWLY
def test_one_mistake_in_the_text_is_told_at_its_line(tree: Tree, code: str, data: st.DataObject) -> None:
    lines = written(tree, data).text.split("\n")
    at = next(index for index, line in enumerate(lines) if line.startswith("name:"))
    lines[at] = TEXT_PLANTS[code](lines[at])
    found = [d for d in analyse("\n".join(lines), "x.yaml", CATALOGUE).diagnostics if d.severity == "error"]
    expected = at + (1 if code in ("yaml-tag", "yaml-syntax") else 2)
    assert {(d.code, d.range.start.line) for d in found} == {(code, expected)}
