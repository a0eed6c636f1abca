"""`none` in the place of a list's item: a spec with it is the spec without the item, and others keep their paths."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.editor_schema import experiment_schema
from craftc.compiler.language.taken_out import as_written, item_lists, places_of, take_out
from craftc.compiler.pipeline import Compiled, compile_spec
from craftc.compiler.resolved.resolved_spec import resolved_spec
from craftc.compiler.resolved.write_yaml import as_yaml
from craftc.schemas.program_spec import ProgramSpec
from craftc.schemas.spec import Spec

SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "taken_out",
    "data": {
        "source": "digits",
        "splits": {"train": 0.5, "valid": 0.2, "calib": {"share": 0.1, "for": "calibrate"}, "test": 0.2},
        "augment": ["horizontal_flip", {"kind": "gaussian_noise", "std": 0.1}, "random_erasing"],
    },
    "model": "mlp",
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy", "auroc", "ece"]},
    "training": {
        "epochs": 5,
        "batch_size": 32,
        "optimizer": "adamw",
        "schedule": [{"kind": "linear_warmup", "epochs": 2}, "cosine"],
        "groups": [{"parameters": "*.0.weight", "lr_scale": 0.1}, {"parameters": "*.bias", "weight_decay": 0.0}],
    },
    "report": {"metric": "test/loss"},
    "evaluation": {
        "after": [{"kind": "temperature", "fit": "calib"}, {"kind": "vector_scaling", "fit": "calib"}],
    },
}
LISTS = {
    "data.augment": 3,
    "objective.metrics": 3,
    "training.schedule": 2,
    "training.groups": 2,
    "evaluation.after": 2,
}


def compiled(spec: dict[str, Any]) -> Compiled:
    return compile_spec(json.dumps(spec), "x.yaml", built_in_catalogue())


def told(spec: dict[str, Any]) -> list[tuple[str, str]]:
    return [(d.code, d.message) for d in compiled(spec).diagnostics]


def written(path: str, items: Any) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(json.dumps(SPEC))
    section, key = path.split(".")
    spec[section][key] = items
    return spec


def items_of(path: str) -> list[Any]:
    section, key = path.split(".")
    return list(SPEC[section][key])


def trials(spec: dict[str, Any]) -> dict[str, str]:
    plan = compiled(spec).plan
    assert plan is not None, told(spec)
    return {trial.variant: trial.id for trial in plan.trials}


@pytest.mark.parametrize(("path", "index"), [(path, i) for path, num in LISTS.items() for i in range(num)])
def test_the_trial_is_that_of_a_spec_without_the_item(path: str, index: int) -> None:
    items = items_of(path)
    without = trials(written(path, items[:index] + items[index + 1 :]))["base"]
    assert trials(written(path, [*items[:index], "none", *items[index + 1 :]]))["base"] == without
    assert without != trials(SPEC)["base"]


@pytest.mark.parametrize("path", LISTS)
def test_each_item_is_ablated_by_its_own_path(path: str) -> None:
    items = items_of(path)
    features = {f"f{index}": {f"{path}.{index}": "none"} for index in range(len(items))}
    spec = SPEC | {"ablation": {"features": features, "design": ["leave_one_out", "add_one"]}}
    assert "no-effect" not in {code for code, _ in told(spec)}
    if path == "training.schedule":  # a warm-up alone is no schedule
        assert {code for code, _ in told(spec)} == {"schedule-too-short", "out-of-bounds"}
        return
    found = trials(spec)
    for index in range(len(items)):
        without = trials(written(path, items[:index] + items[index + 1 :]))["base"]
        assert found[f"-f{index}"] == without
        if len(items) > 2:  # of two, one is the other left out
            assert found[f"+f{index}"] == trials(written(path, [items[index]]))["base"]
    assert found["bare"] == trials(written(path, []))["base"]


def test_the_others_keep_their_paths() -> None:
    both = {"both": {"data.augment.0": "none", "data.augment.1.std": 0.2}}
    noisier = [{"kind": "gaussian_noise", "std": 0.2}, "random_erasing"]
    assert trials(SPEC | {"ablation": {"features": both}})["-both"] == trials(written("data.augment", noisier))["base"]
    first = written("data.augment", ["none", *items_of("data.augment")[1:]])
    grid = {"grid": {"data.augment.1.std": [0.2]}}
    assert trials(first | {"ablation": grid})["std=0.2"] == trials(written("data.augment", noisier))["base"]


def test_a_fold_of_equal_variants_is_one_trial() -> None:
    grid = {"data.augment.0": ["none", "vertical_flip"], "data.augment.1": ["none"]}
    plan = compiled(SPEC | {"ablation": {"grid": grid}}).plan
    assert plan is not None
    assert len({trial.id for trial in plan.trials}) == 3


def test_a_search_may_take_an_item_out() -> None:
    space = {"data.augment.0": {"choice": ["none", {"kind": "vertical_flip", "p": 0.3}]}}
    assert told(SPEC | {"search": {"trials": 2, "optimize": {"metric": "valid/loss"}, "space": space}}) == []


def test_a_default_list_loses_an_item_too() -> None:
    spec = json.loads(json.dumps(SPEC))
    del spec["objective"]["metrics"]
    found = trials(spec | {"ablation": {"features": {"metric": {"objective.metrics.0": "none"}}}})
    assert found["-metric"] == trials(written("objective.metrics", []))["base"]


def test_a_resolved_spec_has_the_items_where_they_are_written() -> None:
    first = written("data.augment", ["none", *items_of("data.augment")[1:], "none"])
    spec = first | {"ablation": {"features": {"noise": {"data.augment.1": "none"}}}}
    whole = resolved_spec(compiled(spec).analysis)
    text = as_yaml(whole)
    again = compile_spec(text, "y.yaml", built_in_catalogue())
    assert again.plan is not None, again.diagnostics
    assert {trial.variant: trial.id for trial in again.plan.trials} == trials(spec)
    without = trials(written("data.augment", ["random_erasing"]))["base"]
    assert trials(spec)["-noise"] == without


def test_two_alike_are_two_features() -> None:
    spec = written("data.augment", ["horizontal_flip", "horizontal_flip"])
    features = {"first": {"data.augment.0": "none"}, "second": {"data.augment.1": "none"}}
    codes = told(spec | {"ablation": {"features": features}})
    assert not [message for code, message in codes if code == "no-effect"]


@pytest.mark.parametrize("variant", [False, True])
def test_a_mistake_is_told_where_it_is_written(variant: bool) -> None:
    spec = written("data.augment", ["horizontal_flip", {"kind": "gaussian_noise", "std": -1}])
    if variant:
        spec = written("data.augment", ["horizontal_flip", {"kind": "gaussian_noise", "std": 1}])
        features = {"off": {"data.augment.0": "none", "data.augment.1.std": -1}}
        spec |= {"ablation": {"features": features}}
    else:
        spec["data"]["augment"][0] = "none"
    text = json.dumps(spec)
    (found,) = [d for d in compile_spec(text, "x.yaml", built_in_catalogue()).diagnostics if d.severity == "error"]
    assert found.code == "out-of-bounds"
    assert text[found.range.start.column - 1 : found.range.end.column - 1] == "-1"


def test_there_is_no_such_item() -> None:
    assert told(SPEC | {"ablation": {"features": {"f": {"data.augment.3": "none"}}}}) == [
        ("unknown-factor", 'there is no "data.augment.3" to set')
    ]


def test_a_rule_between_fields_speaks_of_the_written_place() -> None:
    text = json.dumps(written("data.augment", ["none", "mixup", "none", "cutmix"]))
    (found,) = compile_spec(text, "x.yaml", built_in_catalogue()).diagnostics
    assert found.code == "mixed-twice"
    assert text[found.range.start.column - 1 : found.range.end.column - 1] == '"cutmix"'


def test_places_are_those_of_what_is_left() -> None:
    tree = json.loads(json.dumps(written("data.augment", ["none", "a", "none", "b"])))
    places = places_of(tree)
    assert take_out(tree) == places == {("data", "augment"): (1, 3)}
    assert tree["data"]["augment"] == ["a", "b"]
    assert as_written(("data", "augment", 1, "kind"), places) == ("data", "augment", 3, "kind")
    assert as_written(("data", "augment"), places) == ("data", "augment")
    assert as_written(("data", "source"), places) == ("data", "source")
    assert take_out(tree) == {}


def test_all_lists_of_components_and_sections_are_known() -> None:
    found = {".".join(map(str, path)) for path in item_lists(Spec)}
    assert set(LISTS) | {"training.values.*"} <= found
    assert "training.groups" in found
    assert item_lists(ProgramSpec)


@pytest.mark.parametrize("path", LISTS)
def test_editors_take_it(path: str) -> None:
    schema = Draft202012Validator(experiment_schema(built_in_catalogue()))
    assert not list(schema.iter_errors(SPEC))
    assert not list(schema.iter_errors(written(path, [*items_of(path), "none"])))
    features = {"f": {f"{path}.0": "none"}}
    assert not list(schema.iter_errors(SPEC | {"ablation": {"features": features}}))
    assert list(schema.iter_errors(written(path, [*items_of(path), "nothing"])))
