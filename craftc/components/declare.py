"""What a component says of itself beside its signature: the data that it works with, and what some arguments are for.

Linting reads it from the source and imports nothing, so every value is written out as a literal. A class may as well
have an attribute of the same name: `takes = ("images",)`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from craftc.schemas.catalogue import DataKind, DataLayout, OutputKind, TargetKind

C = TypeVar("C", bound=Callable[..., Any])


def declares(
    *,
    semantics_version: int | None = None,
    takes: Sequence[DataKind] | None = None,
    data_layout: DataLayout | None = None,
    gives: Sequence[DataKind] | None = None,
    facts: Mapping[str, int] | None = None,
    seed_unused_at: Mapping[str, Any] | None = None,
    pools_columns: str | None = None,
    frozen_parts: Mapping[str, str] | None = None,
    patience_argument: str | None = None,
    min_lr_argument: str | None = None,
    low_lr_argument: str | None = None,
    empty_means: Mapping[str, str] | None = None,
    bounds: tuple[float, float] | None = None,
    gives_targets: Sequence[TargetKind] | None = None,
    gives_columns: Sequence[str] | None = None,
    takes_targets: Sequence[TargetKind] | None = None,
    takes_outputs: Sequence[OutputKind] | None = None,
    trivial: Literal["class_frequencies", "label_frequencies", "mean", "median"] | None = None,
    mixes_targets: bool | None = None,
    packages: Mapping[str, str] | None = None,
    search_ranges: Mapping[str, Mapping[str, Any]] | None = None,
    switches_weights: bool | None = None,
) -> Callable[[C], C]:
    """Decorates a class or function; what is stated becomes attributes of it.

    Args:
        semantics_version: Counts up from 1 when an argument's default changes, or the same arguments come to another
            result; trials that name the component are then trained anew.
        takes: The kinds of data that the component can work with: `images`, `table`, `text`. Not stated: any.
        data_layout: Of a model, the layout in which it is given its inputs where a spec has the default of
            `data.layout`: `channels`, `lines` or `flat`. Not stated: as the source gives them.
        gives: Of a source, the kinds that it may give. Not stated: any.
        facts: Of a source, numbers of its data that are the same whatever its arguments are: `num_samples`,
            `num_classes` and the others that a model can infer.
        seed_unused_at: Of a source, the values of its arguments at which its `seed` draws nothing.
        pools_columns: Of a normalizer that computes one number from different columns of a table, what it does, in
            words that are followed by "of all columns".
        frozen_parts: Of a model of which the head alone is trained, the arguments that are its `backbone`, the
            `weights` of that, and its `head`.
        patience_argument: Of a schedule's phase, the argument with the epochs that it waits before the rate falls.
        min_lr_argument: Of a schedule's phase, the argument with the rate below which it does not fall.
        low_lr_argument: Of a schedule's phase, the argument with a rate below the optimizer's: that at which a warm-up
            starts, or at which a decay ends.
        empty_means: By the name of an argument whose list needs an item, what to write where somebody means none.
        bounds: Of a metric, its least and its greatest value. Intervals of one from 0 to 1 stay within.
        gives_targets: Of a source, the kinds of target that it may give: `class`, `classes` (several labels), `real`
            (quantities), `token`, `transcript`. Not stated: any.
        gives_columns: Of a source, the names of its inputs, so that linting knows what a model may ask for. Not stated:
            not known.
        takes_targets: Of a metric or an objective, the kinds of target that it can work with. Not stated: any.
        takes_outputs: Of a metric or an objective, what it can work with in the place of predictions: `embeddings`, or
            of an objective `views`, embeddings (B, V, ...) of V views of each sample.
        trivial: Of a metric or an objective, the predictor that a model has to beat: `class_frequencies` gives every
            sample the logarithms of the class frequencies in train as its logits, `label_frequencies` the log odds of
            every label, `mean` and `median` those of the target. Not stated: there is none.
        mixes_targets: Of an augmentation, whether it mixes each sample with another of its step, and so its target.
        packages: The packages that it imports beside those of `craftc[run]`, by the names that Python imports them by,
            with craftc's extra that brings each; empty text where a user installs it by itself.
        search_ranges: By the name of an argument, the range that `search: {use: defaults}` gives it, written as in
            `search.space`: {"lr": {"log_uniform": [1e-4, 1e-2]}}.
        switches_weights: Of an optimizer, whether its weights are others in training than in evaluation, between which
            its methods `train()` and `eval()` switch.
    """
    stated = {
        "semantics_version": semantics_version,
        "takes": takes,
        "data_layout": data_layout,
        "gives": gives,
        "facts": facts,
        "seed_unused_at": seed_unused_at,
        "pools_columns": pools_columns,
        "frozen_parts": frozen_parts,
        "patience_argument": patience_argument,
        "min_lr_argument": min_lr_argument,
        "low_lr_argument": low_lr_argument,
        "empty_means": empty_means,
        "bounds": bounds,
        "gives_targets": gives_targets,
        "gives_columns": gives_columns,
        "takes_targets": takes_targets,
        "takes_outputs": takes_outputs,
        "trivial": trivial,
        "mixes_targets": mixes_targets,
        "packages": packages,
        "search_ranges": search_ranges,
        "switches_weights": switches_weights,
    }

    def declare(component: C) -> C:
        for name, value in stated.items():
            if value is not None:
                setattr(component, name, value)
        return component

    return declare
