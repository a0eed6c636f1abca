"""craftc: a compiler for machine-learning experiments."""

TYPE_CHECKING = False
"""As that of `typing`, which is not imported: when `python -m craftc` begins, the current folder is on the path."""
if TYPE_CHECKING:
    from craftc.training.programs.run import Run as Run
    from craftc.training.programs.run import Stopped as Stopped

__version__ = "0.1.0"
__all__ = ["Run", "Stopped", "__version__"]


def __getattr__(name: str) -> object:
    # Lazily: every command imports this module, and few need what programs are handed.
    if name in ("Run", "Stopped"):
        from craftc.training.programs import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
