"""A search on every backend: the same promises, whatever runs its points."""

import json

import optuna
import pytest

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.jobs.job_source import SearchContext
from craftc.runtime.search.summarise import summarise
from craftc.runtime.store.store import Store
from craftc.schemas.result import EpochEnded, TrialFailed, TrialFinished, TrialProposed, TrialPruned, TrialStarted

SPEC = """\
craftc: 1
name: search
seed: {seed}
data: {{source: digits}}
model: {{kind: mlp, hidden: [8]}}
objective: {{kind: cross_entropy, metrics: [accuracy]}}
training: {{epochs: 4, batch_size: 64, optimizer: {{kind: adamw, lr: 3e-4}}}}
ablation: {{seeds: {seeds}{ablation}}}
search:
  space:
    training.optimizer.lr: {{log_uniform: [1e-5, {highest}]}}
    training.batch_size: {{choice: [64, 128]}}
  optimize: {{metric: valid/accuracy}}
  sampler: {sampler}
  pruner: {pruner}
  trials: {trials}
resources: {{max_concurrent: {max_concurrent}}}
"""
DEFAULTS = {
    "seed": 0, "seeds": 1, "ablation": "", "highest": "1e-1", "sampler": "tpe", "trials": 8,
    "pruner": "{kind: successive_halving, reduction_factor: 2}", "max_concurrent": 2,
}  # fmt: skip


class Searched:
    """One run of a search: its events, and what is left."""

    def __init__(self, backend, folder, store=None, **changes):
        folder.mkdir(parents=True, exist_ok=True)
        self.store = store or Store(folder / "store")
        text = SPEC.format(**{**DEFAULTS, **changes})
        compiled = compile_spec(text, "spec.yaml", built_in_catalogue(), self.store.is_finished)
        assert compiled.diagnostics == ()
        self.plan = compiled.plan
        self.database = folder / "study.db"
        proposer = PointCompiler(compiled.analysis, folder / "x.yaml")
        self.events = list(backend.run(self.plan, self.store, SearchContext(self.database, proposer)))
        self.summary = summarise(self.database, self.plan)
        self.points = self.summary.studies[0].points

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def told(self):
        return [(p.number, p.params, p.state, p.value, p.trials, p.epochs_trained) for p in self.points]


@pytest.fixture(scope="module")
def searched(backend, tmp_path_factory):
    return Searched(backend, tmp_path_factory.mktemp("search"), seeds=2)


def test_every_point_is_in_the_study_with_its_end(searched):
    start, *proposed = searched.points
    assert (start.kind, start.state, start.params["training.optimizer.lr"]) == ("start", "finished", 3e-4)
    assert [point.number for point in proposed] == list(range(1, 9))
    assert {point.state for point in proposed} <= {"finished", "pruned"}
    assert {point.kind for point in proposed} == {"search"}
    assert len({point.trials for point in searched.points}) == 9


def test_a_point_is_judged_by_the_mean_over_its_seeds(searched):
    for point in searched.points:
        if point.state == "finished":
            values = [searched.store.result(trial).best["valid/accuracy"] for trial in point.trials]
            assert len(values) == 2
            assert point.value == pytest.approx(sum(values) / 2)


def test_pruning_saves_epochs_and_nothing_is_counted_that_was_not_trained(searched):
    pruned = [point for point in searched.points if point.state == "pruned"]
    assert pruned
    for point in pruned:
        trained = [len(searched.store.history(trial)) for trial in point.trials]
        assert sum(trained) == point.epochs_trained < point.epochs_planned == 8
        assert not searched.store.is_finished(point.trials[-1])
    assert sum(point.epochs_trained for point in searched.points) == len(searched.of(EpochEnded))


def test_every_proposed_trial_is_announced_and_ends_once(searched):
    ends = [
        e.result.trial if isinstance(e, TrialFinished) else e.trial for e in searched.of(TrialFinished | TrialPruned)
    ]
    assert len(ends) == len(set(ends)) == 18
    announced = {event.trial.id for event in searched.of(TrialProposed)}
    assert announced == set(ends) - {trial.id for trial in searched.plan.trials}
    known = {trial.id for trial in searched.plan.trials}
    for event in searched.events:
        match event:
            case TrialProposed(trial=trial):
                known.add(trial.id)
            case TrialStarted(trial=trial):
                assert trial in known


def test_it_finds_a_better_setting(searched):
    best = max(point.value for point in searched.points if point.value is not None)
    assert best > searched.points[0].value + 0.1


def test_optuna_opens_the_study(searched):
    study = optuna.load_study(study_name="search/base", storage=f"sqlite:///{searched.database}")
    assert study.direction.name == "MAXIMIZE"
    assert len(study.trials) == 9
    assert all(trial.intermediate_values for trial in study.trials)
    assert set(optuna.importance.get_param_importances(study)) == set(searched.plan.search.space)


