"""What `craftc sync` reads of a run, also of one whose spec asked for W&B by a key of its own."""

from pathlib import Path

from craftc.runtime.observers.wandb_record import WandbSettings, read_record

# Written while `report.wandb` was a section of the language.
BEFORE = """{
 "format_version": "1.0",
 "settings": {
  "project": "digits",
  "entity": null,
  "mode": "auto",
  "sweep": true
 },
 "entity": "lab",
 "factors": {"axes": {"seed": {"type": "choices", "values": [0]}}, "features": {}, "written": {}, "in_full": []},
 "sweep": {"method": "grid"},
 "sweep_id": null,
 "runs": {"aa": {"id": "1", "folder": "wandb/run-1", "ended": true, "uploaded": false, "sweep_id": null}}
}
"""


def test_a_record_of_before_is_read(tmp_path: Path) -> None:
    (tmp_path / "wandb.json").write_text(BEFORE)
    record = read_record(tmp_path)
    assert record is not None
    assert record.settings == WandbSettings(project="digits", sweep=True)
    assert (record.entity, record.num_waiting) == ("lab", 1)


def test_a_run_that_told_nothing_has_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
