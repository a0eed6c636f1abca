"""A frozen backbone in a spec: whose weights it has is part of what a trial is, wherever they lie."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from craftc.compiler.analyse import analyse
from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Compiled, compile_spec
from craftc.compiler.planning.passes.verify import verify_placed
from craftc.runtime.store.store import Store
from craftc.runtime.store.trained_weights import trained_trials

SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "probe",
    "data": {"source": "digits"},
    "objective": {"kind": "cross_entropy"},
    "training": {"epochs": 3, "batch_size": 32, "optimizer": "adamw"},
}
STORED = Path(__file__).parents[4] / "golden" / "store"
FINISHED = next(path.name for path in STORED.iterdir() if (path / "result.json").exists())
VIT = {"kind": "scanline_vit", "d_model": 16, "num_layers": 2, "num_heads": 2, "d_ffn": 32}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shutil.copytree(STORED, tmp_path / "runs" / "store")
    return Store(tmp_path / "runs" / "store")


def text(weights: str, sections: dict[str, Any] | None = None, **model: Any) -> str:
    frozen = {"kind": "frozen_backbone", "backbone": VIT, "weights": weights} | model
    return json.dumps(SPEC | {"model": frozen} | (sections or {}))


def compiled(
    folder: Path, store: Store, weights: str, sections: dict[str, Any] | None = None, **model: Any
) -> Compiled:
    spec = text(weights, sections, **model)
    return compile_spec(spec, str(folder / "x.yaml"), built_in_catalogue(), trained=trained_trials(store))


def only_trial(result: Compiled) -> Any:
    assert result.plan is not None, result.diagnostics
    verify_placed(result.plan)
    [trial] = result.plan.trials
    return trial


def codes(result: Compiled) -> list[tuple[str, str]]:
    return [(diagnostic.code, diagnostic.message) for diagnostic in result.diagnostics]


def test_lists_that_differ_are_told_item_by_item(tmp_path: Path, store: Store) -> None:
    mlp = {"kind": "mlp", "num_features": 64, "num_classes": 10, "hidden": [32], "activation": "relu", "dropout": 0.0}
    file = store.folder(FINISHED) / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model": mlp}))
    found = codes(compiled(tmp_path, store, f"trial:{FINISHED}", backbone={"kind": "mlp", "hidden": [16, 8]}))
    message = f"the backbone's hidden is [16, 8], and that of trial {FINISHED[:12]} was [32]"
    assert found == [("weights-differ", message)]


def test_a_backbone_is_a_whole_model(tmp_path: Path, store: Store) -> None:
    file = store.folder(FINISHED) / "config.json"
    model = {**VIT, "remove": [{"modules": ["blocks.*.ffn", "norm"]}]}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model": model}))
    message = f"trial {FINISHED[:12]} trained a model without blocks.*.ffn, norm, and a backbone is a whole model"
    assert codes(compiled(tmp_path, store, f"trial:{FINISHED}")) == [("weights-differ", message)]


def test_a_teacher_is_a_trial_of_the_store(tmp_path: Path, store: Store) -> None:
    def of(teacher: str) -> Compiled:
        objective = {"terms": {"soft": {"kind": "distillation", "teacher": teacher}, "hard": {"kind": "cross_entropy"}}}
        spec = json.dumps(SPEC | {"model": {"kind": "mlp"}, "objective": objective})
        return compile_spec(spec, str(tmp_path / "x.yaml"), built_in_catalogue(), trained=trained_trials(store))

    trial = only_trial(of(f"trial:{FINISHED}"))
    best = store.folder(FINISHED) / "checkpoints" / "best.pt"
    assert trial.config["objective"]["terms"]["soft"]["teacher"] == str(best)
    assert only_trial(of(f"trial:{FINISHED[:8]}")).id == only_trial(of(str(best))).id == trial.id
    best.write_bytes(best.read_bytes() + b" ")
    assert only_trial(of(f"trial:{FINISHED}")).id != trial.id
    assert [code for code, _ in codes(of("trial:ffffffff"))] == ["weights-not-found"]


def test_weights_count_by_their_content(tmp_path: Path, store: Store) -> None:
    (tmp_path / "a.pt").write_bytes(b"weights")
    (tmp_path / "b.pt").write_bytes(b"weights")
    (tmp_path / "c.pt").write_bytes(b"others")
    a, b, c = (only_trial(compiled(tmp_path, store, f"{name}.pt")) for name in "abc")
    assert (a.id, a.stages) == (b.id, b.stages)
    assert a.config["model"]["weights"] == str(tmp_path / "a.pt")
    assert a.config["model"]["weights_sha256"] == b.config["model"]["weights_sha256"]
    assert c.id != a.id
    assert (c.stages.prepare, c.stages.features == a.stages.features) == (a.stages.prepare, False)


def test_a_trial_is_found_by_the_beginning_of_its_id(tmp_path: Path, store: Store) -> None:
    by_id, by_beginning = (only_trial(compiled(tmp_path, store, f"trial:{name}")) for name in (FINISHED, FINISHED[:4]))
    file = store.folder(FINISHED) / "checkpoints" / "best.pt"
    assert by_id == by_beginning
    assert by_id.config["model"]["weights"] == str(file)
    shutil.copy(file, tmp_path / "copy.pt")
    assert only_trial(compiled(tmp_path, store, "copy.pt")).id == by_id.id


def test_what_the_head_is_leaves_the_features(tmp_path: Path, store: Store) -> None:
    linear = only_trial(compiled(tmp_path, store, f"trial:{FINISHED}"))
    mlp = only_trial(compiled(tmp_path, store, f"trial:{FINISHED}", head={"kind": "mlp"}))
    layer = only_trial(compiled(tmp_path, store, f"trial:{FINISHED}", features="norm"))
    assert linear.config["model"]["head"] == {"kind": "linear", "num_features": "infer", "num_classes": "infer"}
    assert mlp.config["model"]["head"]["hidden"] == [128]
    assert linear.stages.features == mlp.stages.features != layer.stages.features
    assert len({linear.id, mlp.id, layer.id}) == 3


def test_what_keeps_a_trial_from_lending_its_weights(tmp_path: Path, store: Store) -> None:
    twin = FINISHED[:10] + "0" * 54
    shutil.copytree(store.folder(FINISHED), store.folder(twin))
    [(code, message)] = codes(compiled(tmp_path, store, f"trial:{FINISHED[:10]}"))
    assert (code, "begin with" in message) == ("weights-not-found", True)
    # A copy of another trial's folder is no finished trial.
    [(code, message)] = codes(compiled(tmp_path, store, f"trial:{twin}"))
    assert code == "weights-unfinished"
    (store.folder(FINISHED) / "config.json").write_text("no JSON")
    [(code, message)] = codes(compiled(tmp_path, store, f"trial:{FINISHED}"))
    assert (code, "the configuration of trial" in message) == ("weights-not-found", True), message
    shutil.rmtree(store.folder(FINISHED) / "checkpoints")
    [(code, message)] = codes(compiled(tmp_path, store, f"trial:{FINISHED}"))
    assert (code, "have been removed" in message) == ("weights-not-found", True)
    [(code, message)] = codes(compiled(tmp_path, store, "nowhere.pt"))
    assert (code, "nowhere.pt" in message) == ("weights-not-found", True)


def test_points_of_a_search_are_held_to_the_same(tmp_path: Path, store: Store) -> None:
    search = {
        "space": {
            "training.optimizer.lr": {"log_uniform": [1e-4, 1e-1]},
            "model.weights": {"choice": ["random", "x.pt"]},
        },
        "optimize": {"metric": "valid/loss"},
        "trials": 4,
    }
    (tmp_path / "x.pt").write_bytes(b"weights")
    analysis = analyse(text(f"trial:{FINISHED}", {"search": search}), str(tmp_path / "x.yaml"), built_in_catalogue())
    assert analysis.is_valid, analysis.diagnostics
    compile_point = PointCompiler(analysis, tmp_path / "x.yaml", trained=trained_trials(store))
    params = {"training.optimizer.lr": 1e-3}
    points = [
        compile_point("base", params | {"model.weights": weights}, 0) for weights in ("x.pt", f"trial:{FINISHED}")
    ]
    written = [
        only_trial(
            compiled(tmp_path, store, w, {"training": SPEC["training"] | {"optimizer": {"kind": "adamw", "lr": 1e-3}}})
        )
        for w in ("x.pt", f"trial:{FINISHED}")
    ]
    assert [point.trials[0].id for point in points] == [trial.id for trial in written]
    assert [point.trials[0].config for point in points] == [trial.config for trial in written]
    refused = compile_point("base", params | {"model.weights": "trial:0000"}, 0)
    assert (refused.trials, "has no trial 0000" in refused.problems[0]) == ((), True)


def test_a_table_has_no_lines_for_a_backbone_either(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,y\n" + "1,b\n2,c\n" * 10)
    spec = text("random", {"data": {"source": {"kind": "csv", "path": "x.csv", "target": "y"}}})
    found = analyse(spec, str(tmp_path / "x.yaml"), built_in_catalogue()).diagnostics
    assert [(each.code, each.path) for each in found] == [("needs-images", "model.backbone.kind")]


OWN_PROBE = """
from typing import Annotated, Any, Literal
from pathlib import Path
from craftc.components.bounds import MODEL, WEIGHTS
from craftc.components.declare import declares

