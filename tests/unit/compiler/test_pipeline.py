"""Specs to plans: lowering, identity, folding, reuse, packing; the plan is verified after every pass."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Compiled, compile_spec
from craftc.compiler.planning.identity.fingerprint import Decisive, content_digest, fingerprint
from craftc.compiler.planning.passes.fold import fold
from craftc.compiler.planning.passes.pack import pack
from craftc.compiler.planning.passes.reuse import reuse
from craftc.compiler.planning.passes.verify import verify
from craftc.schemas.plan import Headline, JobResources, Plan, Trial

Compile = Callable[[str], Compiled]
ROOT = Path(__file__).parents[3]
SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "n",
    "data": {"source": {"kind": "digits", "imbalance": 2}, "normalize": "per_line", "augment": ["line_dropout"]},
    "model": {"kind": "mlp", "hidden": [8]},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
    "regularization": {"dropout": 0.1},
    "training": {"epochs": 3, "batch_size": 8, "optimizer": {"kind": "adamw", "lr": 0.1}},
}


def ids(spec: dict[str, Any], folder: Path = Path()) -> list[str]:
    compiled = compile_spec(json.dumps(spec), str(folder / "x.yaml"), built_in_catalogue())
    assert compiled.plan is not None, compiled.diagnostics
    return [trial.id for trial in compiled.plan.trials]


def changed(path: str, value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    *way, last = path.split(".")
    parent = spec
    for part in way:
        parent = parent.setdefault(part, {})
    parent[last] = value
    return spec


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 1),
        ("data.source.imbalance", 3),
        ("data.source.line_drift", 0.5),
        ("data.source.kind", "mnist_5k"),
        ("data.splits", {"train": 0.8, "test": 0.2}),
        ("data.splits", {"train": 0.6, "valid": 0.2, "test": 0.2, "seed": 1}),
        ("data.splits", {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": False}),
        ("data.normalize", "per_dataset"),
        ("data.augment", []),
        ("data.augment", ["vertical_flip"]),
        ("model.hidden", [8, 8]),
        ("model.activation", "gelu"),
        ("objective.label_smoothing", 0.1),
        ("objective.class_weights", "balanced"),
        ("objective.metrics", ["accuracy", "auroc"]),
        ("regularization.dropout", 0.2),
        ("regularization.weight_decay", 0.3),
        ("regularization.clip_grad_norm", 1.0),
        ("regularization.ema_decay", 0.9),
        ("training.epochs", 4),
        ("training.batch_size", 9),
        ("training.optimizer.lr", 0.2),
        ("training.optimizer.eps", 1e-7),
        ("training.schedule", ["cosine"]),
        ("training.early_stopping", {"metric": "valid/loss", "patience": 1}),
        ("evaluation.select", {"metric": "valid/accuracy"}),
        ("evaluation.select", "none"),
    ],
)
def test_what_can_change_a_result_changes_the_fingerprint(path: str, value: Any) -> None:
    assert ids(changed(path, value)) != ids(SPEC)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "other"),
        ("description", "x"),
        ("resources", {"cpus": 4, "gpus": 1, "max_concurrent": 2}),
        ("report", {"metric": "test/loss", "trackers": [{"kind": "wandb", "project": "p"}]}),
        ("seed", 0),
        ("training.optimizer.lr", 1e-1),
        ("data.normalize", {"kind": "per_line"}),
        ("training.schedule", ["constant"]),
        ("data.source.imbalance", 2.0),
        ("data.splits", {"test": 0.2, "train": 0.6, "valid": 0.2}),
        ("evaluation.select", {"metric": "valid/loss", "mode": "min"}),
        ("training.early_stopping", "none"),
    ],
)
def test_what_says_the_same_does_not(path: str, value: Any) -> None:
    assert ids(changed(path, value)) == ids(SPEC)


def test_regularization_is_the_same_as_the_argument_it_is_handed_to() -> None:
    spec = changed("model.dropout", 0.1)
    del spec["regularization"]
    assert ids(spec) == ids(SPEC)


def shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(inner, random) for key, inner in items}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_nothing(random: Any) -> None:
    assert ids(shuffled(SPEC, random)) == ids(SPEC)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values, st.integers(0, 3))
def test_fingerprints_are_equal_where_the_json_is(one: Any, other: Any, seed: int) -> None:
    first, second = ({"data": {"source": {}}, "model": value} for value in (one, other))
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (fingerprint(Decisive({}, first, {}), seed) == fingerprint(Decisive({}, second, {}), seed)) == same
    assert fingerprint(Decisive({}, first, {}), seed) != fingerprint(Decisive({}, first, {}), seed + 1)


def test_the_same_plan_in_another_process() -> None:
    code = (
        "from pathlib import Path; from craftc.compiler.language.catalogue import built_in_catalogue as c;"
        "from craftc.compiler.pipeline import compile_spec as f;"
        f"p = {str(ROOT / 'specs' / 'vit_ablation.yaml')!r};"
        "print(f(Path(p).read_text(), p, c()).plan.model_dump_json())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def csv_spec(path: str) -> dict[str, Any]:
    return changed("data.source", {"kind": "csv", "path": path, "target": "y"})


def test_the_content_of_a_file_counts_and_its_place_does_not(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    table = "x,y\n" + "".join(f"{number},{number % 2}\n" for number in range(20))
    (tmp_path / "a.csv").write_text(table)
    (tmp_path / "sub" / "b.csv").write_text(table)
    same = ids(csv_spec("a.csv"), tmp_path)
    assert (
        ids(csv_spec("sub/b.csv"), tmp_path)
        == ids(csv_spec("b.csv"), tmp_path / "sub")
        == ids(csv_spec(str(tmp_path / "a.csv")))
        == same
    )
    (tmp_path / "a.csv").write_text(table.replace("0,0", "2,0", 1))
    assert ids(csv_spec("a.csv"), tmp_path) != same


def test_a_folder_counts_by_names_and_contents(tmp_path: Path) -> None:
    digests = []
    for name, content in (("a", "1"), ("a", "2"), ("b", "1")):
        folder = tmp_path / f"{name}{content}"
        folder.mkdir()
        (folder / name).write_text(content)
        digests.append(content_digest(folder))
    again = tmp_path / "again"
    again.mkdir()
    (again / "a").write_text("1")
    assert len(set(digests)) == 3
    assert content_digest(again) == digests[0]


def test_data_that_cannot_be_read_is_told_at_the_setting_that_names_it(
    told: Callable[[str], list[tuple[str, str]]], tmp_path: Path
) -> None:
    present = tmp_path / "a.csv"
    present.write_text("x,y\n" + "".join(f"{number},{number % 2}\n" for number in range(20)))
    os.mkfifo(tmp_path / "pipe")
    source = f"data: {{source: {{kind: csv, path: {present}, target: y}}}}"
    text = f"{source}\nablation: {{grid: {{data.source.path: [nowhere.csv, {tmp_path}/pipe]}}}}"
    assert told(text) == [("data-unreadable", "nowhere.csv"), ("data-unreadable", f"{tmp_path}/pipe")]


def test_lowering_leaves_nothing_to_infer_but_facts_of_the_data(compiled: Compile) -> None:
    text = """regularization: {dropout: 0.3, weight_decay: 0.2, label_smoothing: 0.1, clip_grad_norm: 2}
