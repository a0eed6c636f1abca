"""Options and fixtures that every test may use."""

import ast
import importlib
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from craftc.fence import VARIABLE

ROOT = Path(__file__).parent.parent
# Two cores, and tests that run beside each other's worker processes: one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what runs behind it with Ctrl-C ignored, and so would all be that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A test says the same of the same code at every run, however busy the machine: examples are drawn from the test's own
# name, and no time is limited. `--hypothesis-profile=search` draws new ones.
settings.register_profile("usual", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("usual")
# Hypothesis mixes in the constants of all modules that happen to be imported by then: other examples after every edit,
# and in every order of tests. It parses each module for it, too.
providers._get_local_constants = lambda: providers._local_constants


# What starts processes and trains, file by file the longest: were it last, other workers would have nothing left.
LONGEST = ("end_to_end", "backends", "cluster", "unit/training", "trackers", "unit/docs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; `--no-loadscope-reorder` has xdist keep to it, which else begins with most tests."""
    folders = [ROOT / "tests" / name for name in LONGEST]

    def place(item: pytest.Item) -> int:
        return next((index for index, folder in enumerate(folders) if folder in item.path.parents), len(folders))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, the workers after the second take files from the end.

    Tests that start processes wait for a third of their time, and two of them at once keep two cores busy otherwise:
    the other workers fill the gaps with what only computes, and start processes when nothing else is left.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class FromBothEnds(LoadFileScheduling):
        def _assign_work_unit(self, node: Any) -> None:
            if node.gateway.id not in ("gw0", "gw1"):
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    return FromBothEnds(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="Write the golden files instead of comparing.")


@pytest.fixture(scope="session", autouse=True)
def _beside_nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests run in an empty folder, so that none reads what lies in the repository, such as the `runs/` of a demo."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield
    assert not list(folder.iterdir()), "tests write to a folder that is not theirs: change to tmp_path first"


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-goldens"))


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Ports for a server that wants to be told one. They are below those that a system gives to whoever asks for any,
    from 32,768 on Linux and 49,152 on macOS: what is free stays free until the server listens."""

    def find(number: int) -> list[int]:
        ports: list[int] = []
        while len(ports) < number:
            port = secrets.choice(range(20_000, 32_000))
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("", port))
                ports += [port] if port not in ports else []
        return ports

    return find


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


def _fences() -> dict[str, str]:
    """Where each fence is, `module:function`, by its name."""
    found = {}
    for file in (ROOT / "craftc").rglob("*.py"):
        text = file.read_text()
        for node in ast.walk(ast.parse(text)) if "@fence(" in text else ():
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", None) == "fence":
                    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                    found[str(ast.literal_eval(mark.args[0]))] = f"{module}:{node.name}"
    return found


FENCES = _fences()


def _fence(name: str) -> Any:
    module, _, function = FENCES[name].partition(":")
    return getattr(importlib.import_module(module), function)


@contextmanager
def _down(package: str) -> Iterator[None]:
    opened = [_fence(name) for name in FENCES if name.startswith(package)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "down")
        for each in opened:
            each.cache_clear()
        yield
    for each in opened:
        each.cache_clear()


@pytest.fixture(scope="session")
def find_fence() -> Callable[[str], Any]:
    """The fence of a name."""
    return _fence


@pytest.fixture(scope="session")
def take_down() -> Callable[[str], AbstractContextManager[None]]:
    """Within it this process uses nothing that a package, `torch` or `ray`, keeps private, and what it starts uses
    nothing of both."""
    return _down


@pytest.fixture
def fences_down() -> Iterator[None]:
    """Nothing that torch keeps private is used."""
    with _down("torch"):
        yield
