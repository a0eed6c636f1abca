"""Opens a trial's weights beside its data, for what is made from a trained model; no step is taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from craftc.components.artefacts.trained import Trained
from craftc.components.sources.columns import OF_BATCHES
from craftc.schemas.plan import Trial
from craftc.training.data.device_split import Batch, evaluation_batches
from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.determinism import deterministic
from craftc.training.foundation.random import key, seed_everything
from craftc.training.loop.after_training import build_passes
from craftc.training.loop.evaluate import Predictor
from craftc.training.loop.training import Training
from craftc.training.loop.trial import lay_ground, open_training
from craftc.training.parts.after_stages import build_stages, state_path
from craftc.training.state.member import Member
from craftc.training.state.resume import Start


@dataclass(frozen=True)
class Opened:
    """A trial on the CPU, with the parts of its training as they stand before its first step."""

    trial: Trial
    folder: Path
    training: Training
    data: PreparedData

    def trained(self, weights: dict[str, Any], of: str, epoch: int) -> Trained:
        """The model with these weights, which are judged, of `epoch`; `of` is a split, `<split>/<pass>` or
        `<split>/<after-stage>`.

        Raises TrainingError, and KeyError for a split that the trial does not measure.
        """
        split, _, by = of.partition("/")
        parts = self.training.parts
        parts.evaluated.load_state_dict(weights)
        parts.evaluated.eval()
        predict, values = self._predictor(by)
        samples, columns = self.training.splits[split], self.data.splits[split]
        given = parts.values.after(self.training.course.end_of(epoch), values)

        def batches(most: int | None) -> Iterator[Batch]:
            chosen = samples if most is None else samples.head(most)
            seed_everything(key(parts.seed, "evaluation", epoch), parts.device)
            for batch in evaluation_batches(chosen, self.training.batch_size):
                yield {**batch, **given}

        def output(batch: Batch) -> Tensor:
            with deterministic(parts.deterministic):
                found = parts.precision.output(predict, {**given, **batch})
            return found if isinstance(found, Tensor) else found[str(parts.calls.main)]

        def aligned(found: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
            both = parts.calls.given(found, batch)
            assert both.target is not None, "aligned beside a target alone"
            return both.output, both.target

        return Trained(
            model=parts.evaluated,
            first=parts.calls.first,
            target=columns.target_column,
            target_name=columns.target,
            num_samples=len(columns),
            beside={name: column.values for name, column in columns.columns.items() if column.role not in OF_BATCHES},
            vocabulary=self.data.vocabulary,
            batches=batches,
            output=output,
            aligned=aligned,
        )

    def _predictor(self, by: str) -> tuple[Predictor, dict[str, float]]:
        """What predicts a batch, and the values that a pass gives instead of those of the training."""
        parts = self.training.parts
        if not by:
            return parts.predict, {}
        target = self.data.splits["train"].target_column
        for each in build_passes(self.trial, parts, target):
            if each.name == by:
                return each.predictor(parts), dict(each.values)
        predict: Predictor = parts.predict
        for stage in build_stages(self.trial.config["evaluation"].get("after", ()), parts.device):
            stage.load(state_path(self.folder, stage.name).read_text())
            predict = stage.of(predict, parts.calls)
            if stage.name == by:
                break
        return predict, {}


def open_trained(trial: Trial, folder: Path, prepared: Path | None = None) -> Opened:
    """A trial whose files are in `folder`, on the CPU; its data may be in `prepared`.

    Raises DataError and TrainingError, and whatever a user's own code raises.
    """
    config = {**trial.config, "training": {**trial.config["training"], "compile": False}}
    as_it_stands = trial.model_copy(update={"config": config})
    ground = lay_ground(as_it_stands, "cpu", prepared)
    # In a folder of its own: a training that begins makes the trial's files begin, too.
    with torch.no_grad(), TemporaryDirectory(prefix="craftc_artefacts_") as beside:
        training = open_training(Start([Member(as_it_stands, Path(beside))]), ground)
    return Opened(trial, folder, training, ground.data)
