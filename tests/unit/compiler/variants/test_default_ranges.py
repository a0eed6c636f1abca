"""`search: {use: defaults}`: the ranges that components declare, and which of them are searched."""

from pathlib import Path
from typing import Any

import pytest

from craftc.compiler.analyse import Analysis, analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.resolved.resolved_spec import resolved_spec
from craftc.compiler.resolved.write_yaml import as_yaml

SPEC = """\
craftc: 1
name: example
data: {source: digits%(data)s}
model: %(model)s
objective: {kind: cross_entropy, metrics: [accuracy]%(objective)s}
training: {epochs: 3, batch_size: 32, optimizer: %(optimizer)s%(training)s}
%(more)s
search:
  use: %(use)s
  space: {%(space)s}
  optimize: {metric: %(metric)s}
  trials: 3
"""
USUAL = {
    "data": "",
    "model": "mlp",
    "objective": "",
    "optimizer": "adamw",
    "training": "",
    "more": "",
    "use": "defaults",
    "space": "",
    "metric": "valid/accuracy",
}
LR, DECAY = "training.optimizer.lr", "training.optimizer.weight_decay"
OF_MLP = ["model.hidden", "model.dropout"]
SMOOTHING = "objective.label_smoothing"


def read(folder: Path, **parts: str) -> Analysis:
    return analyse(SPEC % (USUAL | parts), str(folder / "spec.yaml"), built_in_catalogue())


def space(folder: Path, **parts: str) -> dict[str, Any]:
    analysis = read(folder, **parts)
    assert [d for d in analysis.diagnostics if d.severity == "error"] == []
    assert analysis.spec is not None
    assert analysis.spec.search is not None
    return {path: given.forms for path, given in analysis.spec.search.space.items()}


def test_the_ranges_of_all_components_are_searched(tmp_path: Path) -> None:
    found = space(tmp_path, data=", augment: [{kind: gaussian_noise, std: 0.05}]")
    assert list(found) == ["data.augment.0.std", *OF_MLP, SMOOTHING, LR, DECAY]
    assert found[LR] == {"log_uniform": (1e-4, 3e-2)}


def test_each_optimizer_has_rates_of_its_own(tmp_path: Path) -> None:
    assert space(tmp_path, optimizer="sgd")[LR] == {"log_uniform": (1e-3, 0.3)}


def test_a_value_that_the_spec_writes_is_searched_and_is_where_the_search_starts(tmp_path: Path) -> None:
    text = SPEC % (USUAL | {"optimizer": "{kind: adamw, lr: 0.005}"})
    plan = compile_spec(text, str(tmp_path / "spec.yaml"), built_in_catalogue()).plan
    assert plan is not None
    assert plan.search is not None
    assert plan.search.space[LR] == {"log_uniform": [1e-4, 3e-2]}
    assert plan.factors[LR] == 0.005


def test_what_regularization_hands_on_is_searched_there(tmp_path: Path) -> None:
    found = space(tmp_path, more="regularization: {dropout: 0.1, weight_decay: 0.01}")
    assert list(found) == ["model.hidden", "regularization.dropout", SMOOTHING, LR, "regularization.weight_decay"]


@pytest.mark.parametrize("taken", ["model", "model.dropout", "regularization.dropout"])
def test_none_takes_out_what_it_is_or_is_above(tmp_path: Path, taken: str) -> None:
    left = {"model": [], "model.dropout": ["model.hidden"], "regularization.dropout": ["model.hidden"]}[taken]
    assert list(space(tmp_path, space=f"{taken}: none")) == [*left, SMOOTHING, LR, DECAY]


def test_none_of_what_is_not_searched_is_a_mistake(tmp_path: Path) -> None:
    diagnostics = read(tmp_path, space="model.widht: none").diagnostics
    assert [(d.code, d.range.start.line) for d in diagnostics] == [("unknown-factor", 10), ("wrong-type", 10)]


def test_ranges_of_the_spec_and_of_files_replace_the_declared_ones(tmp_path: Path) -> None:
    (tmp_path / "search_spaces").mkdir()
    file = tmp_path / "search_spaces" / "mine.yaml"
    file.write_text("regularization.weight_decay: {choice: [0.0, 0.1]}\nmodel.dropout: {choice: [0.0, 0.2]}\n")
    for use in ("[defaults, mine]", "[mine, defaults]"):
        found = space(tmp_path, use=use, space="training.optimizer.lr: {choice: [0.1, 0.2]}, model.dropout: none")
        assert found == {
            "model.hidden": space(tmp_path)["model.hidden"],
            SMOOTHING: {"uniform": (0.0, 0.2)},
            "regularization.weight_decay": {"choice": (0.0, 0.1)},
            LR: {"choice": (0.1, 0.2)},
        }


