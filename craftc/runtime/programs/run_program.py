"""Runs the trial of a program: takes its reports and decides when it is stopped."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from craftc.runtime.jobs.decide import Decide
from craftc.runtime.programs.attempt import Attempt, begin, setup_of
from craftc.runtime.programs.ending import ProgramError, check_end, went_on
from craftc.runtime.programs.output_log import FILE
from craftc.runtime.programs.start_program import ProgramProcess, start_program, until
from craftc.runtime.programs.team import ALONE, Team
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, Event, TrialFinished, TrialPruned, TrialStarted

log = logging.getLogger(__name__)

INTERRUPTED_GRACE_S = 5.0
"""What an interrupted program has until its next report, and then to end."""
PRUNED_GRACE_S = 30.0
ENDING_GRACE_S = 10.0
"""What a pruned program has to end, and one whose function has returned."""


def run_program(
    trial: Trial, store: Store, device: str, cpus: int, decide: Decide, team: Team = ALONE
) -> Iterator[Event]:
    """Run a program whose trial this process has locked and that has no end in the store, from its last state on.

    With several workers this is the first; the others hear from it by the `team`. Raises ProgramError where it comes to
    no result.
    """
    store.write_config(trial)
    attempt, warning = begin(trial, store, decide)
    if warning is not None:
        log.warning("trial %s: %s", trial.id[:12], warning)
    yield TrialStarted(trial=trial.id, epoch=attempt.standing.num_records, warning=warning)
    num_records = attempt.standing.num_records
    setup = setup_of(trial, store, attempt.kept, num_records, device=device, cpus=cpus, rank=0, size=team.size)
    environment = team.begin(attempt.kept, num_records)
    program = start_program(setup, log=attempt.folder / FILE, cpus=cpus, environment=environment)
    with team.ended():
        with ended(program, attempt):
            yield from _reports(program, attempt, team)
            if attempt.stop == "pruned":
                let_end(program, attempt, PRUNED_GRACE_S)
                yield TrialPruned(trial=trial.id, epoch=attempt.standing.num_records, epochs_planned=None)
                return
            code = program.wait(ENDING_GRACE_S)
            check_end(program.last_message, code, attempt.standing.num_records, attempt.folder / FILE)
            if attempt.standing.last is None:
                yield EpochEnded(record=attempt.only_record())
        result = attempt.standing.result(setup["device"], time.monotonic() - attempt.since)
        store.write_result(result)
        yield TrialFinished(result=result)


def _reports(program: ProgramProcess, attempt: Attempt, team: Team) -> Iterator[EpochEnded]:
    """The records of a program, until it ends or is to be pruned: `attempt.stop` says so."""
    for message in _messages(program):
        if message["type"] == "started":
            attempt.since = time.monotonic()
        elif message["type"] == "finish":
            attempt.standing = attempt.standing.finished(message["metrics"], message["not_finite"])
            program.answer(None)
        elif attempt.stop is not None:
            raise went_on(attempt.standing.num_records)
        else:
            record = attempt.record(message)
            yield EpochEnded(record=record)
            attempt.stop = attempt.decided(record)
            team.decided(record.epoch, attempt.stop)
            program.answer(attempt.stop)
            if attempt.stop == "pruned":
                return


def _messages(program: ProgramProcess) -> Iterator[dict[str, Any]]:
    """What a program says until it ends; how it says that it does is not among it."""
    while (message := program.receive()) is not None and message["type"] in ("started", "report", "finish"):
        yield message


@contextmanager
def ended(program: ProgramProcess, attempt: Attempt) -> Iterator[None]:
    """The process is gone afterwards. An interruption lets it come to its next report first, for a moment."""
    try:
        yield
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        # Of a report that waits for its answer, or else of the next one.
        program.answer("interrupted")
        let_end(program, attempt, INTERRUPTED_GRACE_S)
        raise
    finally:
        program.end()


def let_end(program: ProgramProcess, attempt: Attempt, grace_s: float) -> None:
    """Give a program that was stopped a moment to end. What it reports until it knows is kept."""
    deadline = time.monotonic() + grace_s
    while (message := program.receive(until(deadline))) is not None:
        if message["type"] == "finish":
            program.answer(attempt.stop or "interrupted")
        elif message["type"] == "report" and attempt.stop is None:
            attempt.stop = "interrupted"
            with suppress(ProgramError, OSError):
                attempt.record(message)
        elif message["type"] == "report":
            log.warning("trial %s: %s", attempt.trial.id[:12], went_on(attempt.standing.num_records).message)
            return
    program.wait(until(deadline))
