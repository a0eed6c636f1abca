"""A program in another language, from its arguments to its records and its end."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.components.programs.conftest import MakeRun

from craftc import Stopped
from craftc.components.build import built_arguments, load_component, parameters_of
from craftc.components.programs.command import CommandError

SCRIPT = r"""
use strict; use warnings; use Getopt::Long; $| = 1;
my ($by, $epochs, $seed, $out, $resume, $deaf) = (1, 4, 0, ".", "", 0);
GetOptions("by=f" => \$by, "epochs=i" => \$epochs, "seed=i" => \$seed, "out=s" => \$out, "resume=s" => \$resume,
    "deaf" => \$deaf) or exit 9;
my ($epoch, $loss) = (0, $seed);
if ($resume) { open my $file, "<", $resume or die; ($epoch, $loss) = split / /, <$file>; }
$SIG{TERM} = $deaf ? "IGNORE" : sub { print qq({"test/loss": 7, "final": true}\n); exit 0 };
while ($epoch++ < $epochs) {
    $loss += $by;
    open my $file, ">", "$out/state" or die; print $file "$epoch $loss"; close $file;
    print "epoch $epoch\n", qq({"step": ${\ (10 * $epoch)}, "valid/loss": $loss, "state": "state"}\n);
    if ($epoch == 2 and -e "$out/wait") { sleep 60 }
}
print qq({"test/loss": $loss, "final": true}\n);
"""
COMMAND = ["perl", "{script}", "--by", "{by}", "--epochs", "{epochs}", "--seed", "{seed}", "--out", "{folder}"]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    # Perl is part of every system that craftc runs on; a machine without it is to be noticed.
    assert shutil.which("perl")
    (tmp_path / "train.pl").write_text(SCRIPT)
    return tmp_path / "train.pl"


def run_command(run: Any, script: Path, command: list[str] = COMMAND, **more: Any) -> None:
    """As a spec names it, where paths are texts."""
    arguments = {"command": command, "files": {"script": str(script)}, "args": {"by": 0.5, "epochs": 4}} | more
    program = {"kind": "command", "resume": ["--resume", "{state}"], **arguments}
    function = load_component("programs", "command")
    function(run, **built_arguments(program, parameters_of(function)))


def test_records_and_end(make_run: MakeRun, script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, recorded = make_run(seed=3)
    run_command(run, script)
    assert recorded.records == [(10 * n, {"valid/loss": 3 + n / 2}) for n in (1, 2, 3, 4)]
    assert recorded.final == {"test/loss": 5.0}
    assert recorded.state == run.folder / "state"
    assert capfd.readouterr().out == "epoch 1\nepoch 2\nepoch 3\nepoch 4\n"


def test_goes_on_from_its_state(make_run: MakeRun, script: Path) -> None:
    whole, all_recorded = make_run("whole")
    run_command(whole, script)
    cut, before = make_run("cut", stop_at=2)
    (cut.folder / "wait").touch()
    with pytest.raises(Stopped):
        run_command(cut, script)
    (cut.folder / "wait").unlink()
    again, after = make_run("cut", state=before.state)
    run_command(again, script)
    assert before.records + after.records == all_recorded.records
    assert after.final == all_recorded.final


@pytest.mark.parametrize(("reason", "final"), [("early-stopping", {"test/loss": 7.0}), ("pruned", None)])
def test_what_it_measures_when_it_is_stopped(make_run: MakeRun, script: Path, reason: Any, final: Any) -> None:
    run, recorded = make_run(stop_at=2, reason=reason)
    (run.folder / "wait").touch()
    began = time.monotonic()
    with pytest.raises(Stopped, match=reason):
        run_command(run, script)
    assert time.monotonic() - began < 50, "it was stopped in its sleep"
    assert (len(recorded.records), recorded.final) == (2, final)


def test_one_that_ignores_its_end_is_killed(make_run: MakeRun, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("craftc.components.programs.command._INTERRUPTED_GRACE_S", 0.2)
    run, recorded = make_run(stop_at=2)
    (run.folder / "wait").touch()
    began = time.monotonic()
    with pytest.raises(Stopped):
        run_command(run, script, [*COMMAND, "--deaf"])
    assert time.monotonic() - began < 50
    assert len(recorded.records) == 2


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "echo text; echo no such column >&2; exit 3"], "^sh ended with exit code 3: no such column$"),
        (["sh", "-c", "echo only this; exit 4"], "^sh ended with exit code 4: only this$"),
        (["sh", "-c", "kill -SEGV $$"], "^sh ended with SIGSEGV$"),
    ],
)
def test_one_that_fails(make_run: MakeRun, script: Path, command: list[str], message: str) -> None:
    run, recorded = make_run()
    with pytest.raises(CommandError, match=message):
        run_command(run, script, command)
    assert not recorded.records


def test_one_that_does_not_exist(make_run: MakeRun, script: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        run_command(make_run()[0], script, ["no-such-program"])


def test_metrics_in_a_file(make_run: MakeRun, script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, recorded = make_run()
    lines = """echo '{"a/b": 1}' >> $0/m; echo '{"a/b": 9}'; sleep 0.3; printf '{"a/b": 2}' >> $0/m"""
    run_command(run, script, ["sh", "-c", lines, "{folder}"], metrics="m")
    assert [metrics for _, metrics in recorded.records] == [{"a/b": 1.0}, {"a/b": 2.0}]
    assert capfd.readouterr().out == '{"a/b": 9}\n'


def test_what_it_leaves_running_holds_nothing_up(make_run: MakeRun, script: Path) -> None:
    run, recorded = make_run()
    began = time.monotonic()
    run_command(run, script, ["sh", "-c", """sleep 50 & echo '{"a/b": 1}'"""])
    assert time.monotonic() - began < 40
    assert len(recorded.records) == 1
