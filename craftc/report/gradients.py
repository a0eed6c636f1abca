"""Reads the norms of gradients by layer, and says in a sentence where they are out of their bounds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from craftc.schemas.catalogue import LARGEST_GRADIENT_NORM as LARGEST
from craftc.schemas.catalogue import MEAN_GRADIENT_NORM as MEAN
from craftc.schemas.conclusion import Finding, LayerGradients, TrialGradients
from craftc.schemas.plan import GradientBounds, Plan, Trial
from craftc.schemas.result import EpochRecord
from craftc.training.state.history import read_history

MOST_TRIALS, MOST_LAYERS, MOST_STRETCHES = 6, 4, 3
"""That are told of one by one: trials, layers of a trial, and stretches of its epochs."""

Histories = Mapping[str, Sequence[EpochRecord]]


def read_histories(run_dir: Path, plan: Plan) -> Histories:
    """The records so far of the trials of a run whose gradients' norms are recorded, by trial: those that are sound."""
    store = run_dir.resolve().parent.parent / "store"
    recorded = [trial.id for trial in plan.trials if trial.gradient_bounds is not None]
    return {trial: read_history(store / trial, trial).records for trial in recorded}


def gradients_of(plan: Plan, histories: Histories) -> list[TrialGradients]:
    """Those of each trial of the plan that has any."""
    found = []
    for trial in plan.trials:
        layers = layers_in(histories.get(trial.id, ()))
        if layers and trial.gradient_bounds is not None:
            found.append(_of_trial(trial, trial.gradient_bounds, layers))
    return found


def _of_trial(trial: Trial, bounds: GradientBounds, layers: Sequence[LayerGradients]) -> TrialGradients:
    return TrialGradients(
        trial=trial.id,
        variant=trial.variant,
        seed=trial.seed,
        fold=trial.fold,
        below=bounds.below,
        above=bounds.above,
        layers=tuple(layers),
    )


def layers_in(records: Sequence[EpochRecord]) -> list[LayerGradients]:
    """The layers whose norms are in these records, in their order."""
    values: dict[str, list[tuple[int, float, float]]] = {}
    for record in records:
        for name, mean in record.metrics.items():
            if name.startswith(MEAN):
                layer = name.removeprefix(MEAN)
                values.setdefault(layer, []).append((record.epoch, mean, record.metrics[LARGEST + layer]))
    return [
        LayerGradients(layer=layer, epochs=epochs, mean=means, largest=largest)
        for layer, found in values.items()
        for epochs, means, largest in [tuple(zip(*found, strict=True))]
    ]


def find_gradients(plan: Plan, gradients: Sequence[TrialGradients]) -> list[Finding]:
    """A sentence for each trial that has a layer out of its bounds; of very many trials, for the first."""
    found = []
    for each in gradients:
        fold = "" if each.fold is None else f", fold {each.fold}"
        bounds = GradientBounds(below=each.below, above=each.above)
        name = f"{each.variant} (seed {each.seed}{fold})"
        text = out_of_bounds(name, each.layers, bounds, plan.trial(each.trial).record_name)
        found += [] if text is None else [Finding(kind="gradients", text=f"{text}.", variants=(each.variant,))]
    if len(found) <= MOST_TRIALS + 1:
        return found
    silent = found[MOST_TRIALS:]
    text = f"Gradients of {len(silent)} more trials are out of their bounds; craftc report --format json has all norms."
    names = tuple(dict.fromkeys(name for finding in silent for name in finding.variants))
    return [*found[:MOST_TRIALS], Finding(kind="gradients", text=text, variants=names)]


def out_of_bounds(name: str, layers: Sequence[LayerGradients], bounds: GradientBounds, record_name: str) -> str | None:
    """`The gradient of full (seed 0) is below 1e-07 in encoder (epochs 1-3)`: by the mean of a record below, by the
    largest above; None where all is within."""
    low = {each.layer: _epochs(each, [mean < bounds.below for mean in each.mean]) for each in layers}
    high = {each.layer: _epochs(each, [largest > bounds.above for largest in each.largest]) for each in layers}
    parts = [
        f"{word} {bound:g} in {_told(epochs, record_name)}"
        for word, bound, epochs in (("below", bounds.below, low), ("above", bounds.above, high))
        if any(epochs.values())
    ]
    return f"The gradient of {name} is {', and '.join(parts)}" if parts else None


def _epochs(layer: LayerGradients, is_out: Sequence[bool]) -> list[int]:
    return [epoch for epoch, out in zip(layer.epochs, is_out, strict=True) if out]


def _told(epochs: Mapping[str, Sequence[int]], record_name: str) -> str:
    """`encoder (epochs 1-3), head (epoch 2) and 3 more layers`."""
    out = {layer: of_layer for layer, of_layer in epochs.items() if of_layer}
    shown = [f"{layer} ({_in_words(out[layer], record_name)})" for layer in list(out)[:MOST_LAYERS]]
    num_more = len(out) - len(shown)
    return ", ".join(shown) + (f" and {num_more} more {'layer' if num_more == 1 else 'layers'}" if num_more else "")


def _in_words(epochs: Sequence[int], record_name: str) -> str:
    """`epochs 1-3, 7`; of very many stretches the first."""
    stretches: list[tuple[int, int]] = []
    for epoch in epochs:
        first, last = stretches[-1] if stretches else (epoch, epoch)
        if stretches and epoch == last + 1:
            stretches[-1] = first, epoch
        else:
            stretches.append((epoch, epoch))
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in stretches[:MOST_STRETCHES]]
    num_more = sum(last - first + 1 for first, last in stretches[MOST_STRETCHES:])
    more = f" and {num_more} more" if num_more else ""
    return f"{record_name}{'' if len(epochs) == 1 else 's'} {', '.join(shown)}{more}"
