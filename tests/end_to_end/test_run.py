"""`craftc run` as its user meets it: a process, its output, its exit code, and what it leaves on disk."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import optuna
import pytest
from click.testing import CliRunner, Result

from craftc.cli.main import app

SPEC = """\
craftc: 1
name: tiny
data: {{source: digits}}
model: {{kind: mlp, hidden: [16]}}
objective: {{kind: cross_entropy, metrics: [accuracy, auroc]}}
regularization: {{dropout: 0.1}}
training: {{epochs: {epochs}, batch_size: 64, optimizer: {{kind: adamw, lr: 1e-2}}}}
ablation:
  seeds: {seeds}
  features: {{dropout: {{regularization.dropout: 0.0}}}}
  grid: {{training.optimizer.lr: {lrs}}}
"""
BACKENDS = ["inline", pytest.param("ray", marks=pytest.mark.ray)]


def write_spec(
    folder: Path, *, epochs: int = 2, seeds: int | str = 2, lrs: str = "[1e-2, 1e-3]", more: str = ""
) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(SPEC.format(epochs=epochs, seeds=seeds, lrs=lrs) + more)
    return path


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONWARNINGS": "default"}


def craftc(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", *arguments]
    env = {**environment(), **variables}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)


def trained(folder: Path) -> set[str]:
    return {path.parent.name for path in (folder / "runs" / "store").glob("*/result.json")}


def latest_run(folder: Path, name: str = "tiny") -> Path:
    return max((folder / "runs" / name).iterdir())


def craftc_here(folder: Path, *arguments: str, **variables: str) -> Result:
    """In this process, which has torch already: for what needs no process of its own."""
    with contextlib.chdir(folder):
        return CliRunner(env={"COLUMNS": "120", **variables}).invoke(app, arguments)


@pytest.fixture
def here(tmp_path: Path) -> Callable[..., Result]:
    """The same in the test's own folder."""
    return partial(craftc_here, tmp_path)


First = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], First]:
    """The first run of the spec in an empty folder by a backend: once, however many tests look at what it did."""

    @cache
    def run(backend: str) -> First:
        folder = tmp_path_factory.mktemp(backend)
        write_spec(folder, more="report: {artefacts: [{kind: confusion_matrix, every: 1}]}\n")
        done = craftc(folder, "run", "tiny.yaml", "--backend", backend)
        assert done.returncode == 0, done.stderr
        return folder, done

    return run


@pytest.fixture
def after_first(first_run: Callable[[str], First], tmp_path: Path) -> Callable[[str], First]:
    """The same, with a copy of its folder, to go on in."""

    def copied(backend: str) -> First:
        folder, done = first_run(backend)
        return Path(shutil.copytree(folder, tmp_path / backend)), done

    return copied


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_second_run_trains_nothing_and_prints_the_same(after_first: Callable[[str], First], backend: str) -> None:
    folder, first = after_first(backend)
    assert "full" in first.stdout
    assert "trivial predictor" in first.stdout
    assert "6 new" in first.stderr
    assert len(trained(folder)) == 6
    stamps = {path: path.stat().st_mtime_ns for path in (folder / "runs" / "store").rglob("*.json*")}

    second = craftc_here(folder, "run", "tiny.yaml", "--backend", backend)
    assert second.exit_code == 0
    assert second.stdout == first.stdout
    assert "0 new, 6 reused" in second.stderr
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps

    report = craftc_here(folder, "report", "tiny")
    assert report.exit_code == 0
    assert report.stdout == first.stdout


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_leaves_its_page(first_run: Callable[[str], First], backend: str) -> None:
    folder, done = first_run(backend)
    assert "report.html" not in done.stderr
    page = (latest_run(folder) / "report.html").read_text(encoding="utf-8")
    assert "all 6 trials finished" in page
    assert "train/loss of full" in page
    printed = craftc_here(folder, "report", "tiny", "--format", "html")
    assert (printed.exit_code, printed.stdout) == (0, page)


