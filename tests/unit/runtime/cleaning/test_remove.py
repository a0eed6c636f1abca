"""Whatever is asked for and whenever it is killed: what a run names stays, and what stays is whole."""

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.runtime.cleaning.choose_removals import Wish, choose_removals
from craftc.runtime.cleaning.read_contents import read_contents
from craftc.runtime.cleaning.references import References
from craftc.runtime.cleaning.remove import remove
from craftc.runtime.store.store import Store
from craftc.schemas.result import Result

IDS = [f"{number:064x}" for number in range(1, 7)]
RUN = "20260101_00000{}"


def write_trial(store: Path, trial: str, *, finished: bool, num_files: int = 0) -> None:
    folder = store / trial / "checkpoints"
    folder.mkdir(parents=True)
    for name in ("last.pt", "best.pt"):
        content = f"{trial} {name}".encode()
        (folder / name).write_bytes(content)
        (folder / f"{name}.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (store / trial / "metrics.jsonl").write_text("{}\n")
    for number in range(num_files):
        (store / trial / f"{number}.npy").write_bytes(b"x")
    if finished:
        Store(store).write_result(Result(
            trial=trial, best_epoch=1, epochs_trained=1, epochs_planned=1, steps=1, best={}, last={}, trivial={},
            identities={}, num_parameters=1, split_sizes={}, seconds=0.1, device="cpu", craftc_version="0",
        ))  # fmt: skip


def in_plan(run: Path, trials: set[str]) -> None:
    (run / "plan.json").write_text(json.dumps({"trials": [{"id": trial} for trial in sorted(trials)]}))


def in_journal(run: Path, trials: set[str]) -> None:
    lines = [json.dumps({"type": "pruned", "trial": trial}) for trial in sorted(trials)]
    (run / "results.jsonl").write_text("\n".join(lines) + '\n{"type": "fini')


def in_search(run: Path, trials: set[str]) -> None:
    (run / "search.json").write_text(json.dumps({"studies": [{"points": [{"trials": sorted(trials)}]}]}))


def in_study(run: Path, trials: set[str]) -> None:
    """As one long value, which SQLite keeps in pieces."""
    with contextlib.closing(sqlite3.connect(run / "study.db")) as database:
        database.execute("CREATE TABLE attributes (value TEXT)")
        value = json.dumps([f"{'-' * 1000}{trial}" for trial in sorted(trials)] * 3)
        database.execute("INSERT INTO attributes VALUES (?)", (value,))
        database.commit()


WAYS: list[Callable[[Path, set[str]], None]] = [in_plan, in_journal, in_search, in_study]
RUNS = st.lists(st.tuples(st.sets(st.sampled_from(IDS)), st.sampled_from(WAYS)), max_size=4)
WISHES = st.fixed_dictionaries(
    {
        "orphaned": st.booleans(),
        "checkpoints": st.sampled_from([None, "last", "all"]),
        "runs": st.sampled_from([(), ("tiny",)]),
        "keep": st.integers(0, 3),
        "in_specs": st.sets(st.sampled_from(IDS), max_size=2).map(frozenset),
    }
)


@given(st.sets(st.sampled_from(IDS)), RUNS, WISHES)
@settings(max_examples=80)
def test_what_a_run_or_spec_names_stays(finished: set[str], runs: Any, asked: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs_dir = Path(folder)
        for trial in IDS:
            write_trial(runs_dir / "store", trial, finished=trial in finished)
        for number, (trials, write) in enumerate(runs):
            run = runs_dir / "tiny" / RUN.format(number)
            run.mkdir(parents=True)
            (run / "plan.json").write_text("{}")
            write(run, trials)
        wish = Wish(**asked) if runs else Wish(**{**asked, "runs": ()})
        shelf = read_contents(runs_dir, wish.in_specs)
        outcomes = list(remove(runs_dir, choose_removals(shelf, wish), wish.in_specs))

        left = runs[max(0, len(runs) - wish.keep) :] if wish.runs else runs
        named = {trial for trials, _ in left for trial in trials} | wish.in_specs
        assert {path.name for path in (runs_dir / "tiny").glob("*")} == {
            RUN.format(number) for number in range(len(runs) - len(left), len(runs))
        }
        for trial in IDS:
            path = runs_dir / "store" / trial
            assert path.exists() == (trial in named or not wish.orphaned)
            if path.exists():
                assert (path / "metrics.jsonl").exists()
                kept = {file.name for file in (path / "checkpoints").iterdir() if file.suffix == ".pt"}
                gone = {None: set(), "last": {"last.pt"}, "all": {"last.pt", "best.pt"}}[wish.checkpoints]
                assert kept == {"last.pt", "best.pt"} - (gone if trial in finished else set())
        assert all(hasattr(outcome, "kind") for outcome in outcomes)
        assert not list(runs_dir.rglob(".removing-*"))


@pytest.mark.parametrize("write", WAYS)
def test_a_run_that_begins_meanwhile_keeps_what_it_names(tmp_path: Path, write: Any) -> None:
    write_trial(tmp_path / "store", IDS[0], finished=True)
    planned = choose_removals(read_contents(tmp_path), Wish(orphaned=True))
    assert [removal.name for removal in planned] == IDS[:1]
    run = tmp_path / "tiny" / RUN.format(0)
    run.mkdir(parents=True)
    write(run, {IDS[0]})
    (skipped,) = remove(tmp_path, planned, frozenset())
    assert getattr(skipped, "reason", "") == "a run names it now"
    assert (tmp_path / "store" / IDS[0] / "result.json").exists()


def test_references_are_read_again_where_a_file_changed(tmp_path: Path) -> None:
    run = tmp_path / "tiny" / RUN.format(0)
    run.mkdir(parents=True)
    in_plan(run, set(IDS[:1]))
    references = References(tmp_path)
    assert references.by_run() == {run: frozenset(IDS[:1])}
    in_journal(run, set(IDS[1:3]))
    assert references.by_run() == {run: frozenset(IDS[:3])}


@pytest.mark.parametrize("num_gone", [1, 8, 25])
def test_killed_in_the_middle_what_is_left_is_whole(tmp_path: Path, num_gone: int) -> None:
    store = tmp_path / "store"
    trials = [f"{number:064x}" for number in range(50)]
    for trial in trials:
        write_trial(store, trial, finished=True, num_files=100)
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", "clean", "--orphaned", "--yes"]
    command += ["--runs-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and sum((store / trial).exists() for trial in trials) > len(trials) - num_gone:
            time.sleep(0.001)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    left = [trial for trial in trials if (store / trial).exists()]
    assert len(left) <= len(trials) - num_gone
    for trial in left:
        assert len(list((store / trial).rglob("*"))) == 100 + 7
    subprocess.run(command, check=True, capture_output=True)
    assert [path.name for path in store.iterdir()] == [".locks"]
