"""What a process that trains has to import."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEAVY = (
    "craftc.compiler.analyse",
    "matplotlib",
    "pandas",
    "ray",
    "scipy.signal",
    "sklearn",
    "sympy",
    "torch._dynamo.eval_frame",
)
TRAIN = """\
import json, pathlib, sys
import craftc.runtime.worker.run_work
from craftc.schemas.plan import Trial
from craftc.training.loop.trial import train_trial

trial = Trial.model_validate_json(sys.argv[1])
list(train_trial(trial, folder=pathlib.Path(sys.argv[2]), device="cpu"))
print(json.dumps([name for name in sys.argv[3:] if name in sys.modules]))
"""
COMPILE = """\
import sys
import torch
from craftc.training.parts.optimizer import build_optimizer
from craftc.training.parts.worker_group import WorkerGroup

torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
layer = WorkerGroup(rank=0, size=2).joined(torch.nn.Linear(2, 1), torch.device("cpu"))
assert isinstance(layer, torch.nn.parallel.DistributedDataParallel)
optimizer = build_optimizer({"kind": "adamw", "lr": 0.1, "weight_decay": 0.0}, layer)

def step():
    optimizer.zero_grad()
    layer(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())

step()
assert "sympy" not in sys.modules
graphs = []
def backend(graph, inputs):
    graphs.append(graph)
    return graph.forward
assert torch.compile(lambda x: x.sin(), backend=backend)(torch.zeros(1)) == 0
import torch._dynamo.config
assert len(graphs) == 1
assert torch._dynamo is sys.modules["torch._dynamo"]
assert torch._dynamo.config.suppress_errors is False
assert torch._dynamo.utils.get_optimize_ddp_mode() == "ddp_optimizer"
step()
torch.distributed.destroy_process_group()
"""


def python(script: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_imports_nothing_that_only_others_need(make_trial: Callable[..., Any], tmp_path: Path) -> None:
    trial = make_trial({"objective.metrics": [{"kind": kind} for kind in ("accuracy", "auroc", "perplexity")]})
    assert json.loads(python(TRAIN, trial.model_dump_json(), str(tmp_path), *HEAVY)) == []


def test_what_is_compiled_after_training_finds_the_compiler() -> None:
    python(COMPILE)