def test_a_finished_spec_needs_nothing_heavy(after_first: Callable[[str], First]) -> None:
    """By the default backend, and with all that a run leaves behind: no Ray, no torch, and not even Optuna."""
    folder, _ = after_first("inline")
    code = """
import sys
from craftc.cli.main import app
app(["run", "tiny.yaml"], standalone_mode=False)
heavy = ("torch", "ray", "optuna", "sqlalchemy", "sklearn", "pandas", "wandb", "matplotlib", "plotly")
print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    command = [sys.executable, "-c", code]
    again = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    assert again.stderr.splitlines()[-1] == "[]"
    assert {path.name for path in latest_run(folder).iterdir()} == {
        "driver.json", "plan.json", "report.html", "spec.yaml", "spec.resolved.yaml", "study.db", "study.json",
    }  # fmt: skip
    study = optuna.load_study(study_name="tiny/full", storage=f"sqlite:///{latest_run(folder) / 'study.db'}")
    assert [trial.user_attrs["variant"] for trial in study.trials] == ["full", "-dropout", "lr=1e-3"]
    # Two epochs of two seeds.
    assert [len(trial.intermediate_values) for trial in study.trials] == [4, 4, 4]


def test_a_run_keeps_all_that_it_is_made_of(tmp_path: Path) -> None:
    """The base and the environment are gone; what the folder holds is trained already, wherever it is read from."""
    text = write_spec(tmp_path, seeds=1).read_text()
    head, model, rest = text.partition("model:")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "base.yaml").write_text(model + rest)
    wandb = 'report: {trackers: [{kind: wandb, project: "${env:PROJECT}", mode: disabled}]}\n'
    (tmp_path / "tiny.yaml").write_text(f"{head}extends: shared/base.yaml\n{wandb}")
    first = craftc(tmp_path, "run", "tiny.yaml", "--backend", "inline", PROJECT="owls")
    assert first.returncode == 0, first.stderr
    (tmp_path / "shared" / "base.yaml").unlink()
    kept = latest_run(tmp_path) / "spec.resolved.yaml"
    second = craftc_here(tmp_path, "run", str(kept), "--backend", "inline")
    assert second.exit_code == 0, second.stderr
    assert "0 new, 3 reused" in second.stderr
    assert craftc_here(tmp_path, "report", str(kept.parent)).stdout == first.stdout


@pytest.mark.ray
def test_both_backends_train_the_same(first_run: Callable[[str], First]) -> None:
    """Bit for bit: where a trial runs is no part of its result."""
    histories = []
    for backend in ("inline", "ray"):
        folder, _ = first_run(backend)
        lines = [path.read_text().splitlines() for path in sorted((folder / "runs/store").glob("*/metrics.jsonl"))]
        histories.append([{**json.loads(line), "seconds": 0, "seal": ""} for trial in lines for line in trial])
    assert histories[0] == histories[1]
    assert len(histories[0]) == 12


@pytest.mark.ray
def test_both_backends_make_the_same_artefacts(first_run: Callable[[str], First]) -> None:
    made = []
    for backend in ("inline", "ray"):
        folder, _ = first_run(backend)
        files = sorted((folder / "runs/store").glob("*/artefacts/*"))
        made.append({f"{path.parts[-3]}/{path.name}": path.read_bytes() for path in files})
    assert made[0] == made[1]
    # Of three variants the first seed: two epochs and the best of them, each as numbers, text and picture.
    assert len(made[0]) == 27


def test_editing_one_value_trains_only_what_is_new(after_first: Callable[[str], First]) -> None:
    folder, _ = after_first("inline")
    before = trained(folder)
    write_spec(folder, lrs="[1e-2, 3e-3]")
    edited = craftc_here(folder, "run", "tiny.yaml", "--backend", "inline")
    assert edited.exit_code == 0
    assert "2 new, 4 reused" in edited.stderr
    assert len(trained(folder) - before) == 2


def test_hypotheses_and_a_margin_train_nothing_and_can_be_checked(after_first: Callable[[str], First]) -> None:
    folder, _ = after_first("inline")
    before = trained(folder)
    hypotheses = '{dropout: {differs_by: "< 0.9"}, lr=1e-3: harms}'
    write_spec(folder, more=f"report: {{margin: 0.9, hypotheses: {hypotheses}}}\n")
    again = craftc_here(folder, "run", "tiny.yaml", "--backend", "inline")
    assert "0 new, 6 reused" in again.stderr
    assert trained(folder) == before
    assert "confirmed: dropout differs by < 0.9" in again.stdout
    checked = craftc_here(folder, "report", "tiny", "--check", "--format", "json")
    found = {each["text"]: each["outcome"] for each in json.loads(checked.stdout)["hypotheses"]}
    assert found["dropout differs by < 0.9"] == "confirmed"
    assert checked.exit_code == (0 if set(found.values()) == {"confirmed"} else 1)
    write_spec(folder, more='report: {hypotheses: {dropout: {differs_by: "> 0.9"}}}\n')
    craftc_here(folder, "run", "tiny.yaml", "--backend", "inline")
    assert craftc_here(folder, "report", "tiny", "--check").exit_code == 1


def test_a_nan_fails_its_trial_alone(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, seeds=1, lrs="[1e30]")
    result = craftc(tmp_path, "run", str(spec), "--backend", "inline")
    assert result.returncode == 3
    assert "lr=1e30 seed 0: failed: the training loss became nan in epoch" in result.stderr
    assert "[nan-loss]" in result.stdout
    assert len(trained(tmp_path)) == 2
    assert "Traceback" not in result.stderr + result.stdout
    assert "TrainingError" in (latest_run(tmp_path) / "log").read_text()


def write_arrays(path: Path, targets: list[int]) -> None:
    inputs = np.random.default_rng(0).normal(size=(len(targets), 4, 5)).astype(np.float32)
    np.savez(path, inputs=inputs, targets=np.array(targets))


ARRAYS = """\
craftc: 1
name: arrays
data: {{source: {{kind: arrays, path: data.npz}}, splits: {{{splits}}}}}
model: {{kind: mlp, {model}}}
objective: {{kind: cross_entropy}}
training: {{epochs: 1, batch_size: 8, optimizer: sgd}}
"""


@pytest.mark.parametrize(
    ("targets", "splits", "model", "code", "line"),
    [
        ([0, 1] * 20, "train: 0.6, valid: 0.4", "num_classes: 3", "data-mismatch", 4),
        ([0, 1] * 2, "train: 0.98, valid: 0.02, stratify: false", "num_classes: infer", "empty-split", 3),
        ([0] * 30 + [1], "train: 0.5, valid: 0.5, stratify: false, seed: 1", "num_classes: infer",
         "class-missing-from-train", 3),
    ],
)  # fmt: skip
def test_what_only_the_data_shows_is_told_before_anything_runs(
    here: Callable[..., Result], tmp_path: Path, targets: list[int], splits: str, model: str, code: str, line: int
) -> None:
    write_arrays(tmp_path / "data.npz", targets)
    (tmp_path / "spec.yaml").write_text(ARRAYS.format(splits=splits, model=model))
    result = here("run", "spec.yaml")
    assert result.exit_code == 1, result.stderr
    assert f"spec.yaml:{line}:" in result.stderr
    assert f"error[{code}]" in result.stderr
    # No run and no trial; data that is right in itself is kept for the next one.
    left = {str(path.relative_to(tmp_path)) for path in (*tmp_path.glob("runs/*"), *tmp_path.glob("runs/*/*"))}
    assert left <= {"runs/store", "runs/store/prepared"}


def test_a_missing_data_file_is_told_at_its_place(here: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(ARRAYS.format(splits="train: 0.6, valid: 0.4", model="num_classes: infer"))
    for command in ("plan", "run"):
        result = here(command, "spec.yaml")
        assert result.exit_code == 1
        assert "spec.yaml:3:37: error[data-unreadable]" in result.stderr


def test_changed_data_is_another_experiment(here: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(ARRAYS.format(splits="train: 0.6, valid: 0.4", model="num_classes: infer"))
    for targets in ([0, 1] * 20, [1, 0, 0, 1] * 10):
        write_arrays(tmp_path / "data.npz", targets)
        assert here("run", "spec.yaml", "--backend", "inline").exit_code == 0
    assert len(trained(tmp_path)) == 2


def children(pid: int) -> set[int]:
    """All living descendants of a process."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in found.splitlines())}
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return below - {pid}


