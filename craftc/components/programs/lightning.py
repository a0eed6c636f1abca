"""Trains a LightningModule with Lightning's own Trainer, and reports what it logs."""

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from craftc.components.bounds import AS_WRITTEN
from craftc.components.build import build_written, load_component
from craftc.components.programs.metric_names import metric_name

if TYPE_CHECKING:
    from craftc import Run

Setting = Mapping[str, Any]


def lightning(
    run: "Run",
    *,
    module: Annotated[Setting, AS_WRITTEN],
    trainer: Annotated[Setting, AS_WRITTEN],
    data: Annotated[Setting, AS_WRITTEN] | Literal["none"] = "none",
    test: Literal["none", "last", "best"] = "none",
) -> None:
    """Trains a LightningModule with Lightning's own Trainer, both as they are.

    Each validation is a record: val_loss is recorded as valid/loss, train_acc as train/acc. A name without a split is
    of the split that it was logged in. A trial goes on from Lightning's own checkpoint of the end of an epoch, bit by
    bit.

    Args:
        module: The LightningModule, as a component of its own: a mapping with kind.
        trainer: Lightning's Trainer, as a component: lightning:Trainer or pytorch_lightning:Trainer, with its
            arguments. Device, seed and folder are the trial's; there is no logger and no progress bar unless it names
            one.
        data: A LightningDataModule, or a function that returns the loaders of train, of validation and, with test, of
            test. none where the module has loaders of its own.
        test: Whether the Trainer tests at the end: the last weights, or the best ones, by a ModelCheckpoint among the
            callbacks of trainer. What it logs is recorded as test/NAME.
    """
    package = _package(load_component("programs", trainer["kind"]))
    package.seed_everything(run.seed, workers=True)
    model = build_written(module)
    loaders = _loaders(package, data)
    lightning_trainer = _trainer(package, trainer, run)
    with _ended_early():
        lightning_trainer.fit(model, **loaders["fit"], **_resumed(lightning_trainer, run.state))
    if test != "none":
        weights = _best(lightning_trainer) if test == "best" else {}
        (measured, *others) = lightning_trainer.test(model, **loaders["test"], **weights, verbose=False)
        for other in others:
            measured = {**measured, **other}
        run.finish({metric_name(name, "test"): float(value) for name, value in measured.items()})


@contextmanager
def _ended_early() -> Iterator[None]:
    """Goes on behind what craftc's early stopping ends, so that it can be tested."""
    from craftc import Stopped

    try:
        yield
    except Stopped as stopped:
        if stopped.reason != "early-stopping":
            raise


def _package(trainer: Any) -> Any:
    """Which of Lightning's two packages a Trainer is of; its objects do not go with those of the other."""
    names = [base.__module__ for base in inspect.getmro(trainer)] if isinstance(trainer, type) else [trainer.__module__]
    own = any(name.partition(".")[0] == "pytorch_lightning" for name in names)
    name = "pytorch_lightning" if own else "lightning.pytorch"
    import_module(f"{name}.plugins.environments")
    return import_module(name)


def _loaders(package: Any, data: Setting | Literal["none"]) -> dict[str, dict[str, Any]]:
    """What `fit` and `test` are given beside the module."""
    if data == "none":
        return {"fit": {}, "test": {}}
    built = build_written(data)
    if isinstance(built, package.LightningDataModule):
        return {"fit": {"datamodule": built}, "test": {"datamodule": built}}
    train, valid, *test = built if isinstance(built, tuple) else (built, None)
    return {
        "fit": {"train_dataloaders": train, "val_dataloaders": valid},
        "test": {"dataloaders": test[0]} if test else {},
    }


def _trainer(package: Any, trainer: Setting, run: "Run") -> Any:
    """The Trainer that is asked for, and what it has for its trial where that says nothing of it. An argument that is
    the Trainer's own default says nothing."""
    from craftc.components.programs.lightning_callback import reporting

    own = inspect.signature(load_component("programs", trainer["kind"])).parameters
    trainer = {name: value for name, value in trainer.items() if name not in own or value != own[name].default}
    callbacks = trainer.get("callbacks") or []
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    usual = {
        **_devices(package, run),
        "default_root_dir": str(run.folder),
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return build_written({**usual, **trainer, "callbacks": [*callbacks, reporting(package, run)]})


def _devices(package: Any, run: "Run") -> dict[str, Any]:
    """How Lightning calls the device of a trial, or those of all its workers."""
    kind, _, index = str(run.device).partition(":")
    accelerator = "gpu" if kind == "cuda" else kind
    size = run.workers.size
    if size > 1:
        environment = package.plugins.environments.TorchElasticEnvironment()
        num_local = int(os.environ.get("LOCAL_WORLD_SIZE", size))
        workers = {"strategy": "ddp", "num_nodes": size // num_local, "plugins": [environment]}
        return {"accelerator": accelerator, "devices": num_local, **workers}
    return {"accelerator": accelerator, "devices": [int(index or 0)] if kind == "cuda" else 1}


def _resumed(trainer: Any, state: object) -> dict[str, Any]:
    if state is None:
        return {}
    assert isinstance(state, Path)
    return {"ckpt_path": str(state)} | _trusted(trainer.fit)


def _best(trainer: Any) -> dict[str, Any]:
    paths = (getattr(callback, "best_model_path", "") for callback in trainer.checkpoint_callbacks)
    path = next(filter(None, paths), None)
    if path is None:
        raise ValueError("test: best needs a ModelCheckpoint with a monitor among the callbacks of trainer")
    return {"ckpt_path": path} | _trusted(trainer.test)


def _trusted(method: Any) -> dict[str, Any]:
    """Lightning 2.6 on asks whether a checkpoint may hold more than numbers. One that this trial wrote itself may, such
    as hyperparameters."""
    return {"weights_only": False} if "weights_only" in inspect.signature(method).parameters else {}
