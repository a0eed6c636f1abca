"""What is said of programs that go wrong: one clear sentence each."""

import re
from collections.abc import Callable, Iterator

import pytest

from craftc.runtime.programs.output_log import CUT
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event, TrialFailed, TrialFinished

Program = Callable[..., Trial]
Events = Callable[..., Iterator[Event]]


@pytest.mark.parametrize(
    ("name", "arguments", "code", "message"),
    [
        ("fails", {}, "program-failed", "KeyError: 'no such weight' (lab_programs.py:"),
        ("fails", {"lr": 1}, "program-failed", "TypeError: fails() got an unexpected keyword argument 'lr'"),
        ("absent", {}, "program-failed", "AttributeError: module 'lab_programs' has no attribute 'absent'"),
        ("says_nothing", {}, "program-reported-nothing", "the program ended without a report; call run.report or"),
        ("leaves", {"how": "code"}, "program-exited", "the program called sys.exit(3) after record 1 (lab_programs"),
        ("leaves", {"how": "text"}, "program-exited", "the program called sys.exit('no data here') after record 1"),
        ("leaves", {"how": "at-once"}, "program-exited", "the program exited with code 4 after record 1, without a"),
        ("leaves", {"how": "at-once-zero"}, "program-exited", "the program exited with code 0 after record 1"),
        ("leaves", {"how": "signal"}, "program-exited", "the program was ended after record 1 by SIGTERM; see "),
        ("leaves", {"how": "segfault"}, "program-exited", "the program was ended after record 1 by SIGSEGV, an invali"),
        ("reports_oddly", {"what": "name"}, "program-bad-report", 'a metric is named "<split>/<metric>", such as "val'),
        (
            "reports_oddly",
            {"what": "value"},
            "program-bad-report",
            "the value of train/loss is a number, and this is '",
        ),
        ("reports_oddly", {"what": "bool"}, "program-bad-report", "the value of train/loss is a number, and this is T"),
        ("reports_oddly", {"what": "list"}, "program-bad-report", "the value of train/loss is a number, and this is ["),
        ("reports_oddly", {"what": "nothing"}, "program-bad-report", "metrics are a mapping of names to numbers, and "),
        (
            "hands_over_oddly",
            {"what": "object"},
            "program-bad-state",
            "state['model']['weights'] is a _thread.lock, an",
        ),
        (
            "hands_over_oddly",
            {"what": "outside"},
            "program-bad-state",
            "the state /etc/hostname is not within the fold",
        ),
        ("hands_over_oddly", {"what": "missing"}, "program-bad-state", "the state /.*/nothing.pt does not exist"),
        ("hands_over_oddly", {"what": "whole"}, "program-bad-state", "the state /.*/files is not within the folder of"),
        ("hands_over_oddly", {"what": "itself"}, "program-bad-state", "the state contains itself"),
    ],
)
def test_it_fails_with_one_sentence(
    program: Program, events: Events, name: str, arguments: dict[str, object], code: str, message: str
) -> None:
    *_, end = events(program(name, **arguments))
    assert isinstance(end, TrialFailed)
    assert end.code == code
    pattern = ".*".join(map(re.escape, message.split(".*")))
    assert re.match(pattern, end.message), end.message
    assert "\n" not in end.message


def test_an_exception_brings_its_own_traceback(program: Program, events: Events) -> None:
    *_, end = events(program("fails"))
    assert isinstance(end, TrialFailed)
    assert end.epoch == 2
    assert 'raise KeyError("no such weight")' in end.traceback


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("leaves", {"how": "zero"}),
        ("closes_stdout", {}),
        ("wanders", {}),
        ("reports_from_a_thread", {}),
        ("reports_from_a_fork", {}),
    ],
)
def test_what_is_unusual_is_not_wrong(
    program: Program, events: Events, name: str, arguments: dict[str, object]
) -> None:
    *_, end = events(program(name, **arguments))
    assert isinstance(end, TrialFinished), end
    assert end.result.last == {"train/loss": 1.0}


def test_a_fork_that_reports_is_told_where_to(program: Program, events: Events, store: Store) -> None:
    trial = program("reports_from_a_fork")
    list(events(trial))
    said = (store.folder(trial.id) / "files" / "said").read_text()
    assert said == "run.report was called in a process that the program forked; call it in the one it began in"


def test_of_megabytes_that_are_printed_the_beginning_and_the_end_are_kept(
    program: Program, events: Events, store: Store
) -> None:
    trial = program("prints", num_lines=250_000)
    *_, end = events(trial)
    assert isinstance(end, TrialFinished)
    log = (store.folder(trial.id) / "output.log").read_bytes()
    assert len(log) < 13 * 2**20
    assert log.startswith(b"line 0000000 ")
    assert log.endswith(b"\nthe last words\n")
    assert log.count(CUT) == 1
    before, _, after = log.partition(CUT)
    assert b"line 0000001 " in before
    assert b"line 0249999 " in after