@pytest.mark.parametrize(
    ("backend", "signal_number"),
    # For Ctrl-C on Ray and a polite kill inline see backends/test_processes.py and cluster/test_without_cluster.py.
    [("inline", signal.SIGINT), pytest.param("ray", signal.SIGTERM, marks=pytest.mark.ray)],
)
def test_an_interrupted_run_leaves_no_process_and_goes_on(
    here: Callable[..., Result], tmp_path: Path, backend: str, signal_number: signal.Signals
) -> None:
    # One worker process is enough to be ended, and a second would import torch as well.
    spec = write_spec(tmp_path, epochs=40, seeds=1, lrs="[1e-3]", more="resources: {max_concurrent: 1}\n")
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", "run", str(spec), "--backend", backend]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 600
    while not list((tmp_path / "runs").glob("store/*/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.1)
    below = children(process.pid)
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    # Optuna is being imported: the thread that does it neither prints nor outlives the sentence.
    assert errors.splitlines()[-1].startswith("interrupted; what was trained is kept in ")
    assert "Traceback" not in errors
    alive = {pid for pid in below if Path(f"/proc/{pid}").exists() and is_running(pid)}
    assert not alive

    begun = {path.parent: path.read_text().count("\n") for path in tmp_path.glob("runs/store/*/metrics.jsonl")}
    again = here("run", str(spec), "--backend", "inline")
    assert again.exit_code == 0, again.stderr
    for folder, num_lines in begun.items():
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 41))
        assert num_lines <= 40


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_run_folder_holds_what_the_design_says(first_run: Callable[[str], First]) -> None:
    root, _ = first_run("inline")
    run = latest_run(root)
    assert (run / "spec.yaml").read_bytes() == (root / "tiny.yaml").read_bytes()
    assert {path.name for path in run.iterdir()} >= {"spec.yaml", "plan.json", "results.jsonl", "log"}
    for trial in trained(root):
        folder = root / "runs" / "store" / trial
        names = {path.name for path in folder.iterdir()}
        assert names >= {"config.json", "metrics.jsonl", "checkpoints", "result.json"}
        line = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])
        assert line["trial"] == trial
        assert {"epoch", "step", "train/loss", "valid/accuracy", "valid/auroc"} <= set(line)
        assert not any(name.startswith("test/") for name in line)


