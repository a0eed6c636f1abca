"""The experiment log: what craftc writes of runs, and what it leaves alone."""

import contextlib
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from craftc.cli.main import app
from craftc.report.experiment_log import BEGIN, END, HEAD, LogDamagedError, merged
from craftc.report.turning_point import turning_point
from craftc.schemas.result import EpochRecord


def entry(run: str, text: str = "text") -> str:
    return f"{BEGIN.format(run)}\n{text}\n{END.format(run)}\n"


def logged(runs_dir: Path, file: Path, *names: str) -> Result:
    with contextlib.chdir(runs_dir.parent):
        return CliRunner().invoke(app, ["log", *names, "--file", str(file), "--runs-dir", str(runs_dir)])


def records(losses: list[float]) -> list[EpochRecord]:
    return [
        EpochRecord(trial="t", epoch=epoch, step=epoch, metrics={"valid/loss": loss}, seconds=0)
        for epoch, loss in enumerate(losses, start=1)
    ]


RUNS = st.lists(
    st.builds("{}/2026112{}_031{:03d}".format, st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 999)),
    unique_by=lambda run: run.rpartition("/")[2],
    max_size=6,
)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=40)


@given(RUNS, st.data())
def test_the_newest_run_is_first_in_whatever_order_they_come(runs: list[str], data: st.DataObject) -> None:
    text = ""
    for run in data.draw(st.permutations(runs)):
        text = merged(text, {run: entry(run)})
    found = re.findall(r"^<!-- craftc: begin (\S+) -->$", text, re.MULTILINE)
    assert found == sorted(runs, key=lambda run: run.rpartition("/")[2], reverse=True)
    assert text.startswith(HEAD.rstrip()) or not runs
    assert re.findall(r"^## (\S+)$", text, re.MULTILINE) == [run.rpartition("/")[2] for run in found]
    assert merged(text, {run: entry(run) for run in runs}) == text or not runs


@given(RUNS.filter(bool), WORDS, WORDS, WORDS)
def test_what_people_write_stays(runs: list[str], above: str, analysis: str, below: str) -> None:
    text = merged(f"# Mine\n\n{above.replace('<!--', '')}\n", {run: entry(run) for run in runs})
    written = text.replace("### Analysis\n", f"### Analysis\n\n{analysis.replace('<!--', '')}\n", 1)
    written += below.replace("<!--", "")
    again = merged(written, {run: entry(run, "new\nlines") for run in runs})
    assert again == written.replace("-->\ntext\n<!--", "-->\nnew\nlines\n<!--")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{BEGIN.format('a/1')}\n", r"line 1: the entry of a/1 begins, and has no end"),
        (f"\n{END.format('a/1')}\n", r"line 2: the entry of a/1 ends, and has not begun"),
        (entry("a/1") + entry("a/1"), r"line 4: the entry of a/1 is there twice"),
        (f"{BEGIN.format('a/1')}\n{entry('a/2')}", r"line 2: the entry of a/1 begins before the one above ends"),
    ],
)
def test_a_damaged_log_is_left_as_it_is(text: str, said: str) -> None:
    with pytest.raises(LogDamagedError, match=said):
        merged(text, {"b/3": entry("b/3")})


def test_when_a_loss_turns() -> None:
    found = turning_point([records([3, 1, 2, 2.5]), records([3, 2, 1, 1.5])], "valid")
    assert found is not None
    assert (found.at, found.last, found.least, found.at_last) == (2.5, 4, 1, 2)
    assert turning_point([records([1.0])], "test") is None


def test_the_command_keeps_a_log(runs_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "EXPERIMENTS.md"
    assert logged(runs_dir, file).exit_code == 0
    text = file.read_text()
    first, second = sorted(path.name for path in (runs_dir / "tiny").iterdir())
    assert text.index(f"## {second}") < text.index(f"## {first}")
    newer, older = text.split(f"## {first}")
    assert "finished, 6 of 6 trials" in newer
    assert f"Against {first}:" in newer
    assert "- `~ ablation.seeds: 2 -> 3`" in newer
    assert "The first run of this name" in older
    assert "| `base` | 2/2 |" in older
    assert re.search(r"- base: best epoch \d", older)
    assert re.search(r"- valid/loss (turned at|had not turned by) epoch", older)

    written = text.replace("### Analysis\n", "### Analysis\n\nThe rate matters.\n", 1)
    file.write_text(written)
    assert logged(runs_dir, file, "tiny").exit_code == 0
    assert file.read_text() == written
    # The entry of a run that is gone stays.
    shutil.rmtree(runs_dir / "tiny" / first)
    assert logged(runs_dir, file).exit_code == 0
    assert f"## {first}" in file.read_text()


def test_no_runs_and_a_damaged_log(runs_dir: Path, tmp_path: Path) -> None:
    done = logged(runs_dir, tmp_path / "log.md", "other")
    assert (done.exit_code, done.stderr) == (2, f'no runs of other in "{runs_dir}"\n')
    file = tmp_path / "log.md"
    file.write_text(END.format("tiny/1"))
    done = logged(runs_dir, file)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"{file}: line 1: the entry of tiny/1 ends, and has not begun")
    assert file.read_text() == END.format("tiny/1")