def test_the_same_again_trains_nothing(backend, searched, tmp_path):
    """One at a time where the order of ends matters to what is proposed next."""
    first = Searched(backend, tmp_path / "1", max_concurrent=1)
    again = Searched(InlineBackend(), tmp_path / "2", store=first.store, max_concurrent=1)
    assert again.told() == first.told()
    assert again.of(TrialStarted) == []
    fresh = Searched(InlineBackend(), tmp_path / "3", max_concurrent=1)
    assert fresh.told() == first.told()


def test_closing_leaves_the_search_to_be_run_again(backend, tmp_path, home):
    store = Store(tmp_path / "store")
    text = SPEC.format(**{**DEFAULTS, "max_concurrent": 1})
    compiled = compile_spec(text, "spec.yaml", built_in_catalogue())
    context = SearchContext(tmp_path / "study.db", PointCompiler(compiled.analysis, tmp_path / "x.yaml"))
    events = backend.run(compiled.plan, store, context)
    for event in events:
        if isinstance(event, TrialProposed) and event.trial.variant == "base#3":
            break
    events.close()
    home.assert_clean()
    interrupted = summarise(tmp_path / "study.db", compiled.plan).studies[0].points
    assert [point.state for point in interrupted].count("unfinished") >= 1
    again = Searched(InlineBackend(), tmp_path / "again", store=store, max_concurrent=1)
    whole = Searched(InlineBackend(), tmp_path / "whole", max_concurrent=1)
    assert again.told() == whole.told()


@pytest.fixture
def inline(tmp_path):
    def search(name, **changes):
        return Searched(InlineBackend(), tmp_path / name, **changes)

    return search


def test_a_tuned_ablation_searches_each_variant_by_itself(inline):
    searched = inline("tuned", ablation=", features: {norm: {data.normalize: per_line}}", trials=4, pruner="none")
    assert [study.variant for study in searched.summary.studies] == ["full", "-norm"]
    for study in searched.summary.studies:
        assert [point.kind for point in study.points] == ["start", *["search"] * 4]
        assert [point.state for point in study.points] == ["finished"] * 5
    full, without = ([point.params for point in study.points] for study in searched.summary.studies)
    assert full == without  # drawn at random with one seed: what differs is the variant alone
    configs = [
        json.loads((searched.store.folder(s.points[1].trials[0]) / "config.json").read_text())
        for s in searched.summary.studies
    ]
    assert [config["data"]["normalize"]["kind"] for config in configs] == ["none", "per_line"]


def test_what_the_compiler_refuses_is_told_and_made_up_for(inline):
    searched = inline("refused", ablation=', require: ["training.batch_size < 128"]', sampler="random", trials=4)
    states = [point.state for point in searched.points]
    assert states.count("infeasible") > 0
    assert len(states) == 5 + states.count("infeasible")
    for point in searched.points:
        is_refused = point.params.get("training.batch_size") == 128
        assert (point.state == "infeasible") == is_refused
        if is_refused:
            assert point.reason == "exclude or require leaves it out"
            assert point.trials == ()


def test_a_space_that_holds_almost_nothing_ends(inline):
    searched = inline("empty", ablation=', require: ["training.optimizer.lr == 3e-4"]', sampler="random", trials=2)
    assert [point.state for point in searched.points[:2]] == ["finished", "infeasible"]
    assert searched.of(TrialProposed) == []


def test_a_fixed_start_that_is_half_trained_counts_with_all_its_seeds(inline, tmp_path):
    store = Store(tmp_path / "store")
    inline("first", store=store, seeds="[1]", trials=1)
    both = inline("both", store=store, seeds="[0, 1]", trials=1)
    assert [trial.status for trial in both.plan.trials] == ["new", "reused"]
    fresh = inline("fresh", seeds="[0, 1]", trials=1)
    assert both.points[0].value == fresh.points[0].value
    assert both.points[0].epochs_trained == 8


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("pruner", ["none", "median", "successive_halving"])
def test_one_at_a_time_is_the_same_twice(inline, tmp_path, sampler, pruner):
    changes = {"sampler": sampler, "pruner": "{kind: median, startup_trials: 2}" if pruner == "median" else pruner}
    store = Store(tmp_path / "shared")
    first = inline("1", store=store, trials=5, **changes)
    assert first.told() == inline("2", store=store, trials=5, **changes).told()
    assert first.told() != inline("3", store=store, trials=5, seed=1, **changes).told()


def test_a_failing_point_fails_alone(inline):
    searched = inline("failing", highest="1e+30", sampler="random", pruner="none", trials=8)
    failed = [point for point in searched.points if point.state == "failed"]
    assert 0 < len(failed) < 8
    assert {point.state for point in searched.points if point not in failed} == {"finished"}
    assert all("[nan-loss]" in point.reason for point in failed)
    assert len(searched.of(TrialFailed)) == len(failed)
