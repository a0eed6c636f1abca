"""A run folder is read as `craftc run` leaves it, also where it was interrupted or damaged."""

from pathlib import Path
from typing import Any

import pytest

from craftc.report.read_run import RunUnreadableError, read_run
from craftc.schemas.result import TrialFinished


def test_reads_back_what_was_written(ablation: Any, write_run: Any) -> None:
    assert read_run(write_run(ablation)) == ablation


def test_results_of_an_interrupted_run_count(ablation: Any, write_run: Any) -> None:
    run_dir = write_run(ablation)
    (run_dir / "results.jsonl").unlink()

    plan, results, failures = read_run(run_dir)

    assert (plan, results) == ablation[:2]
    assert failures == {}


def test_a_half_written_last_line_is_passed_over(ablation: Any, write_run: Any) -> None:
    assert read_run(write_run(ablation, extra_lines='{"type":"failed","tri')) == ablation


def test_a_trial_that_another_run_finished_did_not_fail(ablation: Any, write_run: Any) -> None:
    plan, results, failures = ablation
    failed = next(iter(failures))
    mended = {**results, failed: results[plan.trials[0].id].model_copy(update={"trial": failed})}

    assert read_run(write_run((plan, mended, failures))) == (plan, mended, {})


def test_the_last_word_on_a_trial_counts(ablation: Any, write_run: Any) -> None:
    plan, results, failures = ablation
    failed = next(iter(failures))
    finished = TrialFinished(result=results[plan.trials[0].id].model_copy(update={"trial": failed}))

    assert read_run(write_run(ablation, extra_lines=finished.model_dump_json() + "\n"))[2] == {}


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunUnreadableError, match=r"holds no plan\.json; name the folder of a run"):
        read_run(tmp_path)


@pytest.mark.parametrize("line", ["gibberish", "[]", '{"type": "failed"}'])
def test_a_damaged_line_is_named_and_the_others_count(ablation: Any, write_run: Any, line: str) -> None:
    told: list[str] = []
    assert read_run(write_run(ablation, extra_lines=f"{line}\n\n"), told.append) == ablation
    assert [text.partition("results.jsonl")[2] for text in told] == [" is damaged: line 2 is not what a run writes"]


def test_a_damaged_result_is_named_and_its_trial_counts_as_unfinished(ablation: Any, write_run: Any) -> None:
    run_dir = write_run(ablation)
    path = run_dir.parent.parent / "store" / ablation[0].trials[0].id / "result.json"
    path.write_text(path.read_text().replace('"best_epoch":17', '"best_epoch":"soon"'))

    told: list[str] = []
    plan, results, _ = read_run(run_dir, told.append)
    assert results.keys() == ablation[1].keys() - {plan.trials[0].id}
    assert [text.partition("result.json")[2].partition(":")[0] for text in told] == [" is no result"]
