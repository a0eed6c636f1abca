"""Runs the program of a trial in a worker that is not the first: its reports count for nothing, and it is stopped with
the first."""

from typing import TYPE_CHECKING

from craftc.runtime.programs.attempt import setup_of
from craftc.runtime.programs.ending import ProgramError, check_end
from craftc.runtime.programs.output_log import file_of
from craftc.runtime.programs.run_program import ENDING_GRACE_S
from craftc.runtime.programs.start_program import ProgramProcess, start_program
from craftc.runtime.programs.team import Board, Start
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial

if TYPE_CHECKING:
    from craftc.training.parts.worker_group import WorkerGroup

POLL_S = 0.5


def follow_program(trial: Trial, store: Store, device: str, cpus: int, workers: "WorkerGroup") -> None:
    """Run it until it ends, or a moment longer than the first worker's. Raises ProgramError where it fails before."""
    start: Start = workers.share(None)  # type: ignore[assignment]
    board = Board(start)
    setup = setup_of(
        trial, store, start.kept, start.num_records, device=device, cpus=cpus, rank=workers.rank, size=workers.size
    )
    log = store.folder(trial.id) / file_of(workers.rank)
    program = start_program(setup, log=log, cpus=cpus, environment=start.environment(workers))
    try:
        num_records = _follow(program, board, start.num_records)
        try:
            check_end(program.last_message, program.wait(ENDING_GRACE_S), num_records, log)
        except ProgramError as error:
            if not board.is_over:
                raise ProgramError(error.code, f"in worker {workers.rank}: {error.message}", error.epoch) from error
    finally:
        program.end()
    board.wait_for_end()
    workers.share(None)


def _follow(program: ProgramProcess, board: Board, num_records: int) -> int:
    """Answer what it reports as the first worker was answered, until it ends; the number of records so far."""
    while not program.has_hung_up:
        message = program.receive(POLL_S)
        if message is None:
            if board.has_ended and not program.has_hung_up:
                return num_records
        elif message["type"] == "report":
            num_records += 1
            program.answer(board.decision(num_records))
        elif message["type"] == "finish":
            program.answer(None)
        elif message["type"] != "started":
            return num_records
    return num_records
