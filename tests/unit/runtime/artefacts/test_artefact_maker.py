"""Artefacts of runs: what is made, when, of which weights, and what goes wrong."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from craftc.cli.main import app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.artefacts.artefact_maker import ArtefactMaker
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan
from craftc.training.loop.trial import train_trial

SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "shown",
    "data": {
        "source": "digits",
        "splits": {"train": 0.2, "valid": 0.2, "calib": {"share": 0.2, "for": "calibrate"}, "test": 0.4},
    },
    "model": {"kind": "scanline_vit", "d_model": 8, "num_layers": 1, "num_heads": 2, "d_ffn": 8},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy", "ece"]},
    "training": {"epochs": 3, "batch_size": 64, "optimizer": {"kind": "adamw", "lr": 0.01}},
    "evaluation": {"after": [{"kind": "temperature", "fit": "calib"}]},
    "ablation": {"seeds": 2},
}
OWN = """import os
from craftc.components.artefacts.trained import Made

class Letters:
    def __init__(self, *, word: str = "hello") -> None:
        self.word = word

    def make(self, trained):
        print("this is no answer")
        return Made({"num": trained.num_samples, "classes": list(trained.class_names)}, self.word)

class Broken:
    def make(self, trained):
        raise ValueError("no such thing")

class Text:
    def make(self, trained):
        return "only text"

class Large:
    def make(self, trained):
        return Made({"numbers": list(range(1_000_000))})

class Deadly:
    def make(self, trained):
        os._exit(7)
"""


def write(folder: Path, artefacts: list[Any], **sections: Any) -> None:
    spec = SPEC | sections | {"report": {"artefacts": artefacts}}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))


def ran(folder: Path, artefacts: list[Any], **sections: Any) -> Result:
    write(folder, artefacts, **sections)
    with contextlib.chdir(folder):
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["run", "spec.yaml", "--backend", "inline"])
    assert result.exit_code == 0, result.stderr
    return result


def files(folder: Path, name: str = "*") -> dict[str, list[str]]:
    """By trial."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob(f"runs/store/*/artefacts/{name}")):
        found.setdefault(path.parts[-3], []).append(path.name)
    return found


def kept(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"runs/store/*/artefacts/{name}.json"))]


def results(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("runs/store/*/result.json")}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    ran(
        folder,
        [
            "confusion_matrix",
            {"kind": "reliability_diagram", "name": "before", "of": "test", "replicates": "all"},
            {"kind": "reliability_diagram", "name": "behind", "of": "test/temperature", "replicates": "all"},
            {"kind": "attention_maps", "every": 2},
        ],
    )
    return folder


def test_artefacts_are_of_the_best_weights_and_of_what_was_measured(shown: Path) -> None:
    by_trial = results(shown)
    assert len(by_trial) == 2
    [matrix] = kept(shown, "confusion_matrix")
    best = by_trial[matrix["trial"]]
    counts = torch.tensor(matrix["values"]["counts"])
    assert matrix["epoch"] == best["best_epoch"]
    assert float(counts.diagonal().sum() / counts.sum()) == pytest.approx(best["best"]["test/accuracy"], abs=1e-6)
    for name, metric in (("before", "test/ece"), ("behind", "test/temperature.ece")):
        found = kept(shown, name)
        assert len(found) == 2
        for each in found:
            assert each["values"]["ece"] == pytest.approx(by_trial[each["trial"]]["best"][metric], abs=1e-6)


def test_files_can_be_looked_at(shown: Path) -> None:
    [first] = [names for names in files(shown).values() if "confusion_matrix.json" in names]
    assert [name for name in first if name.startswith("attention")] == [
        *(f"attention_maps.epoch_000002.{ending}" for ending in ("json", "png", "txt")),
        *(f"attention_maps.{ending}" for ending in ("json", "png", "txt")),
    ]
    for path in shown.glob("runs/store/*/artefacts/*.png"):
        Image.open(path).verify()
    assert not list(shown.glob("runs/store/*/checkpoints/epoch_*"))


def test_while_it_trains_it_shows_the_split_for_select(shown: Path) -> None:
    [early] = kept(shown, "attention_maps.epoch_000002")
    assert (early["epoch"], early["of"]) == (2, "valid")
    [whole] = kept(shown, "attention_maps")
    assert whole["of"] == "valid"


def test_the_report_lists_them(shown: Path) -> None:
    with contextlib.chdir(shown):
        text = CliRunner(env={"COLUMNS": "400"}).invoke(app, ["report", "shown"]).stdout
        found = json.loads(CliRunner().invoke(app, ["report", "shown", "--format", "json"]).stdout)["artefacts"]
        assert all(Path(file).is_file() for each in found for file in (each["path"], *each["files"]))
    assert {(each["name"], each["is_best"]) for each in found} == {
        ("confusion_matrix", True),
        ("before", True),
        ("behind", True),
        ("attention_maps", True),
        ("attention_maps", False),
    }
    assert "• confusion_matrix of base seed0, test: runs/store/" in text
    assert "attention_maps.png (while training, at 1 epochs from 2 to 2)" in text


def test_results_are_the_same_with_and_without(shown: Path, tmp_path: Path) -> None:
    ran(tmp_path, [])
    with_them, without = results(shown), results(tmp_path)
    assert with_them.keys() == without.keys()
    for trial, result in with_them.items():
        assert (result["best"], result["last"]) == (without[trial]["best"], without[trial]["last"])
        lines = [(folder / "runs/store" / trial / "metrics.jsonl").read_text() for folder in (shown, tmp_path)]
        # A seal covers the seconds.
        rows = [[json.loads(line) | {"seconds": 0, "seal": ""} for line in each.splitlines()] for each in lines]
        assert rows[0] == rows[1]


