"""What the page shows of searches and of crossed factors."""

import hashlib
import importlib.util
import math
import random
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from craftc.report.conclude import conclude
from craftc.report.page.content import PageContent, read_content
from craftc.report.page.grids import find_grids
from craftc.report.page.page import render_page
from craftc.report.read_search import SearchResults
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Headline, Plan, SearchPlan, Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.schemas.search import SearchPoint, SearchSummary, StudySummary
from craftc.training.state.history import write_history

SPACE: dict[str, dict[str, Any]] = {
    "training.optimizer.lr": {"log_uniform": [1e-4, 1e-1]},
    "model.d_model": {"int": [16, 64], "step": 16},
    "regularization.dropout": {"uniform": [0.0, 0.3]},
    "model.pooling": {"choice": ["cls", "mean", "last"]},
    "training.optimizer": {"choice": [{"kind": "sgd", "momentum": 0.9}, {"kind": "adamw"}]},
    "model.num_heads": {"choice": [1, 2, 4, 8]},
    "model.num_layers": {"int": [1, 6]},
    "training.batch_size": {"log_int": [8, 512]},
    "objective.label_smoothing": {"uniform": [0.0, 0.2]},
}


def a_point(number: int, variant: str) -> tuple[SearchPoint, list[EpochRecord]]:
    """Finished, pruned, failed or refused, by its number; its value and records follow from its learning rate."""
    draw = random.Random(f"{variant} {number}")
    params = {
        "training.optimizer.lr": 10 ** draw.uniform(-4, -1),
        "model.d_model": draw.choice([16, 32, 48, 64]),
        "regularization.dropout": draw.uniform(0, 0.3),
        "model.pooling": draw.choice(["cls", "mean", "last"]),
        "training.optimizer": draw.choice(SPACE["training.optimizer"]["choice"]),
        "model.num_heads": draw.choice([1, 2, 4, 8]),
        "model.num_layers": draw.randint(1, 6),
        "training.batch_size": draw.randint(8, 512),
        "objective.label_smoothing": draw.uniform(0, 0.2),
    }
    state = "finished" if number % 3 == 0 else ("infeasible" if number % 29 == 0 else "pruned")
    state = "failed" if number % 31 == 1 else state
    epochs = {"finished": 20, "infeasible": 0}.get(state, 1 + number % 7)
    trial = hashlib.sha256(f"{variant} {number}".encode()).hexdigest()
    value = 0.9 - abs(params["training.optimizer.lr"] - 0.01) * 5
    point = SearchPoint.model_validate(
        {"number": number, "kind": "search" if number else "start", "params": params, "state": state,
         "value": value if state == "finished" else None, "trials": (trial,) if epochs else (),
         "epochs_trained": epochs, "epochs_planned": 20 if epochs else 0, "reason": "" if epochs else "too wide"}
    )  # fmt: skip
    metrics = [
        {"valid/accuracy": value * epoch / (epoch + 1), "train/loss": 2 / epoch} for epoch in range(1, epochs + 1)
    ]
    records = [
        EpochRecord(trial=trial, epoch=epoch, step=epoch, metrics=each, seconds=0.1)
        for epoch, each in enumerate(metrics, 1)
    ]
    return point, records


def searched(num_points: int, variants: tuple[str, ...] = ("full",)) -> PageContent:
    made = {variant: [a_point(number, variant) for number in range(num_points)] for variant in variants}
    shares = [0.5, 0.2, 0.1, 0.1, 0.04, 0.03, 0.02, 0.01, 0.0]
    studies = tuple(
        StudySummary(variant=v, points=tuple(p for p, _ in points), importances=dict(zip(SPACE, shares, strict=True)))
        for v, points in made.items()
    )
    starts = {variant: points[0][0] for variant, points in made.items()}
    plan = Plan(
        name="vit-search",
        baseline=variants[0],
        headline=Headline(split="test", metric="accuracy", mode="max"),
        trials=tuple(
            Trial(id=point.trials[0], variant=variant, seed=0, config={"evaluation": {"select": None}})
            for variant, point in starts.items()
        ),
        factors={path: starts[variants[0]].params[path] for path in SPACE},
        search=SearchPlan(
            metric="valid/accuracy", mode="max", space=SPACE, sampler={"kind": "tpe"}, pruner={"kind": "none"},
            trials=num_points - 1, seed=0, variants=variants,
        ),
    )  # fmt: skip
    finished = [point for study in studies for point in study.points if point.value is not None]
    results = {point.trials[0]: a_result(point) for point in finished}
    search = SearchResults(
        SearchSummary(metric="valid/accuracy", mode="max", database="study.db", studies=studies), results
    )
    own = {trial.id: results[trial.id] for trial in plan.trials}
    records = [each for points in made.values() for _, each in points if each]
    return PageContent(
        runs="runs", run="vit-search/20261121_031500", plan=plan, conclusion=conclude(plan, own, {}, search),
        results=own, failures={}, search=search, histories={each[0].trial: each for each in records},
    )  # fmt: skip