CSV = """\
craftc: 1
name: table
data:
  source:
    kind: csv
    path: table.csv
    target: {target}
    features: {features}
model: {{kind: mlp}}
objective: {{kind: cross_entropy, class_weights: {weights}}}
training: {{epochs: 1, batch_size: 8, optimizer: sgd}}
"""


@pytest.mark.parametrize(
    ("labels", "target", "features", "weights", "place", "code"),
    [
        ("ab", "lable", "[x]", "none", "7:13", "data-unreadable"),
        ("ab", "label", "[x, z]", "none", "8:19", "data-unreadable"),
        ("ab", "label", "[x, label]", "none", "8:19", "data-mismatch"),
        ("ab", "label", "[word]", "none", "6:11", "data-unreadable"),
        ("aa", "label", "[x]", "none", "4:3", "single-class"),
        ("ab", "label", "[x]", "[1, 2, 3]", "10:49", "data-mismatch"),
    ],
)
def test_a_mistake_in_the_data_is_told_where_the_spec_can_mend_it(
    here: Callable[..., Result],
    tmp_path: Path,
    labels: str,
    target: str,
    features: str,
    weights: str,
    place: str,
    code: str,
) -> None:
    rows = [f"{index},w,{labels[index % 2]}" for index in range(40)]
    (tmp_path / "table.csv").write_text("\n".join(["x,word,label", *rows]))
    (tmp_path / "spec.yaml").write_text(CSV.format(target=target, features=features, weights=weights))
    result = here("run", "spec.yaml", "--backend", "inline")
    assert result.exit_code == 1
    assert f"spec.yaml:{place}: error[{code}]" in result.stderr, result.stderr