Setting = Annotated[dict[str, Any], MODEL]

@declares(takes=("table",), frozen_parts={"backbone": "encoder", "weights": "file", "head": "readout"})
def probe(*, encoder: Setting, file: Annotated[Path, WEIGHTS] | Literal["random"], readout: Setting): ...
"""


def test_one_of_a_users_own_is_held_to_the_same(tmp_path: Path, store: Store) -> None:
    (tmp_path / "lab.py").write_text(OWN_PROBE)
    (tmp_path / "a.pt").write_bytes(b"weights")

    def of(file: str, encoder: dict[str, Any] = VIT, **sections: Any) -> Compiled:
        model = {"kind": "lab:probe", "encoder": encoder, "file": file, "readout": {"kind": "linear"}}
        data = {"source": "digits", "layout": "flat"}
        spec = json.dumps(SPEC | {"data": data, "model": model} | sections)
        return compile_spec(spec, str(tmp_path / "x.yaml"), built_in_catalogue(), trained=trained_trials(store))

    mlp = {"kind": "mlp"}
    trial = only_trial(of("a.pt", mlp))
    shipped = only_trial(compiled(tmp_path, store, "a.pt", backbone=mlp))
    assert trial.config["model"]["weights_sha256"] == shipped.config["model"]["weights_sha256"]
    assert trial.stages.features not in (None, shipped.stages.features)
    wider = {"kind": "mlp", "hidden": [8]}
    assert only_trial(of("a.pt", mlp, name="other")).stages.features == trial.stages.features
    assert only_trial(of("a.pt", wider)).stages.features != trial.stages.features
    assert [code for code, _ in codes(of("nowhere.pt", mlp))] == ["weights-not-found"]
    assert [code for code, _ in codes(of(f"trial:{FINISHED}", mlp))] == ["weights-differ"]
    inner = {"kind": "frozen_backbone", "backbone": mlp, "weights": "random"}
    messages = [message for _, message in codes(of("a.pt", inner))]
    assert "frozen_backbone cannot be the encoder of a lab:probe" in messages
    found = codes(of("a.pt", mlp, data={"source": "digits", "augment": [{"kind": "gaussian_noise", "std": 0.1}]}))
    assert [code for code, _ in found] == ["features-recomputed", "data-mismatch"]
