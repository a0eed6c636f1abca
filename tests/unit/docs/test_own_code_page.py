"""What docs/how_to/own_code.md shows trains as it stands there."""

import copy
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFinished

pytestmark = [
    # Of torch, at things that x_transformers imports, and at the lazy layer that the page uses.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning"),
]

PAGE = (Path(__file__).parents[3] / "docs" / "how_to" / "own_code.md").read_text(encoding="utf-8")
IMPORTS = """\
from pathlib import Path
from typing import Annotated, Literal
import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor, nn
from x_transformers import Encoder, TransformerWrapper
from craftc.components.bounds import PER_TRIAL
from craftc.components.declare import declares
from craftc.components.sources.tokens import Tokens
"""
DIGITS = {"source": {"kind": "digits"}, "normalize": {"kind": "none"}, "augment": []}
CONFIG: dict[str, Any] = {
    "data": {**DIGITS, "splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0}},
    "model": {"kind": "linear", "num_features": "infer", "num_classes": "infer"},
    "objective": {"kind": "cross_entropy", "metrics": [{"kind": "accuracy"}]},
    "regularization": {"clip_grad_norm": "none", "ema_decay": "none"},
    "training": {
        "epochs": 2,
        "batch_size": 256,
        "optimizer": {"kind": "sgd", "lr": 1e-3},
        "schedule": [{"kind": "constant"}],
        "early_stopping": "none",
    },
    "evaluation": {"select": "none"},
}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 15
    (tmp_path / "own_code_page.py").write_text("\n".join([IMPORTS, *blocks]))
    monkeypatch.syspath_prepend(tmp_path)
    return "own_code_page"


def train(folder: Path, **sections: dict[str, Any]) -> TrialFinished:
    config = copy.deepcopy(CONFIG)
    for name, section in sections.items():
        config[name] = section if name == "model" else config[name] | section
    trial = Trial(id=hashlib.sha256(json.dumps(config).encode()).hexdigest(), variant="base", seed=0, config=config)
    last = list(run_job([trial], store=Store(folder / "store"), device="cpu", cpus=1))[-1]
    assert isinstance(last, TrialFinished), last
    return last


def test_each_example_trains(page: str, tmp_path: Path) -> None:
    train(tmp_path, model={"kind": f"{page}:Net", "num_classes": "infer"})
    attending = {"kind": f"{page}:TokenClassifier", "num_classes": "infer", "num_features": "infer"}
    # Each epoch takes seconds.
    train(tmp_path, model=attending, training={"epochs": 1})
    parts = train(
        tmp_path,
        data={
            "normalize": {"kind": f"{page}:Robust"},
            "augment": [{"kind": f"{page}:Roll"}, {"kind": f"{page}:Brightness"}],
        },
        objective={"kind": f"{page}:Focal", "gamma": 1.0, "metrics": [{"kind": f"{page}:Confident"}]},
        training={"optimizer": {"kind": f"{page}:two_rates"}, "schedule": [{"kind": f"{page}:Triangle"}]},
    )
    assert 0.1 < parts.result.best["test/Confident"] <= 1
    muon = {"kind": f"{page}:MuonWithAdamW", "lr": 0.02, "adamw_lr": 0.01}
    assert train(tmp_path, training={"optimizer": muon, "epochs": 6}).result.best["test/accuracy"] > 0.5


def test_the_source_reads_its_file(page: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "spectra.npz", spectra=generator.normal(size=(50, 6)), **{"yield": generator.random(50)})
    source = {"kind": f"{page}:measured", "path": str(tmp_path / "spectra.npz")}
    result = train(tmp_path, data={"source": source}).result
    assert sum(result.split_sizes.values()) == 50
    assert "over 2 classes" in result.identities["loss"]


def test_a_text_of_ones_own_is_learned(page: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be that is the question " * 60)
    source = {"kind": f"{page}:words", "path": str(tmp_path / "text.txt"), "context_length": 8}
    result = train(
        tmp_path,
        data={"source": source},
        model={"kind": f"{page}:Bigram", "vocabulary_size": "infer"},
        objective={"metrics": [{"kind": "perplexity"}]},
        training={"batch_size": 4, "epochs": 10, "optimizer": {"kind": "adamw", "lr": 0.1}},
    ).result
    assert result.split_sizes["train"] == 359 // 8
    # After "to" and "be" come two words each, half the time; after all others, one.
    assert result.best["test/perplexity"] < result.trivial["test/perplexity"] / 3


def test_what_declares_its_needs_trains_and_is_refused_on_other_data(page: str, tmp_path: Path) -> None:
    text = {"source": {"kind": f"{page}:counting", "context_length": 8}}
    averaged = {"kind": f"{page}:Averaged", "vocabulary_size": "infer", "width": 16}
    result = train(tmp_path, data=text, model=averaged, training={"batch_size": 16}).result
    assert "over 7 classes" in result.identities["loss"]
    train(tmp_path, data={"normalize": {"kind": f"{page}:Ranks"}}, objective={"kind": f"{page}:Smoothed", "share": 0.1})
    (tmp_path / "lab.py").write_text((tmp_path / f"{page}.py").read_text())
    spec = """craftc: 1
name: needs
data: {source: digits}
model: lab:Averaged
objective: cross_entropy
training: {epochs: 1, batch_size: 16, optimizer: adamw}
"""
    [found] = compile_spec(spec, str(tmp_path / "spec.yaml"), built_in_catalogue()).diagnostics
    at = found.range.start
    assert f"spec.yaml:{at.line}:{at.column}: error[{found.code}]: {found.message}; {found.hint}" in PAGE
    on_a_table = spec.replace("digits", "{kind: csv, path: x.csv, target: y}, normalize: lab:Ranks")
    codes = [d.code for d in compile_spec(on_a_table, str(tmp_path / "spec.yaml"), built_in_catalogue()).diagnostics]
    assert codes == ["columns-mixed", "needs-text"]


def test_the_data_of_scikit_learn_is_one_line(tmp_path: Path) -> None:
    line = "{kind: sklearn.datasets:load_wine, return_X_y: true}"
    assert line in PAGE
    source = {"kind": "sklearn.datasets:load_wine", "return_X_y": True}
    assert sum(train(tmp_path, data={"source": source}).result.split_sizes.values()) == 178
