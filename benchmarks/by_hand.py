"""The training of a trial as a good engineer writes it without craftc: what the other sides of the benchmarks run.

Data on the device, batches gathered by index, one fused kernel for the optimizer, nothing read from the device within
an epoch. The model and the metrics are craftc's own classes, so that all sides compute the same; nothing else is.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from told import Told
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.metrics.classification import Accuracy, BalancedAccuracy
from craftc.components.models.linear import Linear
from craftc.components.models.mlp import MLP
from craftc.components.models.scanline_vit import ScanlineViT
from craftc.training.data.prepare import prepare

Split = tuple[Tensor, Tensor]
"""Inputs (N, H, W) and class numbers (N,)."""


@dataclass(frozen=True)
class Trained:
    """An epoch: its wall and CPU seconds, and its mean loss."""

    seconds: tuple[float, float]
    loss: float


class Stopwatch:
    """Wall and CPU time of this process, and of what it has on a GPU."""

    def __init__(self) -> None:
        self._begun = _now()

    def read(self) -> tuple[float, float]:
        """Seconds since it was made."""
        wall, cpu = _now()
        return wall - self._begun[0], cpu - self._begun[1]


def _now() -> tuple[float, float]:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


MODELS: dict[str, Callable[..., nn.Module]] = {
    "scanline_vit": ScanlineViT, "mlp": MLP, "linear": Linear, "told:Told": Told,
}  # fmt: skip
METRICS = {"accuracy": Accuracy, "balanced_accuracy": BalancedAccuracy}


@dataclass(frozen=True)
class Data:
    """Every split on the device, and the samples of each class in train."""

    splits: Mapping[str, Split]
    class_counts: Tensor


def load(config: Mapping[str, Any], device: str = "cpu") -> Data:
    """The splits of a trial's `data` section, the same samples as craftc's."""
    prepared = prepare(config)
    splits = {
        name: (torch.from_numpy(split.inputs).to(device), torch.from_numpy(split.targets).to(device))
        for name, split in prepared.splits.items()
    }
    return Data(splits, torch.from_numpy(prepared.class_counts).to(device))


def build_model(config: Mapping[str, Any], data: Data) -> nn.Module:
    """The model of a trial's `model` section on the data's device."""
    x = data.splits["train"][0]
    facts = {
        "num_lines": x.shape[1],
        "line_length": x.shape[2],
        "num_features": x[0].numel(),
        "num_classes": len(data.class_counts),
    }
    args = {name: facts.get(name, value) for name, value in config.items() if name != "kind"}
    return MODELS[config["kind"]](**args).to(x.device)


def build_optimizer(config: Mapping[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    """The `adamw` of a trial."""
    return torch.optim.AdamW(
        model.parameters(), lr=config["lr"], betas=tuple(config["betas"]), eps=config["eps"],
        weight_decay=config["weight_decay"], fused=True,
    )  # fmt: skip


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Split,
    batch_size: int,
    *,
    clip: float | None = None,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    lrs: Sequence[float] | None = None,
) -> float:
    """One pass over `train` in a random order; the mean loss. `lrs` are the rates of its steps, where they change."""
    x, y = train
    parameters = list(model.parameters())
    model.train()
    total = torch.zeros((), device=x.device)
    for step, indices in enumerate(torch.randperm(len(y), device=x.device).split(batch_size)):
        if lrs is not None:
            for group in optimizer.param_groups:
                group["lr"] = lrs[step]
        targets = y.index_select(0, indices)
        logits = model(x.index_select(0, indices))
        loss = F.cross_entropy(logits, targets, weight=class_weights, label_smoothing=label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip, foreach=True)
        optimizer.step()
        total += loss.detach() * len(indices)
    return total.item() / len(y)


class Training:
    """A trial: `epoch` trains and measures one, `end` measures test with the best epoch's weights."""

    def __init__(self, config: Mapping[str, Any], seed: int, data: Data) -> None:
        torch.manual_seed(seed)
        self.config, self.data = config, data
        self.model = build_model(config["model"], data)
        self.optimizer = build_optimizer(config["training"]["optimizer"], self.model)
        self.class_weights = _class_weights(config["objective"]["class_weights"], data)
        self.metrics = {
            metric["kind"]: METRICS[metric["kind"]](len(data.class_counts)) for metric in config["objective"]["metrics"]
        }
        self.num_done, self.best, self.best_weights = 0, -math.inf, self.model.state_dict()

    def epoch(self) -> dict[str, float]:
        """Train the next epoch, measure train and valid, keep the weights of the best."""
        training, regularization = self.config["training"], self.config["regularization"]
        steps = math.ceil(len(self.data.splits["train"][1]) / training["batch_size"])
        clip = regularization["clip_grad_norm"]
        loss = train_epoch(
            self.model,
            self.optimizer,
            self.data.splits["train"],
            training["batch_size"],
            clip=None if clip == "none" else clip,
            class_weights=self.class_weights,
            label_smoothing=self.config["objective"]["label_smoothing"],
            lrs=[self._lr(self.num_done * steps + step, steps) for step in range(steps)],
        )
        self.num_done += 1
        found = {"train/objective": loss, **self._measured("train"), **self._measured("valid")}
        select = self.config["evaluation"]["select"]
        if select == "none":
            return found
        value = found[select["metric"]] * (1 if select["mode"] == "max" else -1)
        if value > self.best:
            self.best, self.best_weights = value, copy.deepcopy(self.model.state_dict())
        return found

    @property
    def is_over(self) -> bool:
        """Whether all epochs are trained."""
        return self.num_done >= self.config["training"]["epochs"]

    def end(self) -> dict[str, float]:
        """Test, looked at once."""
        if self.config["evaluation"]["select"] != "none":
            self.model.load_state_dict(self.best_weights)
        return self._measured("test")

    def _measured(self, name: str) -> dict[str, float]:
        x, y = self.data.splits[name]
        self.model.eval()
        with torch.inference_mode():
            logits = torch.cat([self.model(part) for part in x.split(1024)])
            loss = F.cross_entropy(
                logits, y, weight=self.class_weights, label_smoothing=self.config["objective"]["label_smoothing"]
            )
            found = {f"{name}/loss": loss.item()}
            for metric_name, metric in self.metrics.items():
                metric.reset()
                metric.update(logits, y)
                found[f"{name}/{metric_name}"] = float(metric.compute())
        return found

    def _lr(self, step: int, steps_per_epoch: int) -> float:
        """Linear warm-up, then constant: the schedule of the benchmarks' specs."""
        base = self.config["training"]["optimizer"]["lr"]
        warm_up = self.config["training"]["schedule"][0]
        num_steps = warm_up["epochs"] * steps_per_epoch if warm_up["kind"] == "linear_warmup" else 0
        if step >= num_steps:
            return base
        return warm_up["start_lr"] + (base - warm_up["start_lr"]) * step / num_steps


def begin(trial: Mapping[str, Any]) -> Training:
    """A trial's training on one thread, with the data that this process has loaded already."""
    torch.set_num_threads(1)
    return Training(trial["config"], trial["seed"], _loaded(json.dumps(trial["config"]["data"])))


def trained(trial: Mapping[str, Any]) -> dict[str, float]:
    """Train a trial to its end; what its last epoch and test came to."""
    training = begin(trial)
    found: dict[str, float] = {}
    while not training.is_over:
        found = training.epoch()
    return found | training.end()


@cache
def _loaded(config: str) -> Data:
    return load(json.loads(config))


def _class_weights(setting: Any, data: Data) -> Tensor | None:
    if setting == "none":
        return None
    assert setting == "balanced", setting
    counts = data.class_counts
    return (counts.sum() / (len(counts) * counts.double())).float()
