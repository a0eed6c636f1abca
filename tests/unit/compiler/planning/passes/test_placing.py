"""Which trials could be one batch, how they are packed into jobs, in which order, and where they do not fit."""

import heapq
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Compiled, _plan, analyse, compile_spec
from craftc.compiler.planning.passes import batch, fold, pack, place, reuse, search, share
from craftc.compiler.planning.passes.pack import JOBS_PER_SLOT, MOST_TRAININGS, job_resources
from craftc.compiler.planning.passes.verify import verify, verify_placed
from craftc.schemas.batching import BatchFinding
from craftc.schemas.forecast import Machine
from craftc.schemas.plan import Headline, JobResources, Plan, Trial

SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "n",
    "data": {"source": "digits"},
    "model": {"kind": "mlp", "hidden": [8]},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy", "auroc"]},
    "training": {"epochs": 10, "batch_size": 8, "optimizer": {"kind": "adamw"}, "schedule": ["cosine"]},
}
LARGE = Machine(cpus=64, gpus=8)


def compiled(machine: Machine | None = None, *, runs_here: bool = True, **sections: Any) -> Compiled:
    text = json.dumps(SPEC | sections)
    return compile_spec(text, "x.yaml", built_in_catalogue(), machine=machine, runs_here=runs_here)


def plan_of(machine: Machine | None = None, **sections: Any) -> Plan:
    plan = compiled(machine, **sections).plan
    assert plan is not None
    verify_placed(plan)
    return plan


@pytest.mark.parametrize(
    ("grid", "groups"),
    [
        ({"training.optimizer.lr": [0.001, 0.1]}, 1),
        ({"training.optimizer.betas": [[0.9, 0.99], [0.8, 0.9]]}, 1),
        ({"training.optimizer.eps": [1e-8, 1e-6], "regularization.weight_decay": [0.0, 0.1]}, 1),
        ({"regularization.dropout": [0.0, 0.5]}, 1),
        ({"regularization.clip_grad_norm": ["none", 1.0, 5.0]}, 1),
        ({"objective.class_weights": ["none", "balanced"], "objective.label_smoothing": [0.0, 0.1]}, 1),
        ({"training.schedule": [["cosine"], [{"kind": "linear_warmup", "epochs": 2}, "constant"]]}, 1),
        ({"training.epochs": [2, 9]}, 1),
        ({"regularization.ema_decay": ["none", 0.9, 0.99]}, 2),
        ({"training.batch_size": [8, 16]}, 2),
        ({"model.hidden": [[8], [8, 8]]}, 2),
        ({"model.activation": ["relu", "tanh"]}, 2),
        ({"training.optimizer.kind": ["adam", "adamw"]}, 2),
        ({"data.normalize": ["none", "per_line"]}, 2),
        ({"training.precision": ["float32", "float64"]}, 2),
        ({"training.compile": [False, "auto"]}, 1),
        ({"data.augment": [[], [{"kind": "gaussian_noise", "std": 0.1}]]}, 2),
    ],
)
def test_trials_of_one_group_differ_in_nothing_but_what_a_batch_can_carry(
    grid: dict[str, list[Any]], groups: int
) -> None:
    plan = plan_of(ablation={"grid": grid, "seeds": 2})
    assert {trial.group for trial in plan.trials} == set(range(groups))


@pytest.mark.parametrize(
    ("key", "value"), [("precision", "bf16"), ("precision", "fp16"), ("compile", True), ("deterministic", True)]
)
def test_trials_whose_keys_settle_how_a_step_is_computed_are_in_no_group(key: str, value: Any) -> None:
    plan = plan_of(ablation={"grid": {"training.optimizer.lr": [0.001, 0.1], f"training.{key}": [value]}})
    assert {trial.group for trial in plan.trials} == {None}


def test_a_trial_that_nothing_could_be_trained_with_is_in_no_group() -> None:
    plan = plan_of(ablation={"grid": {"model.hidden": [[8], [9]]}})
    assert {trial.group for trial in plan.trials} == {None}


def test_trainings_by_several_workers_are_not_batched() -> None:
    plan = plan_of(ablation={"seeds": 3}, resources={"workers": 2})
    assert {trial.group for trial in plan.trials} == {None}


