"""Which trials of a plan share a training, which do not, and what the plan says of it."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from craftc.cli.plan import describe
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import _plan, analyse, compile_spec
from craftc.compiler.planning.passes.fold import fold
from craftc.compiler.planning.passes.pack import job_resources, pack
from craftc.compiler.planning.passes.reuse import reuse
from craftc.compiler.planning.passes.search import plan_search
from craftc.compiler.planning.passes.share import share
from craftc.compiler.planning.passes.verify import verify
from craftc.schemas.plan import CheckpointEvery, Plan

SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "n",
    "data": {"source": "digits"},
    "model": {"kind": "mlp", "hidden": [8]},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy", "auroc"]},
    "training": {"epochs": 10, "batch_size": 8, "optimizer": "adamw", "schedule": ["constant"]},
    "report": {"metric": "test/loss"},
}
SELECTIONS = [{"metric": "valid/loss"}, {"metric": "valid/auroc"}, "none"]
STOPPING: list[Any] = ["none", {"metric": "valid/loss", "patience": 2}]


def plan_of(spec: dict[str, Any], is_finished: Callable[[str], bool] = lambda _: False) -> Plan:
    compiled = compile_spec(json.dumps(spec), "x.yaml", built_in_catalogue(), is_finished)
    assert compiled.plan is not None, compiled.diagnostics
    verify(compiled.plan)
    return compiled.plan


def varied(grid: dict[str, list[Any]], **sections: Any) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    for name, values in sections.items():
        spec[name] = spec.get(name, {}) | values
    spec["ablation"] = spec.get("ablation", {}) | {"grid": grid}
    return spec


def num_trainings(plan: Plan) -> int:
    return sum(trial.shares is None for trial in plan.trials)


@pytest.mark.parametrize(
    ("grid", "trainings"),
    [
        ({"evaluation.select": SELECTIONS}, 1),
        ({"objective.metrics": [["accuracy"], ["f1_macro", "auroc"], []]}, 1),
        ({"training.early_stopping": STOPPING}, 1),
        ({"training.epochs": [2, 5, 10]}, 1),
        ({"regularization.sam": ["none", {"rho": 0.1}]}, 2),
        ({"training.epochs": [2, 5, 10], "evaluation.select": SELECTIONS, "model.hidden": [[8], [9]]}, 2),
        ({"training.batch_size": [8, 9]}, 2),
        ({"training.optimizer.lr": [0.001, 0.2]}, 2),
        ({"data.augment": [[], ["horizontal_flip"]]}, 2),
        ({"data.normalize": ["none", "per_line"]}, 2),
        ({"objective.label_smoothing": [0.0, 0.1]}, 2),
        ({"regularization.ema_decay": ["none", 0.9]}, 2),
    ],
)
def test_what_changes_no_step_is_trained_once(grid: dict[str, list[Any]], trainings: int) -> None:
    assert num_trainings(plan_of(varied(grid))) == trainings


@pytest.mark.parametrize(
    ("sections", "trainings"),
    [
        ({"training": {"schedule": [{"kind": "step", "step_size": 2}]}}, 1),
        ({"training": {"schedule": [{"kind": "cosine_restarts", "period": 2}]}}, 1),
        ({"training": {"schedule": ["inverse_sqrt"]}}, 1),
        ({"training": {"schedule": ["one_cycle"]}}, 3),
        ({"training": {"schedule": ["wsd"]}}, 3),
        ({"training": {"optimizer": "schedule_free_sgd"}}, 1),
        # Its weights would be switched to and fro where a shorter one ends within a record.
        ({"training": {"optimizer": "schedule_free_sgd"}, "evaluation": {"every": {"steps": 100}}}, 3),
        ({"evaluation": {"every": {"steps": 100}}}, 1),
        ({"regularization": {"sam": {"rho": 0.1}, "average": {"start": {"epochs": 1}}}}, 1),
    ],
)
def test_lengths_share_what_does_not_depend_on_them(sections: dict[str, Any], trainings: int) -> None:
    assert num_trainings(plan_of(varied({"training.epochs": [2, 5, 10]}, **sections))) == trainings


@pytest.mark.parametrize(
    ("schedule", "trainings"),
    [
        (["constant"], 1),
        ([{"kind": "linear_warmup", "epochs": 2}, "constant"], 1),
        ([{"kind": "linear_warmup", "epochs": 2}], 1),
        ([{"kind": "linear_warmup", "epochs": 2}, "reduce_on_plateau"], 1),
        ([{"kind": "cosine", "epochs": 2}, "constant"], 1),
        (["cosine"], 3),
        ([{"kind": "linear_warmup", "epochs": 1}, "cosine"], 3),
    ],
)
def test_a_shorter_trial_is_a_prefix_where_the_schedule_does_not_know_the_length(
    schedule: list[Any], trainings: int
) -> None:
    training = SPEC["training"] | {"schedule": schedule}
    assert num_trainings(plan_of(varied({"training.epochs": [2, 5, 10]}, training=training))) == trainings


def test_the_metric_that_a_schedule_follows_is_part_of_the_steps() -> None:
    def trainings(metric: str) -> int:
        schedule = [{"kind": "reduce_on_plateau", "metric": metric}]
        grid = {"objective.metrics": [["accuracy", "auroc"], ["auroc", "accuracy"], ["accuracy"]]}
        return num_trainings(plan_of(varied(grid, training=SPEC["training"] | {"schedule": schedule})))

    assert trainings("valid/accuracy") == trainings("valid/loss") == 1


def test_the_longest_leads_whatever_the_order_and_its_job_holds_all() -> None:
    for epochs in ([2, 10, 5], [10, 5, 2], [2, 5, 10]):
        plan = plan_of(varied({"training.epochs": epochs}, ablation={"seeds": 2}))
        leaders = [trial for trial in plan.trials if trial.shares is None]
        assert {trial.epochs for trial in leaders} == {10}
        assert [len(job.trials) for job in plan.jobs] == [3, 3]
        assert {trial.seed for trial in leaders} == {0, 1}


def test_a_finished_trial_leads_nobody() -> None:
    spec = varied({"training.epochs": [2, 5, 10]})
    longest = next(trial.id for trial in plan_of(spec).trials if trial.epochs == 10)
    plan = plan_of(spec, lambda trial: trial == longest)
    assert {trial.epochs: trial.shares is None for trial in plan.trials} == {2: False, 5: True, 10: True}
    assert len(plan.jobs) == 1


def test_what_a_study_follows_stays_apart() -> None:
    search = {"space": {"training.optimizer.lr": {"log_uniform": [1e-4, 1e-2]}}, "optimize": {"metric": "valid/loss"}}
    plan = plan_of(varied({"evaluation.select": SELECTIONS}, search=search | {"trials": 3}))
    assert plan.search is not None
    searched = [trial for trial in plan.trials if trial.variant in plan.search.variants]
    assert searched
    assert all(trial.shares is None for trial in searched)
    assert all(trial.shares not in {s.id for s in searched} for trial in plan.trials)


def test_a_training_by_several_workers_is_not_shared_and_the_plan_says_so() -> None:
    plan = plan_of(varied({"evaluation.select": SELECTIONS}, resources={"workers": 2}))
    assert num_trainings(plan) == len(plan.trials) == 3
    assert plan.unshared == "2 could share a training; a training by several workers is not shared"


def test_the_plan_in_a_line_counts_a_shared_epoch_once() -> None:
    plan = plan_of(varied({"training.epochs": [2, 5, 10], "evaluation.select": SELECTIONS}))
    assert describe(plan, {}) == (
        "9 trials: 9 new, 8 of them shared, 0 reused, 1 folded into them; 1 job, at most 10 epochs"
    )


def test_the_plan_holds_after_every_pass() -> None:
    spec = varied({"training.epochs": [2, 10], "evaluation.select": SELECTIONS}, ablation={"seeds": 2})
    analysis = analyse(json.dumps(spec), "x.yaml", built_in_catalogue())
    assert analysis.spec is not None
    plan, _ = _plan(analysis, Path(), built_in_catalogue())
    assert plan is not None
    resources = job_resources(analysis.spec)
    # Before folding a variant may stand for two trials; from there on everything holds.
    for step in (
        fold,
        lambda plan: reuse(plan, lambda trial: trial == plan.trials[0].id),
        lambda plan: plan_search(plan, analysis.spec, built_in_catalogue()),
        lambda plan: share(plan, resources),
        lambda plan: pack(plan, resources),
    ):
        plan = step(plan)
        verify(plan)


def test_stages_say_what_trials_have_in_common() -> None:
    plan = plan_of(varied({"data.normalize": ["none", "per_line"], "training.batch_size": [8, 9]}))
    assert len({trial.stages.prepare for trial in plan.trials if trial.stages}) == 2
    assert len({trial.stages.train for trial in plan.trials if trial.stages}) == 4


SCHEDULES = """
class Silent:
    epochs = "none"
    def __init__(self, *, rate: float = 1.0): ...
    def lr(self, base_lr, step, num_steps, steps_per_epoch): return base_lr