def a_result(point: SearchPoint) -> Result:
    value = point.value or 0.0
    return Result(
        trial=point.trials[0], best_epoch=20, epochs_trained=20, epochs_planned=20, steps=20,
        best={"valid/accuracy": value, "test/accuracy": value - 0.01}, last={}, trivial={},
        identities={"accuracy": "share of samples"}, num_parameters=1, split_sizes={"train": 8, "valid": 4, "test": 4},
        seconds=0.1, device="cpu", craftc_version="0.1.0",
    )  # fmt: skip


@pytest.fixture(scope="module")
def of_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("of_page", Path(__file__).with_name("test_page.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["of_page"] = module
    spec.loader.exec_module(module)
    return module


def test_a_search_has_its_four_figures_and_every_point_in_numbers(of_page: ModuleType) -> None:
    content = searched(40)
    document = of_page.Document(render_page(content))
    points = content.search.summary.studies[0].points if content.search else ()
    best = max((point for point in points if point.value is not None), key=lambda point: point.value or 0)
    figures = document.figures()
    history = next(label for label in figures if "in the order in which they were proposed" in label)
    so_far: dict[int, float] = {}
    for point in points:
        if point.value is not None and point.value > max(so_far.values(), default=0):
            so_far[point.number] = point.value
    assert history.endswith(", ".join(f"{value:.4g} at {number}" for number, value in so_far.items()) + ".")
    through = next(label for label in figures if label.startswith("Every point, from its valid/accuracy"))
    assert f"The best, point {best.number}, has {best.value:.4g}" in through
    assert f"lr {best.params['training.optimizer.lr']:.4g}" in through
    curves = next(label for label in figures if label.startswith("valid/accuracy of each point by epoch"))
    num_pruned = sum(point.state == "pruned" for point in points)
    assert f"{num_pruned} points were pruned, behind 1 to 7." in curves
    assert "importance (fANOVA)" in document.text
    for point in points:
        assert point.value is None or f"finished {point.value:.3f} 20" in document.text, point
    assert "refused before training: too wide" in document.text


def test_lines_pass_through_the_places_of_their_values(of_page: ModuleType) -> None:
    """Of the best point: on each axis where its value is, by hand."""
    content = searched(40)
    document = of_page.Document(render_page(content))
    (line,) = [
        each for each in document.all("path") if each.get("class") == "through best" and str(each["d"]).count("L") == 9
    ]
    places = [float(pair.split()[0]) for pair in re.split("[ML]", str(line["d"]))[1:]]
    assert content.search is not None
    points = content.search.summary.studies[0].points
    best = max((point for point in points if point.value is not None), key=lambda point: point.value or 0).params
    rate = (math.log10(best["training.optimizer.lr"]) + 4) / 3
    assert places[1] == pytest.approx(100 * rate, abs=0.1)
    assert places[2] == pytest.approx(100 * (best["model.d_model"] - 16) / 48, abs=0.1)
    assert places[4] == pytest.approx(100 * (["cls", "mean", "last"].index(best["model.pooling"]) + 0.5) / 3, abs=0.1)


@pytest.mark.parametrize(("num_points", "variants"), [(301, ("full",)), (900, ("full",)), (80, ("full", *"abcdefgh"))])
def test_a_large_search_stays_small_and_says_what_is_left_out(
    of_page: ModuleType, num_points: int, variants: tuple[str, ...]
) -> None:
    page = render_page(searched(num_points, variants))
    assert len(page.encode()) < of_page.MOST_BYTES
    text = of_page.Document(page).text
    most = 300 // min(6, len(variants))
    assert f"{most} of {num_points} points are drawn: the best third, and of the others some, evenly." in text
    assert ("6 of 9 searches are shown." in text) == (len(variants) > 6)


def test_the_records_of_points_are_read_from_the_store(tmp_path: Path) -> None:
    content = searched(12)
    run_dir = tmp_path / "runs" / "vit-search" / "20261121_031500"
    run_dir.mkdir(parents=True)
    (run_dir / "plan.json").write_text(content.plan.model_dump_json())
    assert content.search is not None
    (run_dir / "search.json").write_text(content.search.summary.model_dump_json())
    for trial, records in content.histories.items():
        folder = tmp_path / "runs" / "store" / trial
        folder.mkdir(parents=True)
        write_history(folder, records)
        if trial in content.search.results:
            Store(tmp_path / "runs" / "store").write_result(content.search.results[trial])
    assert render_page(read_content(run_dir)) == render_page(content)


def crossed(make_run: Any, settings: list[dict[str, Any]]) -> Any:
    """A run with a variant for each setting, whose value is 0.5 and a hundredth more for each variant before it."""
    names = ["full", *(",".join(f"{path}={value}" for path, value in each.items()) for each in settings[1:])]
    plan, results, failures = make_run({name: (0.5 + i / 100, 0.52 + i / 100) for i, name in enumerate(names)})
    overrides = dict(zip(names, settings, strict=True))
    trials = tuple(trial.model_copy(update={"overrides": overrides[trial.variant]}) for trial in plan.trials)
    factors = {path: 0 for each in settings for path in each}
    return plan.model_copy(update={"trials": trials, "factors": factors}), results, failures


def test_two_crossed_factors_are_a_table(make_run: Any, of_page: ModuleType) -> None:
    settings = [{"model.width": w, "training.lr": r} for w in (0, 16, 4) for r in (0, 2)]
    settings[0] = {}
    run = crossed(make_run, settings)
    document = of_page.Document(render_page(of_page.content_of(run)))
    assert "width \\ lr 0 2 0 0.510 0.520 4 0.550 0.560 16 0.530 0.540" in document.text
    shades = [cell["style"] for cell in document.all("td") if "style" in cell]
    assert shades == ["--heat: 0%", "--heat: 9%", "--heat: 36%", "--heat: 45%", "--heat: 18%", "--heat: 27%"]


def test_a_third_factor_makes_a_table_for_each_of_its_values(make_run: Any) -> None:
    settings = [{"a": a, "b": b, "c": c} for c in (0, 1) for a in (0, 1, 2) for b in (0, 1, 2)]
    run = crossed(make_run, settings)
    found = find_grids(run[0], conclude(*run).variants)
    assert [(grid.paths, dict(grid.others)) for grid in found] == [(("a", "b"), {"c": 0}), (("a", "b"), {"c": 1})]


def test_the_spec_as_written_need_not_be_in_its_grid(make_run: Any) -> None:
    run = crossed(make_run, [{}, *({"a": a, "b": b} for a in (4, 8, 16) for b in (1, 2))])
    (grid,) = find_grids(run[0], conclude(*run).variants)
    assert (grid.rows, grid.columns) == ((4, 8, 16), (1, 2))
    assert [[row.value.mean for row in cells if row.value] for cells in grid.cells] == [
        [pytest.approx(0.52), pytest.approx(0.53)],
        [pytest.approx(0.54), pytest.approx(0.55)],
        [pytest.approx(0.56), pytest.approx(0.57)],
    ]


def test_what_is_not_crossed_is_no_grid(make_run: Any, of_page: ModuleType) -> None:
    one_at_a_time = crossed(make_run, [{}, {"a": 1}, {"a": 2}, {"b": 1}, {"b": 2}])
    assert find_grids(one_at_a_time[0], conclude(*one_at_a_time).variants) == []
    one_factor = crossed(make_run, [{}, {"a": 1}, {"a": 2}])
    assert 'id="grids"' not in render_page(of_page.content_of(one_factor))


def test_each_seed_is_joined_to_the_baseline(make_run: Any, of_page: ModuleType) -> None:
    run = make_run({"full": (0.9, 0.91, 0.92), "-a": (0.93, 0.90, "failed"), "-b": (0.8, None, None)})
    document = of_page.Document(render_page(of_page.content_of(run)))
    (label,) = [label for label in document.figures() if "full on the left" in label]
    assert label.endswith("variant on the right. -a: seed 0 0.900 to 0.930, seed 1 0.910 to 0.900.")
    kinds = [line["class"] for line in document.all("line") if str(line.get("class")).startswith("pair")]
    assert kinds == ["pair better", "pair worse"]
