"""A trial stays the trial that it is when the language grows, and becomes another when what it means changes."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, Any

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.planning.identity.with_defaults import with_defaults
from craftc.compiler.planning.identity.without_defaults import _of_keys, without_defaults
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.language import SECTIONS, sections_of
from craftc.schemas.plan import Stages, Trial
from craftc.schemas.section import Field, Section, SwitchedOffByNone
from craftc.schemas.spec import Component, ComponentGroup, Data, EarlyStopping, Splits, Training

CATALOGUE = built_in_catalogue()
Tree = dict[str, Any]
SPEC: Tree = {
    "craftc": 1,
    "name": "grown",
    "data": {"source": "digits", "augment": ["gaussian_noise"]},
    "model": {"kind": "mlp", "dropout": 0.5},
    "objective": "cross_entropy",
    "training": {
        "epochs": 5,
        "batch_size": 32,
        "optimizer": "adamw",
        "early_stopping": {"metric": "valid/loss", "patience": 2},
    },
}
SPEC["data"]["augment"] = [{"kind": "gaussian_noise", "std": 0.1}]

Identity = tuple[str, Stages | None]
ChangedSection = Callable[..., AbstractContextManager[None]]


def compiled(tree: Tree, catalogue: Catalogue = CATALOGUE) -> tuple[Trial, ...]:
    result = compile_spec(json.dumps(tree), "x.yaml", catalogue)
    assert result.plan is not None, result.diagnostics
    return result.plan.trials


def identities(tree: Tree, catalogue: Catalogue = CATALOGUE) -> list[Identity]:
    """Each trial's fingerprint, and those of its stages."""
    return [(trial.id, trial.stages) for trial in compiled(tree, catalogue)]


def one(tree: Tree, catalogue: Catalogue = CATALOGUE) -> tuple[str, Stages]:
    [(trial, stages)] = identities(tree, catalogue)
    assert stages is not None
    return trial, stages


def counted_up(kind: str) -> Catalogue:
    """A catalogue in which the version of a component is 2."""
    entries = [e._replace(semantics_version=2) if e.kind == kind else e for e in CATALOGUE.entries]
    assert entries != list(CATALOGUE.entries)
    return Catalogue(tuple(entries))


def test_values_are_compared_as_they_are_written() -> None:
    for kind, name, default, other in (("mlp", "dropout", 0.0, False), ("mlp", "hidden", [128], [128.0])):
        section = {"kind": kind, name: other}
        assert without_defaults("model", section, CATALOGUE) == section
        assert without_defaults("model", {"kind": kind, name: default}, CATALOGUE) == {"kind": kind}


@pytest.mark.parametrize(
    ("kind", "stages"),
    [
        ("digits", {"prepare", "train"}),
        ("none", {"prepare", "train"}),  # not written: the normalization that is the default
        ("gaussian_noise", {"train"}),
        ("mlp", {"train"}),
        ("cross_entropy", {"train"}),
        ("adamw", {"train"}),
        ("constant", {"train"}),
        ("accuracy", set()),  # measured beside, and the default
    ],
)
def test_a_component_of_another_version_makes_another_trial(kind: str, stages: set[str]) -> None:
    (before, stages_before), (after, stages_after) = one(SPEC), one(SPEC, counted_up(kind))
    assert before != after
    assert {
        name for name in ("prepare", "train") if getattr(stages_before, name) != getattr(stages_after, name)
    } == stages


@pytest.mark.parametrize("kind", ["mnist_5k", "per_line", "scanline_vit", "sgd", "cosine", "auroc", "line_dropout"])
def test_a_component_that_is_not_named_changes_nothing(kind: str) -> None:
    assert identities(SPEC, counted_up(kind)) == identities(SPEC)


