"""Reads real tables of quantities that ship inside scikit-learn; nothing is downloaded."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from craftc.components.declare import declares
from craftc.components.errors import DataError
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.samples import INPUT, TARGET

_DIABETES = "age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"
_EXERCISE, _BODY = ("chins", "situps", "jumps"), ("weight", "waist", "pulse")


@declares(
    gives=("table",),
    gives_targets=("real",),
    gives_columns=("x",),
    facts={"num_samples": 442, "num_classes": 1, "num_features": 10},
)
def diabetes() -> Columns:
    """442 patients: ten measurements, and the progress of their diabetes after a year (scikit-learn).

    The measurements are as they were taken, not scaled. The target is one quantity, from 25 to 346 (Efron et al. 2004).
    """
    inputs = _read("diabetes_data_raw.csv.gz", "6b93b2556c8942c79d8374838768047adf9d1f4044510b9f948ddace62567d75")
    targets = _read("diabetes_target.csv.gz", "4911e8747aff95aa1cd523fea86dd91cfd1cd14c1a8ead274f1913b14fa853c4")
    return _columns(inputs, _DIABETES, targets[:, 0], ())


@declares(
    gives=("table",),
    gives_targets=("real",),
    gives_columns=("x",),
    facts={"num_samples": 20, "num_classes": 3, "num_features": 3},
)
def linnerud() -> Columns:
    """20 middle-aged men: what they managed of three exercises, and their weight, waist and pulse (scikit-learn).

    The target is three quantities (Tenenhaus 1998).
    """
    inputs = _read(
        "linnerud_exercise.csv", "4f8510729f4a42a709b45ef7b8ccb01250cb26dd048c6e247c4ed7ed353806e3", num_headers=1
    )
    targets = _read(
        "linnerud_physiological.csv", "ab5c629598b0a46b4c1a2d19087e58501088096fc7a362351323ba61080b06ff", num_headers=1
    )
    return _columns(inputs, _EXERCISE, targets, _BODY)


def _columns(
    inputs: NDArray[np.float64], names: tuple[str, ...], targets: NDArray[np.float64], target_names: tuple[str, ...]
) -> Columns:
    return Columns(
        {INPUT: Column(inputs, "real", "input", names), TARGET: Column(targets, "real", "target", target_names)}
    )


def _read(name: str, sha256: str, *, num_headers: int = 0) -> NDArray[np.float64]:
    """The numbers of a file, if they are those that results are known by: a trial's identity holds the name of a
    bundled source and not its content."""
    spec = find_spec("sklearn")
    file = Path(*(spec.submodule_search_locations or ()) if spec is not None else (), "datasets", "data", name)
    hint = "install the scikit-learn that constraints.txt names"
    try:
        numbers = np.loadtxt(file, dtype=np.float64, ndmin=2, skiprows=num_headers)
    except (OSError, ValueError) as error:
        message = f"the table that scikit-learn ships cannot be read: {error}"
        raise DataError("data-unreadable", message, hint) from None
    if hashlib.sha256(numbers.tobytes()).hexdigest() != sha256:
        message = "the table that the installed scikit-learn ships is not that of this version of craftc"
        raise DataError("data-unreadable", message, hint)
    return numbers
