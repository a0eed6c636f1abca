"""torchmetrics without matplotlib and scipy.signal: it measures and draws as it does with them."""

import json
import os
import subprocess
import sys
from typing import Any

SHOW = """
import json, logging, sys
logging.basicConfig(format="%(message)s")
import craftc.components.lean_torchmetrics as lean

{before}
heavy = [name for name in ("matplotlib", "scipy.signal") if name in sys.modules]
import torch, torchmetrics
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MultilabelConfusionMatrix

# Several drawings in one, which torchmetrics tells from one by its type.
labels = MultilabelConfusionMatrix(num_labels=2)
labels.update(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]), torch.tensor([[1, 0], [1, 1], [0, 0]]))
_, axes = labels.plot()
both = torchmetrics.MetricCollection([MulticlassAccuracy(3), MulticlassF1Score(3)])
both.update(torch.eye(3), torch.tensor([0, 1, 1]))
import matplotlib.pyplot
_, ax = matplotlib.pyplot.subplots()
both.plot(ax=ax, together=True)
import scipy.signal
texts = [text.get_text() for each in axes for text in each.texts]
values = labels.compute().tolist(), [value.item() for value in both.compute().values()]
window = scipy.signal.windows.hamming(3).tolist()
print(json.dumps([heavy, [texts, [text.get_text() for text in ax.get_legend().get_texts()], values, window]]))
"""
# As a torchmetrics would that asks for more of matplotlib at its own import: it is imported whole.
ANOTHER = """
for name in [name for name in sys.modules if name.startswith("torchmetrics")]:
    del sys.modules[name]
stand_in = lean._matplotlib
def less():
    made = stand_in()
    del made.axes
    return made
lean._matplotlib = less
lean.import_torchmetrics.cache_clear()
assert [lean.import_torchmetrics(), lean.import_torchmetrics()] == [None, None]
"""


def shown(before: str = "") -> tuple[Any, list[str]]:
    command = [sys.executable, "-W", "ignore", "-c", SHOW.replace("{before}", before)]
    environment = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr.splitlines()


def test_it_measures_and_draws_as_one_that_is_imported_whole() -> None:
    (heavy, seen), told = shown()
    assert heavy == []
    assert len(seen[0]) == 8
    assert told == []
    (_, whole), told = shown(ANOTHER)
    assert [line.startswith("fence torch.lean_metrics is down (AttributeError: ") for line in told] == [True]
    assert seen == whole