class Declared(Silent):
    depends_on_length = False
"""


@pytest.mark.parametrize(("kind", "trainings"), [("Silent", 2), ("Declared", 1)])
def test_a_schedule_of_ones_own_has_to_say_that_it_does_not_know_the_length(
    tmp_path: Path, kind: str, trainings: int
) -> None:
    (tmp_path / "rates.py").write_text(SCHEDULES)
    spec = varied({"training.epochs": [5, 10]}, training=SPEC["training"] | {"schedule": [{"kind": f"rates:{kind}"}]})
    compiled = compile_spec(json.dumps(spec), str(tmp_path / "x.yaml"), built_in_catalogue())
    assert compiled.plan is not None, compiled.diagnostics
    assert num_trainings(compiled.plan) == trainings


def test_code_of_ones_own_is_read_by_the_stages_that_use_it(tmp_path: Path) -> None:
    def stages(normalizer: str, net: str) -> Any:
        (tmp_path / "scales.py").write_text(
            f"# {normalizer}\nclass Scale:\n    def fit(self, x): ...\n    def __call__(self, x): return x\n"
        )
        (tmp_path / "nets.py").write_text(
            f"# {net}\nimport torch\nclass Net(torch.nn.Module):\n    def forward(self, x): ...\n"
        )
        spec = SPEC | {"data": {"source": "digits", "normalize": "scales:Scale"}, "model": {"kind": "nets:Net"}}
        compiled = compile_spec(json.dumps(spec), str(tmp_path / "x.yaml"), built_in_catalogue())
        assert compiled.plan is not None, compiled.diagnostics
        return compiled.plan.trials[0].stages

    first, other_scale, other_net = stages("a", "a"), stages("b", "a"), stages("a", "b")
    assert first.prepare == other_net.prepare != other_scale.prepare
    assert len({first.train, other_scale.train, other_net.train}) == 3


IN_STEPS = {"max_steps": 100, "batch_size": 8, "optimizer": "adamw", "schedule": ["constant"]}


@pytest.mark.parametrize(
    ("grid", "training", "every", "trainings"),
    [
        ({"training.max_steps": [40, 50, 100]}, IN_STEPS, {"steps": 20}, 1),
        ({"training.max_steps": [40, 50, 100]}, IN_STEPS, {"epochs": 1}, 1),
        ({"training.max_steps": [40, "none"], "training.epochs": [2, 3]}, IN_STEPS, {"epochs": 1}, 1),
        ({"training.max_steps": [40, 100]}, IN_STEPS | {"schedule": ["cosine"]}, {"steps": 20}, 2),
        (
            {"training.max_steps": [40, 100]},
            IN_STEPS
            | {"schedule": [{"kind": "linear_warmup", "steps": 10}, {"kind": "cosine", "steps": 30}, "constant"]},
            {"steps": 20},
            1,
        ),
        ({"evaluation.every": [{"steps": 20}, {"steps": 10}, {"epochs": 1}]}, IN_STEPS, {"steps": 20}, 3),
    ],
)
def test_trainings_by_steps_share_theirs_as_those_by_epochs_do(
    grid: dict[str, list[Any]], training: dict[str, Any], every: dict[str, int], trainings: int
) -> None:
    spec = varied(grid, evaluation={"every": every})
    spec["training"] = training
    assert num_trainings(plan_of(spec)) == trainings


def test_what_does_not_count_in_steps_stays_the_trial_that_it_was() -> None:
    plain = plan_of(SPEC).trials[0]
    spelt = copy.deepcopy(SPEC) | {
        "evaluation": {"every": {"epochs": 1}},
        "resources": {"checkpoint_every": {"steps": 9}},
    }
    spelt["training"] |= {"max_steps": "none", "max_tokens": "none"}
    same = plan_of(spelt).trials[0]
    assert (same.id, same.stages, same.config) == (plain.id, plain.stages, plain.config)
    assert (plain.checkpoint_every, same.checkpoint_every) == (None, CheckpointEvery(steps=9))
    other = plan_of(SPEC | {"evaluation": {"every": {"epochs": 2}}}).trials[0]
    assert other.id != plain.id
    assert (plain.epochs, other.epochs) == (10, 5)


def test_a_trial_knows_how_many_records_it_makes_where_the_units_agree() -> None:
    def records(every: dict[str, int], **bounds: int) -> int | None:
        return plan_of(SPEC | {"training": IN_STEPS | bounds, "evaluation": {"every": every}}).trials[0].epochs

    assert (records({"steps": 30}), records({"steps": 30}, epochs=9), records({"epochs": 2})) == (4, 4, None)
    assert records({"epochs": 4}, epochs=9) == 3