def test_heads_on_backbones_that_are_drawn_by_the_seed_are_not_batched() -> None:
    backbone = {"kind": "scanline_vit", "d_model": 8, "num_heads": 2}
    model = {"kind": "frozen_backbone", "backbone": backbone, "weights": "random", "head": {"kind": "linear"}}
    assert {trial.group for trial in plan_of(model=model, ablation={"seeds": 3}).trials} == {None}


NET = """
from typing import Annotated, Literal
import torch
from craftc.components.bounds import PER_TRIAL
Rate = Annotated[float, PER_TRIAL]

class Net(torch.nn.Module):
    def __init__(self, *, named: Annotated[float, PER_TRIAL] = 0.1, aliased: Rate = 0.1,
                 written: "Annotated[float, 'per trial']" = 0.1, unmarked: float = 0.1): ...
    def forward(self, x): ...
"""


@pytest.mark.parametrize(
    ("argument", "groups"), [("named", {0}), ("aliased", {0}), ("written", {0}), ("unmarked", {None})]
)
def test_a_model_of_ones_own_says_which_arguments_may_differ(
    tmp_path: Path, argument: str, groups: set[int | None]
) -> None:
    (tmp_path / "nets.py").write_text(NET)
    spec = SPEC | {"model": {"kind": "nets:Net"}, "ablation": {"grid": {f"model.{argument}": [0.1, 0.2]}}}
    plan = compile_spec(json.dumps(spec), str(tmp_path / "x.yaml"), built_in_catalogue()).plan
    assert plan is not None
    assert {trial.group for trial in plan.trials} == groups


def test_without_knowing_how_many_run_at_a_time_a_training_is_a_job() -> None:
    ablation = {"seeds": 200}
    assert len(plan_of(ablation=ablation).jobs) == 200
    assert len(plan_of(ablation=ablation, resources={"max_concurrent": 2}).jobs) == 8
    assert len(plan_of(Machine(cpus=2), ablation=ablation).jobs) == 8
    assert len(plan_of(Machine(cpus=2), ablation=ablation, resources={"max_concurrent": 1}).jobs) == 7


def test_few_trials_are_a_job_each() -> None:
    assert len(plan_of(Machine(cpus=2), ablation={"seeds": 7}).jobs) == 7


def test_what_was_tried_decides_how_a_group_is_dealt_out() -> None:
    def sizes(finding: BatchFinding | None) -> list[tuple[int, bool]]:
        content = json.dumps(SPEC | {"ablation": {"seeds": 40}})
        plan = compile_spec(
            content,
            "x.yaml",
            built_in_catalogue(),
            machine=Machine(cpus=2),
            finding_of=lambda trial, resources: finding,
        ).plan
        assert plan is not None
        return [(len(job.trials), job.batched) for job in plan.jobs]

    assert sizes(None) == [(20, False)] * 2
    assert sizes(BatchFinding(seconds={1: 1.0, 4: 2.0, 16: 4.0})) == [(20, True)] * 2
    assert sizes(BatchFinding(seconds={1: 1.0, 4: 2.0, 16: 16.0})) == [(7, True)] * 4 + [(6, True)] * 2
    alone = [(2, False)] * 20
    assert sizes(BatchFinding(seconds={1: 1.0, 4: 4.0, 16: 16.0})) == alone
    assert sizes(BatchFinding(because="model my.models:Net: Tensor.item()")) == alone


def test_a_group_is_dealt_out_so_that_all_slots_end_together() -> None:
    epochs = [1, 1, 50, 2, 3, 30, 3, 30]
    rates = [0.001 * (index + 1) for index in range(len(epochs))]
    plan = plan_of(
        Machine(cpus=2), ablation={"zip": {"training.epochs": epochs, "training.optimizer.lr": rates}, "seeds": 1}
    )
    by_id = {trial.id: trial for trial in plan.trials}
    assert [place.job_epochs(job, by_id) for job in plan.jobs] == [65, 65]


