"""What `import craftc` offers, and what it costs."""

import subprocess
import sys

import pytest

import craftc


def test_a_program_finds_what_it_is_handed() -> None:
    from craftc import Run, Stopped

    assert craftc.Run is Run
    assert issubclass(Stopped, BaseException)
    assert not issubclass(Stopped, Exception)
    assert {"Run", "Stopped"} <= set(craftc.__all__)


def test_another_name_is_missed() -> None:
    with pytest.raises(AttributeError, match="module 'craftc' has no attribute 'Runs'"):
        craftc.Runs  # type: ignore[attr-defined]  # noqa: B018


def test_neither_import_brings_torch() -> None:
    script = (
        "import sys, craftc; print(sorted(name for name in sys.modules if name.startswith('craftc')));"
        "from craftc import Run; print([name for name in ('torch', 'numpy', 'ray', 'pydantic') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["['craftc']", "[]"]
