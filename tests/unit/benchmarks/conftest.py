"""The benchmarks are scripts: what they import lies beside them."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _beside_the_scripts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