@pytest.mark.parametrize("section", [*(SECTIONS[name] for name in sections_of(())), EarlyStopping, Splits])
def test_a_section_of_another_version_makes_another_trial(
    section: type[Section], changed_section: ChangedSection
) -> None:
    before = one(SPEC)
    with changed_section(section, semantics_version=2):
        after = one(SPEC)
    assert after[0] != before[0]
    assert (after[1].train == before[1].train) == (section.__name__ in ("Evaluation", "EarlyStopping"))


def test_a_key_of_another_version_makes_another_trial_of_those_that_give_it(changed_section: ChangedSection) -> None:
    augment = Field((), semantics_version=Data.fields["augment"].semantics_version + 1)
    augment.annotate(Data.fields["augment"].annotation)
    augment.metadata = Data.fields["augment"].metadata
    precision = Field("float32", semantics_version=2)
    precision.annotate(Training.fields["precision"].annotation)
    plain = {**SPEC, "data": {"source": "digits"}}
    before = one(SPEC), one(plain)
    with (
        changed_section(Data, fields={**Data.fields, "augment": augment}),
        changed_section(Training, fields={**Training.fields, "precision": precision}),
    ):
        after = one(SPEC), one(plain)
    assert after[1] == before[1]
    assert after[0][0] != before[0][0]
    assert (after[0][1].prepare, after[0][1].train != before[0][1].train) == (before[0][1].prepare, True)


def test_a_configuration_of_earlier_days_is_filled_in() -> None:
    [trial] = compiled(SPEC)
    older = json.loads(json.dumps(trial.config))
    for section, key in (("training", "precision"), ("data", "layout"), ("regularization", "ema_decay")):
        del older[section][key]
    del older["model"]["activation"]
    del older["training"]["optimizer"]["weight_decay"]
    del older["training"]["early_stopping"]["min_delta"]
    assert with_defaults(older, CATALOGUE) == trial.config
    assert "precision" not in older["training"]


@pytest.mark.parametrize("damaged", [{}, {"data": 1}, {**SPEC, "regularization": [], "evaluation": {}}])
def test_what_is_no_configuration_is_refused(damaged: Tree) -> None:
    with pytest.raises((AttributeError, KeyError, TypeError)):
        with_defaults(damaged, CATALOGUE)


def of_terms(**terms: Any) -> Tree:
    return SPEC | {"objective": {"terms": terms}}


def test_terms_count_by_what_they_are_and_not_by_their_order() -> None:
    first, second = {"kind": "cross_entropy", "weight": 0.5}, {"kind": "cross_entropy", "label_smoothing": 0.1}
    assert one(of_terms(a=first, b=second)) == one(of_terms(b=second, a=first))
    assert one(of_terms(a=first, b=second)) == one(
        of_terms(a=first | {"class_weights": "none"}, b={**second, "weight": 1})
    )
    others = [
        of_terms(a=first),
        of_terms(a=first, b=second | {"weight": 0.5}),
        of_terms(a=second, b=first),
        of_terms(a=first, b=second | {"label_smoothing": 0.2}),
        of_terms(a=first, c=second),
    ]
    assert len({one(tree)[0] for tree in (of_terms(a=first, b=second), *others)}) == len(others) + 1


def test_a_trial_of_terms_has_all_its_defaults_filled_in() -> None:
    [trial] = compiled(of_terms(a={"kind": "cross_entropy", "weight": 0.5}, b="cross_entropy"))
    config = json.loads(json.dumps(trial.config))
    assert "kind" not in config["objective"]
    del config["objective"]["terms"]["b"]["weight"], config["objective"]["terms"]["a"]["class_weights"]
    assert with_defaults(config, CATALOGUE)["objective"]["terms"] == trial.config["objective"]["terms"]


def test_an_objective_by_its_kind_knows_nothing_of_terms() -> None:
    [trial] = compiled(SPEC)
    assert trial.config["objective"].keys() == {"kind", "class_weights", "label_smoothing", "metrics"}


class _Part(Section):
    share: float = Field(description="How much.")
    added: bool = Field(False, description="What a later craftc may have added.")


