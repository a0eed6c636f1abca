"""Whatever is damaged in whichever file: it is told or changes no number, and the next run is right."""

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from craftc.cli.main import app

SPEC = """\
craftc: 1
name: tiny
data: {source: digits}
model: {kind: mlp, hidden: [8]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 3, batch_size: 256, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {grid: {training.optimizer.lr: [1e-2, 1e-3]}}
"""
SEALED = ("result.json", "config.json", "metrics.jsonl", "plan.json", "spec.resolved.yaml", "manifest.json")


def craftc(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)


def numbers(result: Result) -> Any:
    """Of `report --format json`: each seed's value, at its best and last epoch, and the gap to train."""
    return {row["name"]: row["seeds"] for row in json.loads(result.stdout)["variants"]}


def no_traceback(result: Result) -> None:
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output


def flip(path: Path, data: st.DataObject) -> str:
    content = bytearray(path.read_bytes())
    place, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place}"


def overwrite(path: Path, data: st.DataObject) -> str:
    content = bytearray(path.read_bytes())
    place, byte = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 255))
    content[place] = byte
    path.write_bytes(content)
    return f"byte {place}"


def truncate(path: Path, data: st.DataObject) -> str:
    size = data.draw(st.integers(0, path.stat().st_size - 1))
    path.write_bytes(path.read_bytes()[:size])
    return f"cut to {size}"


def insert(path: Path, data: st.DataObject) -> str:
    content = path.read_bytes()
    place, more = data.draw(st.integers(0, len(content))), data.draw(st.binary(min_size=1, max_size=3))
    path.write_bytes(content[:place] + more + content[place:])
    return f"{more!r} at {place}"


def edit_a_digit(path: Path, data: st.DataObject) -> str:
    """As somebody would who wants another number."""
    content = path.read_bytes()
    places = [place for place, byte in enumerate(content) if byte in b"123456789"]
    place = data.draw(st.sampled_from(places))
    path.write_bytes(content[:place] + b"0" + content[place + 1 :])
    return f"digit at {place}"


def take_another(path: Path, data: st.DataObject) -> str:
    """The same file of another trial, or of other prepared data."""
    others = sorted(other for other in path.parent.parent.glob(f"*/{path.name}") if other != path)
    if others:
        shutil.copyfile(data.draw(st.sampled_from(others)), path)
    return "another's"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials, trained, with prepared data that was worth keeping."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("craftc.training.data.prepared_files.WORTH_S", 0.0)
        # By its whole path: this process may hold data of a shelf of the same relative one.
        result = craftc(folder, "run", "tiny.yaml", "--backend", "inline", "--runs-dir", str(folder / "runs"))
    assert result.exit_code == 0, result.output
    return folder


def fresh(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged") / "project"
    shutil.copytree(finished, folder)
    return folder


def files(folder: Path, name: str) -> list[Path]:
    return sorted((folder / "runs").rglob(name))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_told_or_changes_nothing(
    finished: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    right = numbers(craftc(finished, "report", "tiny", "--format", "json"))
    folder = fresh(finished, tmp_path_factory)
    name = data.draw(st.sampled_from(SEALED))
    path = data.draw(st.sampled_from(files(folder, name)))
    done = data.draw(st.sampled_from([flip, overwrite, truncate, insert, edit_a_digit, take_another]))(path, data)
    changed = path.read_bytes() != (finished / path.relative_to(folder)).read_bytes()

    verified = craftc(folder, "verify")
    reported = craftc(folder, "report", "tiny", "--format", "json")
    planned = craftc(folder, "plan", "tiny.yaml")
    ran = craftc(folder, "run", "tiny.yaml", "--backend", "inline")
    after = craftc(folder, "report", "tiny", "--format", "json")

    for result in (verified, reported, planned, ran, after):
        no_traceback(result)
    assert verified.exit_code == (1 if changed else 0), (name, done, verified.output)
    if reported.exit_code == 0 and "warning[result-unreadable]" not in reported.stderr:
        assert numbers(reported) == right, (name, done)
    # The next run is right, whatever it was, and says so of a trial that it trains again.
    assert ran.exit_code == 0, ran.output
    assert numbers(after) == right, (name, done)
    if name in ("result.json", "metrics.jsonl") and changed:
        assert "warning[result-unreadable]" in ran.stderr, (name, done, ran.stderr)
    shutil.rmtree(folder)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_mended_is_sound_and_trained_again_with_the_same_numbers(
    finished: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    right = numbers(craftc(finished, "report", "tiny", "--format", "json"))
    folder = fresh(finished, tmp_path_factory)
    name = data.draw(st.sampled_from(["result.json", "config.json", "metrics.jsonl", "manifest.json", "best.pt"]))
    path = data.draw(st.sampled_from(files(folder, name)))
    data.draw(st.sampled_from([flip, truncate, edit_a_digit]))(path, data)

    mended = craftc(folder, "verify", "--fix")
    again = craftc(folder, "verify", "--format", "json")
    ran = craftc(folder, "run", "tiny.yaml", "--backend", "inline")

    assert (mended.exit_code, again.exit_code, ran.exit_code) == (0, 0, 0), (mended.output, again.output, ran.output)
    assert json.loads(again.stdout)["files"] == []
    assert numbers(craftc(folder, "report", "tiny", "--format", "json")) == right
    shutil.rmtree(folder)