def test_a_finished_run_gains_artefacts_and_keeps_those_it_has(tmp_path: Path) -> None:
    ran(tmp_path, [])
    assert not files(tmp_path)
    ran(tmp_path, ["confusion_matrix"])
    [path] = tmp_path.glob("runs/store/*/artefacts/confusion_matrix.json")
    before = path.stat().st_mtime_ns
    outcome = ran(tmp_path, ["confusion_matrix", "reliability_diagram"])
    assert "0 new, 2 reused" in outcome.stderr
    assert path.stat().st_mtime_ns == before
    # Other settings make it anew, and so does damage.
    ran(tmp_path, [{"kind": "confusion_matrix", "of": "valid"}, "reliability_diagram"])
    assert json.loads(path.read_text())["of"] == "valid"
    path.write_text(path.read_text()[:100])
    ran(tmp_path, [{"kind": "confusion_matrix", "of": "valid"}, "reliability_diagram"])
    assert json.loads(path.read_text())["of"] == "valid"


def test_components_of_ones_own_and_their_faults(tmp_path: Path) -> None:
    (tmp_path / "lab_shown.py").write_text(OWN)
    kinds = ["Broken", "Text", "Large", {"kind": "lab_shown:Letters", "word": "hi"}]
    artefacts = [{"kind": f"lab_shown:{kind}"} if isinstance(kind, str) else kind for kind in kinds]
    outcome = ran(tmp_path, artefacts)
    prefix = "warning: no artefact "
    warned = [line.removeprefix(prefix) for line in outcome.stderr.splitlines() if line.startswith(prefix)]
    assert [line.partition(" of base seed0: ")[0] for line in warned] == ["Broken", "Text", "Large"]
    assert "ValueError: no such thing (lab_shown.py" in warned[0]
    assert "make() returned str, and not craftc.components.artefacts.trained.Made" in warned[1]
    assert "and 4,194,304 are the most" in warned[2]
    [log] = tmp_path.glob("runs/shown/*/log")
    assert 'raise ValueError("no such thing")' in log.read_text()
    [made] = kept(tmp_path, "Letters")
    assert made["values"]["classes"] == [str(digit) for digit in range(10)]
    assert made["text"] == "hi"
    # Other source makes it anew.
    (tmp_path / "lab_shown.py").write_text(OWN.replace("self.word)", "self.word.upper())"))
    ran(tmp_path, [artefacts[3]])
    assert [each["text"] for each in kept(tmp_path, "Letters")] == ["HI"]


def test_a_process_that_dies_is_followed_by_another(tmp_path: Path) -> None:
    (tmp_path / "lab_deadly.py").write_text(
        "import os, pathlib\n"
        "from craftc.components.artefacts.trained import Made\n"
        "class Deadly:\n"
        "    def make(self, trained):\n"
        f"        been = pathlib.Path({str(tmp_path / 'been')!r})\n"
        "        if not been.exists():\n"
        "            been.touch()\n"
        "            os._exit(7)\n"
        "        return Made({})\n"
    )
    outcome = ran(tmp_path, ["confusion_matrix", {"kind": "lab_deadly:Deadly", "replicates": "all"}])
    warned = [line for line in outcome.stderr.splitlines() if "its process ended" in line]
    assert warned == ["warning: no artefact Deadly of base seed0: its process ended with code 7"]
    assert len(kept(tmp_path, "confusion_matrix")) == len(kept(tmp_path, "Deadly")) == 1
    # The next run makes what lacks.
    ran(tmp_path, ["confusion_matrix", {"kind": "lab_deadly:Deadly", "replicates": "all"}])
    assert len(kept(tmp_path, "Deadly")) == 2


def test_a_run_that_ends_early_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "lab_slow.py").write_text(
        "import time, os, pathlib\n"
        "class Slow:\n"
        "    def make(self, trained):\n"
        f"        pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "        time.sleep(600)\n"
    )
    ran(tmp_path, [])
    write(tmp_path, [{"kind": "lab_slow:Slow"}])
    store, warned = Store(tmp_path / "runs/store"), list[str]()
    maker = ArtefactMaker(_plan_of(tmp_path), store, tmp_path / "log", warned.append)

    def interrupted() -> None:
        with maker:
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert warned == []


def _plan_of(folder: Path) -> Plan:
    path = folder / "spec.yaml"
    compiled = compile_spec(path.read_text(), str(path), built_in_catalogue(), Store(folder / "runs/store").is_finished)
    assert compiled.plan is not None
    return compiled.plan


def test_weights_left_behind_by_a_killed_run_are_used_by_the_next(tmp_path: Path) -> None:
    """A driver that dies leaves weights of epochs whose artefacts nobody made."""
    write(tmp_path, [{"kind": "confusion_matrix", "every": 1}])
    store, plan = Store(tmp_path / "runs/store"), _plan_of(tmp_path)
    for trial in plan.trials:
        store.write_config(trial)
        training = train_trial(trial, folder=store.folder(trial.id), device="cpu", prepared=store.prepared)
        for _ in range(2):
            next(training)
        training.close()
    assert len(list(tmp_path.glob("runs/store/*/checkpoints/epoch_*.pt"))) == 2
    ran(tmp_path, [{"kind": "confusion_matrix", "every": 1}])
    [names] = files(tmp_path, "*.json").values()
    assert names == [*(f"confusion_matrix.epoch_00000{n}.json" for n in (1, 2, 3)), "confusion_matrix.json"]
    assert not list(tmp_path.glob("runs/store/*/checkpoints/epoch_*"))