class _Holder(Section, open_to=float | _Part):
    """Sections in every place that a section can have them."""

    one: _Part | None = Field(None, description="One, or none.")
    several: tuple[_Part, ...] = Field((), description="A list.")
    by_name: Annotated[dict[str, _Part] | None, SwitchedOffByNone()] = Field(
        None, description="By a name of one's own."
    )
    terms: Annotated[dict[str, Component], ComponentGroup("objectives")] = Field(
        default_factory=dict, description="Components by a name of one's own."
    )


@pytest.mark.parametrize(
    ("place", "plain"),
    [
        (lambda part: {"one": part}, {"share": 0.5}),
        (lambda part: {"several": [part]}, {"share": 0.5}),
        (lambda part: {"by_name": {"mine": part}}, {"share": 0.5}),
        (lambda part: {"mine": part}, {"share": 0.5}),
    ],
    ids=["one", "list", "mapping", "open key"],
)
def test_an_added_key_counts_where_it_is_no_default_wherever_its_section_stands(place, plain) -> None:
    def counted(value: Tree) -> Any:
        return _of_keys(_Holder, value, CATALOGUE)

    assert counted(place(plain | {"added": False})) == counted(place(plain)) == place(plain)
    assert counted(place(plain | {"added": True})) == place(plain | {"added": True})


def test_components_by_name_count_without_the_defaults_of_their_arguments() -> None:
    terms = {"terms": {"main": {"kind": "cross_entropy", "class_weights": "none"}, "mine": {"kind": "m:Loss", "x": 1}}}
    found = _of_keys(_Holder, terms, CATALOGUE)["terms"]
    assert found == {"main": {"kind": "cross_entropy"}, "mine": {"kind": "m:Loss", "x": 1}}


def test_a_named_split_with_what_is_so_anyway_is_the_same_trial() -> None:
    def of(splits: Tree) -> list[Identity]:
        return identities(SPEC | {"data": SPEC["data"] | {"splits": splits}})

    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    assert of(shares | {"valid": {"share": 0.2, "for": "select"}}) == of(shares)
    more = {"train": 0.6, "valid": 0.2, "more": 0.2}
    assert of(more | {"more": {"share": 0.2, "for": "select"}}) == of(more)
    assert of(more | {"more": {"share": 0.2, "for": "calibrate"}}) != of(more)


def test_what_is_removed_counts_and_its_name_and_order_do_not() -> None:
    def first(remove: Any) -> str:
        return compiled({**SPEC, "model": {**SPEC["model"], "remove": remove}})[0].id

    [whole] = compiled(SPEC)
    assert first("none") == first({}) == first({"some": "none"}) == whole.id
    assert "remove" not in whole.config["model"]
    one = first({"some": "layers.1"})
    assert one == first({"other": ["layers.1"]}) == first({"a": {"modules": ["layers.1"], "by": "infer"}})
    assert first({"a": "layers.1", "b": "layers.2"}) == first({"x": "layers.2", "y": "layers.1", "z": "none"})
    assert len({whole.id, one, first({"a": "layers.2"}), first({"a": {"modules": "layers.1", "by": "zero"}})}) == 4
    [trial] = compiled({**SPEC, "model": {**SPEC["model"], "remove": {"some": "layers.1"}}})
    assert trial.config["model"]["remove"] == [{"modules": ["layers.1"]}]
    again = with_defaults(trial.config, CATALOGUE)
    assert again["model"]["remove"] == trial.config["model"]["remove"]


def test_features_that_remove_go_together() -> None:
    features = {"first": {"remove": "layers.1"}, "second.part": {"remove": {"modules": "layers.2", "by": "zero"}}}
    ablation = {"features": features, "design": ["full_factorial"]}
    removed = {trial.variant: trial.config["model"].get("remove") for trial in compiled({**SPEC, "ablation": ablation})}
    first, second = {"modules": ["layers.1"]}, {"modules": ["layers.2"], "by": "zero"}
    assert removed.pop("full") is None
    assert removed == {"-first": [first], "-second.part": [second], "bare": [first, second]}
