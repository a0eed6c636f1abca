"""What the script `craftc` starts, and `python -m craftc` where there is none, as on the machines of a submission."""

# Both are built into Python: no file of the current folder is imported in their place.
import gc
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # `-m` puts the current folder first, and a click.py that lies there would be run.
    del sys.path[0]


def start() -> None:
    """Run the command line, or say which package this Python lacks."""
    # Next to nothing of what is imported is ever garbage: looking for it took a tenth of the time of a cold lint.
    gc.set_threshold(100_000)
    try:
        from craftc.cli.main import main
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "craftc":
            raise
        # Not by the classes that the rest uses: those may need the very package that is missing.
        sys.exit(
            f'error[package-missing]: {sys.executable} has no package "{error.name}"; install craftc[run] for it, '
            "or name the Python that the cluster's Ray runs in with --python"
        )
    main()


if __name__ == "__main__":
    start()