def test_the_longest_job_is_begun_first_and_of_equals_that_of_the_larger_model() -> None:
    grid = {"training.epochs": [3, 10], "model.hidden": [[8], [16, 16]]}
    plan = plan_of(ablation={"grid": grid})
    begun = [plan.trial(job.trials[0]) for job in plan.jobs]
    assert [(t.epochs, t.config["model"]["hidden"]) for t in begun] == [
        (10, [16, 16]),
        (10, [8]),
        (3, [16, 16]),
        (3, [8]),
    ]


def makespan(lengths: Sequence[int], num_slots: int) -> int:
    """When the last job ends if whoever is free begins the next."""
    ends = [0] * num_slots
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


def trials_of(epochs: list[int], num_groups: int) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            id=f"{index:064x}",
            variant=f"v{index}",
            seed=0,
            config={
                "data": {"augment": []},
                "model": {"kind": "m"},
                "objective": {"kind": "o"},
                "training": {"epochs": num, "batch_size": 1, "optimizer": {"kind": "o"}},
            },
            group=index % num_groups,
        )
        for index, num in enumerate(epochs)
    )


epochs_of_trials = st.lists(st.one_of(st.integers(1, 5), st.integers(1, 500)), min_size=10, max_size=400)


@settings(max_examples=150)
@given(epochs_of_trials, st.integers(1, 5), st.integers(1, 20))
def test_packing_ends_the_last_job_hardly_later(epochs: list[int], num_groups: int, num_slots: int) -> None:
    headline = Headline(split="test", metric="loss", mode="min")
    plan = Plan(name="n", baseline="v0", headline=headline, trials=trials_of(epochs, num_groups))
    packed = place.place(pack.pack(plan, JobResources(), num_slots))
    verify_placed(packed)
    by_id = {trial.id: trial for trial in packed.trials}
    lengths = [place.job_epochs(job, by_id) for job in packed.jobs]
    alone = makespan(sorted(epochs, reverse=True), num_slots)
    assert makespan(lengths, num_slots) <= alone * (1 + 1 / JOBS_PER_SLOT)
    assert all(len(job.trials) <= MOST_TRAININGS for job in packed.jobs)


PATHS: dict[str, list[Any]] = {
    "training.epochs": [2, 5, 10],
    "training.optimizer.lr": [0.001, 0.01],
    "training.schedule": [["constant"], ["cosine"]],
    "training.early_stopping": ["none", {"metric": "valid/loss", "patience": 2}],
    "evaluation.select": ["none", {"metric": "valid/loss"}],
    "model.hidden": [[8], [16]],
    "model.dropout": [0.0, 0.2],
    "data.normalize": ["none", "per_line"],
}
FEATURES = {
    "smoothing": {"objective.label_smoothing": 0.0},
    "weights": {"objective.class_weights": "none"},
}
SEARCH = {
    "space": {"training.optimizer.weight_decay": {"uniform": [0.0, 0.1]}},
    "optimize": {"metric": "valid/loss"},
    "trials": 2,
}


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    paths = draw(st.lists(st.sampled_from(list(PATHS)), max_size=3, unique=True))
    spec: dict[str, Any] = SPEC | {"ablation": {"seeds": draw(st.integers(1, 3))}}
    if paths:
        spec["ablation"]["grid"] = {path: PATHS[path] for path in paths}
    if draw(st.booleans()):
        spec["objective"] = SPEC["objective"] | {"label_smoothing": 0.1, "class_weights": "balanced"}
        spec["ablation"] |= {"features": FEATURES, "design": draw(st.sampled_from([["leave_one_out"], ["add_one"]]))}
    if draw(st.booleans()):
        spec["search"] = SEARCH
    spec["resources"] = {"workers": draw(st.sampled_from([1, 1, 2])), "max_concurrent": draw(st.integers(1, 3))}
    return spec