def test_a_class_that_a_split_lacks_is_a_warning(here: Callable[..., Result], tmp_path: Path) -> None:
    write_arrays(tmp_path / "data.npz", [0, 1] * 20 + [2])
    (tmp_path / "spec.yaml").write_text(ARRAYS.format(splits="train: 0.6, valid: 0.4", model="num_classes: infer"))
    result = here("run", "spec.yaml", "--backend", "inline")
    assert result.exit_code == 0, result.stderr
    assert "warning[class-missing-from-split]: the split valid has no sample of 2" in result.stderr


def test_a_runs_folder_that_cannot_be_is_one_sentence(here: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    result = here("run", str(write_spec(tmp_path)), "--backend", "inline", "--runs-dir", "taken")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "error[runs-dir-unusable]" in result.stderr
    assert "Traceback" not in result.stderr


SEEDS_UNTIL_DECIDED = "{at_least: 3, at_most: 5, until: decided}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_seeds_are_added_until_a_variant_is_decided(tmp_path: Path, backend: str) -> None:
    """The hopeless learning rate is decided by three seeds; the dropout that changes little takes all five."""
    path = write_spec(tmp_path, seeds=SEEDS_UNTIL_DECIDED, lrs="[1e-7]")
    first = craftc(tmp_path, "run", str(path), "--backend", backend)

    assert first.returncode == 0, first.stderr
    assert len(trained(tmp_path)) == 5 + 5 + 3
    assert "2 trials withheld: their variants are decided without them" in first.stderr
    assert "lr=1e-7: decided after 3 of at most 5 seeds." in first.stdout
    rows = json.loads(craftc(tmp_path, "report", "tiny", "--format", "json").stdout)["variants"]
    assert {row["name"]: row["num_finished"] for row in rows} == {"full": 5, "-dropout": 5, "lr=1e-7": 3}
    assert [seed["status"] for seed in rows[-1]["seeds"]] == ["finished"] * 3 + ["withheld"] * 2
    again = craftc(tmp_path, "run", str(path), "--backend", backend)
    assert again.stdout == first.stdout
    assert "2 trials withheld: their variants are decided without them" in again.stderr
    assert len(trained(tmp_path)) == 13
    status = json.loads(craftc(tmp_path, "status", "--format", "json").stdout)["runs"]
    assert [(run["state"], run["finished"], run["trials"]) for run in status] == [("finished", 13, 13)] * 2


def test_adding_seeds_goes_on_where_a_budget_ended_it(tmp_path: Path) -> None:
    spent, enough = (f"resources: {{budget_hours: {hours}}}\n" for hours in ("1e-9", "1"))
    path = write_spec(tmp_path, seeds=SEEDS_UNTIL_DECIDED, lrs="[1e-7]", more=spent)
    assert craftc(tmp_path, "run", str(path), "--backend", "inline").returncode == 4
    assert 0 < len(trained(tmp_path)) < 9
    write_spec(tmp_path, seeds=SEEDS_UNTIL_DECIDED, lrs="[1e-7]", more=enough)

    assert craftc(tmp_path, "run", str(path), "--backend", "inline").returncode == 0
    assert len(trained(tmp_path)) == 13
