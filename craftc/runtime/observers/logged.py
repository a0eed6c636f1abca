"""What trackers log of a record."""

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Metrics

STEP = "train/step"


def logged(trial: Trial, record: EpochRecord) -> Metrics:
    """The metrics of a record; of one that is no epoch also the steps so far, against which curves can be drawn."""
    return record.metrics if trial.record_name == "epoch" else {STEP: float(record.step), **record.metrics}