@settings(max_examples=40)
@given(specs(), st.integers(0, 3))
def test_a_plan_holds_after_every_pass(spec: dict[str, Any], num_finished: int) -> None:
    catalogue = built_in_catalogue()
    analysis = analyse(json.dumps(spec), "x.yaml", catalogue)
    assert analysis.spec is not None, analysis.diagnostics
    assert analysis.is_valid, analysis.diagnostics
    given_spec = analysis.spec
    plan, _ = _plan(analysis, Path("x.yaml"), catalogue)
    assert plan is not None
    resources = job_resources(given_spec)
    finished = {trial.id for trial in plan.trials[::3][:num_finished]}
    names = {(trial.variant, trial.seed): trial.id for trial in plan.trials}
    for step in (
        fold.fold,
        lambda plan: reuse.reuse(plan, finished.__contains__),
        lambda plan: search.plan_search(plan, given_spec, catalogue),
        lambda plan: share.share(plan, resources),
        lambda plan: batch.batch(plan, catalogue, resources),
        lambda plan: pack.pack(plan, resources, plan.max_concurrent),
        place.place,
    ):
        plan = step(plan)
        verify(plan)
        # No pass loses a name, or gives it to another trial.
        assert {(name, t.seed): t.id for t in plan.trials for name in (t.variant, *t.aliases)} == names
    verify_placed(plan)
    assert {trial.id for trial in plan.trials if trial.status == "reused"} == finished


def told(result: Compiled) -> list[tuple[str, str, str]]:
    return [(d.severity, d.code, d.path) for d in result.diagnostics]


@pytest.mark.parametrize(
    ("resources", "machine", "expected"),
    [
        ({"cpus": 2}, Machine(cpus=2), []),
        ({"cpus": 3}, Machine(cpus=2), [("error", "unplaceable-job", "resources.cpus")]),
        ({"workers": 2}, Machine(cpus=2), []),
        ({"workers": 3}, Machine(cpus=2), [("error", "unplaceable-job", "resources.workers")]),
        ({"workers": 2, "cpus": 2}, Machine(cpus=2), [("error", "unplaceable-job", "resources.workers")]),
        ({"workers": 2, "cpus": 4}, Machine(cpus=2), [("error", "unplaceable-job", "resources.cpus")]),
        ({"gpus": 1}, Machine(cpus=2, gpus=1), []),
        ({"gpus": 2}, Machine(cpus=2, gpus=1), [("error", "unplaceable-job", "resources.gpus")]),
        ({"gpus": 1, "workers": 2}, Machine(cpus=2, gpus=1), [("error", "unplaceable-job", "resources.workers")]),
        # Which GPUs there are that are not NVIDIA's, only the run finds out.
        ({"gpus": 1}, Machine(cpus=2), []),
        ({"max_concurrent": 2}, Machine(cpus=2), []),
        ({"max_concurrent": 3}, Machine(cpus=2), [("note", "max-concurrent-unreached", "resources.max_concurrent")]),
        (
            {"gpus": 0.4, "max_concurrent": 5},
            Machine(cpus=8, gpus=2),
            [("note", "max-concurrent-unreached", "resources.max_concurrent")],
        ),
        ({"gpus": 0.5, "max_concurrent": 4}, Machine(cpus=8, gpus=2), []),
    ],
)
def test_what_does_not_fit_on_the_machine_is_told_where_to_change_it(
    resources: dict[str, Any], machine: Machine, expected: list[tuple[str, str, str]]
) -> None:
    result = compiled(machine, ablation={"seeds": 6}, resources=resources)
    assert told(result) == expected
    assert (result.plan is None) == any(severity == "error" for severity, _, _ in expected)


def test_a_plan_for_another_machine_is_shown_with_a_warning() -> None:
    result = compiled(Machine(cpus=2), runs_here=False, resources={"cpus": 3})
    assert told(result) == [("warning", "unplaceable-job", "resources.cpus")]
    assert result.plan is not None


def test_where_nothing_is_trained_nothing_has_to_fit() -> None:
    text = json.dumps(SPEC | {"resources": {"cpus": 3}})
    result = compile_spec(text, "x.yaml", built_in_catalogue(), lambda _: True, machine=Machine(cpus=2))
    assert told(result) == []
    assert result.plan is not None


def test_a_limit_that_the_number_of_jobs_does_not_reach_is_not_told_of() -> None:
    assert told(compiled(Machine(cpus=2), ablation={"seeds": 2}, resources={"max_concurrent": 8})) == []
