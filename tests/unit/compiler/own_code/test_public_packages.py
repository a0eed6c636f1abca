"""Components of packages that nobody here wrote, named in a spec as they are."""

from collections.abc import Callable

import pytest

from craftc.compiler.pipeline import Compiled

VIT = """model:
  kind: x_transformers:ViTransformerWrapper
  image_size: 8
  patch_size: 2
  channels: 1
  attn_layers: {kind: x_transformers:Encoder, dim: 64, depth: 2, heads: 4}
ablation: {grid: {model.attn_layers.depth: [1, 3]}}
"""
MIXER = """model: {kind: mlp_mixer_pytorch:MLPMixer, image_size: 8, channels: 1, patch_size: 2, dim: 32, depth: 2}
"""
Told = Callable[[str], list[tuple[str, str]]]


@pytest.mark.parametrize("text", [VIT, MIXER])
def test_they_are_planned_without_an_adapter(compiled: Callable[[str], Compiled], text: str) -> None:
    result = compiled(text)
    assert result.diagnostics == ()
    assert result.plan is not None
    assert result.plan.trials[0].config["model"]["num_classes"] == "infer"


@pytest.mark.parametrize(
    ("text", "right", "wrong", "expected"),
    [
        (VIT, "image_size:", "imagesize:", [("unknown-key", "imagesize")]),
        (VIT, "dim:", "dmi:", [("missing-key", "attn_layers"), ("unchecked-argument", "dmi")]),
        (VIT, "heads:", "haeds:", [("unchecked-argument", "haeds")]),
        (VIT, "{kind: x_transformers:Encoder, dim: 64, depth: 2, heads: 4}", "64", [("wrong-type", "64")]),
        (VIT, "Encoder", "Encodre", [("unknown-component", "x_transformers:Encodre")]),
        (MIXER, "dim:", "dmi:", [("unknown-key", "dmi")]),
        (MIXER, ", depth: 2", "", [("missing-key", "model")]),
        (MIXER, "MLPMixer", "MLPMixr", [("unknown-component", "mlp_mixer_pytorch:MLPMixr")]),
    ],
)
def test_what_is_misspelt_is_told_at_its_place(
    told: Told, text: str, right: str, wrong: str, expected: list[tuple[str, str]]
) -> None:
    assert right in text
    plain = text.partition("ablation")[0]
    assert told(plain.replace(right, wrong)) == expected