training:
  epochs: 5
  batch_size: 32
  optimizer: adamw
  schedule: [reduce_on_plateau]
  early_stopping: {metric: valid/accuracy, patience: 2}"""
    plan = compiled(text).plan
    assert plan is not None
    config = plan.trials[0].config
    off = dict.fromkeys(("adaptive_clip", "ema_decay", "average", "sam"), "none")
    assert config["regularization"] == {"clip_grad_norm": 2.0} | off
    assert (config["model"]["dropout"], config["training"]["optimizer"]["weight_decay"]) == (0.3, 0.2)
    assert config["objective"]["label_smoothing"] == 0.1
    assert config["training"]["early_stopping"]["mode"] == "max"
    assert config["training"]["schedule"][0]["mode"] == "min"
    assert config["evaluation"]["select"] == {"metric": "valid/loss", "mode": "min"}
    assert config["model"]["num_classes"] == "infer"
    assert json.loads(json.dumps(config)) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("test", "accuracy", "max")),
        ("data: {source: digits, splits: {train: 0.5, valid: 0.5}}", ("valid", "accuracy", "max")),
        ("data: {source: digits, splits: {train: 0.5, dev: 0.5}}", ("dev", "accuracy", "max")),
        ("objective: {kind: cross_entropy, metrics: []}", ("test", "loss", "min")),
        ("report: {metric: test/loss}", ("test", "loss", "min")),
        (
            "data: {source: digits, splits: {train: 0.5, test: 0.2, hold: {share: 0.3, for: final}}}",
            ("test", "accuracy", "max"),
        ),
        ("data: {source: digits, splits: {train: 0.5, hold: {share: 0.5, for: final}}}", ("hold", "accuracy", "max")),
    ],
)
def test_the_headline(compiled: Compile, text: str, expected: tuple[str, str, str]) -> None:
    plan = compiled(text).plan
    assert plan is not None
    assert (plan.headline.split, plan.headline.metric, plan.headline.mode) == expected


def test_seeds_are_counted_up_or_listed(compiled: Compile) -> None:
    counted, listed = (
        compiled("seed: 7\nablation: {seeds: 3}").plan,
        compiled("seed: 7\nablation: {seeds: [4, 1]}").plan,
    )
    assert counted is not None
    assert listed is not None
    assert [trial.seed for trial in counted.trials] == [7, 8, 9]
    assert [trial.seed for trial in listed.trials] == [4, 1]


names_and_ids = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=25, unique=True)


@given(names_and_ids, st.integers(1, 4), st.sets(st.integers(0, 3)))
def test_every_pass_keeps_every_name_and_the_plan_sound(
    points: list[tuple[int, int]], num_distinct: int, finished: set[int]
) -> None:
    def trial_id(variant: int, seed: int) -> str:
        return f"{variant % num_distinct}{seed}".rjust(64, "0")

    trials = tuple(
        Trial(id=trial_id(v, s), variant=f"v{v}", seed=s, config={"training": {"epochs": 1}, "model": {}})
        for v, s in sorted(points)
    )
    headline = Headline(split="test", metric="loss", mode="min")
    plan = Plan(name="n", baseline=trials[0].variant, headline=headline, trials=trials)
    folded = fold(plan)
    verify(folded)
    named = {(name, t.seed): t.id for t in folded.trials for name in (t.variant, *t.aliases)}
    assert named == {(t.variant, t.seed): t.id for t in trials}
    assert folded.folded == len(trials) - len(folded.trials)
    done = {t.id for t in folded.trials if int(t.id[-2]) in finished}
    reused = reuse(folded, done.__contains__)
    verify(reused)
    assert {t.id for t in reused.trials if t.status == "reused"} == done
    packed = pack(reused, JobResources(cpu=2))
    verify(packed)
    assert [trial for job in packed.jobs for trial in job.trials] == [t.id for t in packed.trials if t.status == "new"]
    assert all(job.resources.cpu == 2 for job in packed.jobs)


def test_a_finished_trial_is_reused(compiled: Compile) -> None:
    text = json.dumps(changed("ablation", {"seeds": 2}))
    first = compile_spec(text, "x.yaml", built_in_catalogue()).plan
    assert first is not None
    again = compile_spec(text, "x.yaml", built_in_catalogue(), {first.trials[0].id}.__contains__).plan
    assert again is not None
    assert [(t.status, t.job) for t in again.trials] == [("reused", None), ("new", 0)]


def test_folds_are_crossed_with_seeds(compiled: Compile) -> None:
    text = "data: {source: digits, splits: {train: 0.8, valid: 0.2, folds: 3}}\nablation: {seeds: 2}"
    plan = compiled(text).plan
    assert plan is not None
    assert [(trial.fold, trial.seed) for trial in plan.trials] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert len({trial.id for trial in plan.trials}) == 6
    assert len({trial.stages.prepare for trial in plan.trials if trial.stages}) == 3
    # Trials of one fold alone may be one batch: each fold is other data.
    assert [trial.group for trial in plan.trials] == [0, 0, 1, 1, 2, 2]
    one = compiled(text.replace("folds: 3", "folds: 3, fold: 1")).plan
    assert one is not None
    assert [trial.id for trial in one.trials] == [trial.id for trial in plan.trials[2:4]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{train: 0.6, valid: 0.4}", "{train: {share: 0.6, for: fit}, valid: {share: 0.4}}"),
        ("{train: 0.6, valid: 0.4}", "{train: 0.6, valid: {share: 0.4, for: select}, allow_duplicates: false}"),
        ("{train: 0.6, extra: 0.2, test: 0.2}", "{train: 0.6, extra: 0.2, test: {share: 0.2, for: final}}"),
    ],
)
def test_a_role_that_is_so_anyway_is_the_same_trial(compiled: Compile, one: str, other: str) -> None:
    plans = [compiled(f"data: {{source: digits, splits: {splits}}}").plan for splits in (one, other)]
    assert plans[0] is not None
    assert plans[1] is not None
    assert [trial.id for trial in plans[0].trials] == [trial.id for trial in plans[1].trials]
