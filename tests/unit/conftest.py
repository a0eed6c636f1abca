"""A runs folder as real runs leave it, for tests of what reads and cleans it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.execute import execute
from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.jobs.job_source import SearchContext
from craftc.runtime.store.driver_process import write_driver
from craftc.runtime.store.run_folder import create_run
from craftc.runtime.store.store import Store

TINY = """\
craftc: 1
name: tiny
data: {source: digits}
model: {kind: mlp, hidden: [8]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 256, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {seeds: 2, grid: {training.optimizer.lr: [1e-3]}}
"""


def train(spec: str, runs_dir: Path) -> Path:
    """Run a spec in this process; the run's folder. Its driver has ended by the time anyone looks."""
    store = Store(runs_dir / "store")
    compiled = compile_spec(spec, str(runs_dir.parent / "tiny.yaml"), built_in_catalogue(), store.is_finished)
    plan = compiled.plan
    assert plan is not None
    folder = create_run(runs_dir, plan, spec)
    search = None
    if plan.search is not None:
        proposer = PointCompiler(compiled.analysis, runs_dir.parent / "x.yaml")
        search = SearchContext(folder.database, proposer)
    execute(plan, store=store, backend=InlineBackend(), observers=(), run_folder=folder, search=search)
    return folder.path


@pytest.fixture(scope="session")
def tiny() -> str:
    """Four trials: two variants, base and lr=1e-3, with two seeds each."""
    return TINY


@pytest.fixture(scope="session")
def train_spec() -> Callable[[str, Path], Path]:
    return train


@pytest.fixture
def living() -> Callable[[Path], None]:
    """Makes this process, which lives, the driver of a run."""
    return write_driver


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one name: the second has one more seed, a learning rate less, and another in its place."""
    runs_dir = tmp_path_factory.mktemp("trained") / "runs"
    train(TINY, runs_dir)
    train(TINY.replace("seeds: 2", "seeds: 3").replace("[1e-3]", "[3e-3]"), runs_dir)
    return runs_dir


@pytest.fixture
def runs_dir(trained: Path, tmp_path: Path) -> Path:
    """A copy of `trained` to do with as one likes."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))