def test_a_base_asks_for_them_and_the_spec_takes_out(tmp_path: Path) -> None:
    base = "search: {use: defaults, optimize: {metric: valid/accuracy}, trials: 3}\n"
    (tmp_path / "base.yaml").write_text(base + "model: mlp\n")
    spec = (SPEC % USUAL).partition("search:")[0] + "extends: base.yaml\nsearch: {space: {model: none}}\n"
    analysis = analyse(spec, str(tmp_path / "spec.yaml"), built_in_catalogue())
    assert analysis.diagnostics == ()
    assert analysis.spec is not None
    assert analysis.spec.search is not None
    assert list(analysis.spec.search.space) == [SMOOTHING, LR, DECAY]
    assert analyse(base, str(tmp_path / "base.yaml"), built_in_catalogue(), kind="base").diagnostics == ()


def test_what_other_fields_do_not_allow_is_left_out(tmp_path: Path) -> None:
    vit = "{kind: scanline_vit, d_model: 48, num_heads: 6}"
    schedule = ", schedule: [{kind: linear_warmup, epochs: 1}, cosine]"
    found = space(tmp_path, model=vit, training=schedule)
    assert "model.d_model" not in found  # 6 heads divide none of its widths
    assert found["model.num_heads"] == {"choice": (1, 2, 4, 8)}
    assert found["training.schedule.0.epochs"] == {"choice": (0, 1, 2)}  # 5 are more than there are
    assert "model.d_model" in space(tmp_path, model="scanline_vit")


def test_what_changes_the_metric_is_left_out(tmp_path: Path) -> None:
    assert list(space(tmp_path, metric="valid/loss")) == [*OF_MLP, LR, DECAY]


def test_what_an_ablation_varies_is_left_out(tmp_path: Path) -> None:
    features = "ablation: {features: {wide: {model.hidden: [32]}, decay: {training.optimizer.weight_decay: 0}}}"
    assert list(space(tmp_path, more=features)) == ["model.dropout", SMOOTHING, LR]
    assert list(space(tmp_path, more="ablation: {grid: {training.optimizer: [sgd, adam]}}")) == [*OF_MLP, SMOOTHING]


def test_a_choice_fits_every_variant_that_is_searched(tmp_path: Path) -> None:
    features = "ablation: {features: {heads: {model.num_heads: 5}}}"
    assert "model.d_model" not in space(tmp_path, model="{kind: scanline_vit, d_model: 80}", more=features)


def test_arguments_that_the_data_decide_and_frozen_backbones_are_left_out(tmp_path: Path) -> None:
    frozen = "{kind: frozen_backbone, backbone: {kind: scanline_vit}, weights: random, head: {kind: mlp}}"
    assert list(space(tmp_path, model=frozen)) == [
        "model.head.hidden",
        "model.head.dropout",
        SMOOTHING,
        LR,
        DECAY,
    ]


def test_nothing_to_search_is_an_error_with_a_mend(tmp_path: Path) -> None:
    taken = "model: none, training.optimizer: none, objective: none"
    (diagnostic,) = read(tmp_path, space=taken).diagnostics
    assert (diagnostic.code, diagnostic.range.start.line) == ("search-without-space", 8)
    assert "declare search_ranges on a component" in str(diagnostic.hint)


def test_a_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "defaults.yaml").write_text("model.dropout: {uniform: [0, 0.1]}\n")
    (diagnostic,) = read(tmp_path).diagnostics
    assert (diagnostic.code, diagnostic.range.start.line) == ("unknown-search-space", 9)
    assert list(space(tmp_path, use="./search_spaces/defaults.yaml")) == ["model.dropout"]


def test_a_mistake_elsewhere_hides_no_range_and_makes_no_mistake(tmp_path: Path) -> None:
    codes = [d.code for d in read(tmp_path, model="{kind: mlp, dropout: 2}").diagnostics]
    assert codes == ["out-of-bounds"]
    assert [d.code for d in read(tmp_path, model="nothing_known", space="model: none").diagnostics] == ["unknown-kind"]


def test_ones_own_component_is_searched_by_what_it_declares(tmp_path: Path) -> None:
    (tmp_path / "lab.py").write_text(
        "import torch\n\n\nclass Net(torch.nn.Module):\n"
        '    search_ranges = {"width": {"log_int": [8, 64]}}\n\n'
        "    def __init__(self, num_classes: int, width: int = 16) -> None:\n        super().__init__()\n\n"
        "    def forward(self, x): ...\n"
    )
    found = space(tmp_path, model="{kind: 'lab:Net', num_classes: infer}")
    assert found["model.width"] == {"log_int": (8, 64)}


def test_the_resolved_spec_has_the_ranges_written_out_and_means_the_same(tmp_path: Path) -> None:
    analysis = read(tmp_path)
    text = as_yaml(resolved_spec(analysis))
    assert "defaults" not in text.split("search:")[1].split("space:")[0]
    again = analyse(text, str(tmp_path / "resolved.yaml"), built_in_catalogue())
    assert again.diagnostics == ()
    assert again.spec is not None
    assert analysis.spec is not None
    assert again.spec.search is not None
    assert analysis.spec.search is not None
    assert again.spec.search.space == analysis.spec.search.space
