"""A name is only mended where it can be a slip of one known name alone, and is no name of its own."""

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.reading.nearest import nearest, surely_meant

CATALOGUE = built_in_catalogue()
METRICS, OPTIMIZERS = CATALOGUE.kinds("metrics"), CATALOGUE.kinds("optimizers")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("epoch", ["epochs", "batch_size"], "epochs"),
        ("bacth_size", ["epochs", "batch_size"], "batch_size"),
        ("batchsize", ["epochs", "batch_size"], "batch_size"),
        ("Batch-Size", ["epochs", "batch_size"], "batch_size"),
        ("normalise", ["normalize", "augment"], "normalize"),
        ("num_head", ["num_heads", "num_layers"], "num_heads"),
        ("mpl", CATALOGUE.kinds("models"), "mlp"),
        ("lrr", ["lr", "betas"], "lr"),
        ("gpu", ["gpus", "cpus"], "gpus"),
        ("balanced_acuracy", METRICS, "balanced_accuracy"),
        ("f1macro", METRICS, "f1_macro"),
        ("adm", ["adamw"], None),
        ("AdamW", OPTIMIZERS, "adamw"),
        # Three edits from ablation, too.
        ("eavluation", ["evaluation", "ablation"], "evaluation"),
    ],
)
def test_slips(name: str, known: list[str], meant: str | None) -> None:
    assert surely_meant(name, known) == meant


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("f1_micro", METRICS),  # one letter away from f1_macro
        ("nadam", OPTIMIZERS),
        ("radam", OPTIMIZERS),
        ("adan", OPTIMIZERS),
        ("sgdw", OPTIMIZERS),
        ("glu", ["relu", "gelu", "silu", "tanh"]),
        ("selu", ["relu", "gelu", "silu", "tanh"]),
        ("gelu", ["relu", "tanh"]),
        ("mnist_4k", CATALOGUE.kinds("sources")),
        ("float16", ["float32", "bf16", "fp16", "float64"]),
        ("max_delta", ["min_delta"]),
        ("max_y", ["max_x"]),
        ("post_norm", ["pre_norm"]),
        ("val", ["valid"]),
        ("acc", METRICS),
        ("validation", ["valid", "train"]),
        ("decoder", ["encoder"]),
    ],
)
def test_names_of_their_own_are_left(name: str, known: list[str]) -> None:
    assert surely_meant(name, known) is None


def test_two_near_names_leave_it_open() -> None:
    assert nearest("layers", ["layer", "layerz"]) is not None
    assert surely_meant("layers", ["layer", "layerz"]) is None
    assert surely_meant("layers", ["layer"]) == "layer"


def test_no_built_in_name_is_taken_for_another() -> None:
    for group in {entry.group for entry in CATALOGUE.entries}:
        kinds = CATALOGUE.kinds(group)
        for kind in kinds:
            assert surely_meant(kind, [other for other in kinds if other != kind]) in (None, "adam", "adamw")


def test_very_many_names_are_not_compared() -> None:
    assert surely_meant("epoch", [f"name_{index}" for index in range(1_000)] + ["epochs"]) is None
