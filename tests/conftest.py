"""Options and fixtures that every test may use."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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


# What starts processes and trains, file by file the longest: were it last, one of two workers would have nothing left.
LONGEST = ("end_to_end", "backends", "cluster", "unit/training", "trackers", "unit/docs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; `--no-loadscope-reorder` has xdist keep to it, which else begins with most tests."""
    folders = [ROOT / "tests" / name for name in LONGEST]

    def place(item: pytest.Item) -> int:
        return next((index for index, folder in enumerate(folders) if folder in item.path.parents), len(folders))

    items.sort(key=place)


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


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT
