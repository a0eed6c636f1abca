"""Rules of what a trial is given: one function and one code each. Every function yields what breaks its rule."""

import re
from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import CheckedExperiment, ExperimentRule
from craftc.compiler.reading.problem import Problem, show
from craftc.schemas.diagnostic import Path

SLURM_TIME = re.compile(r"(\d+-)?\d{1,2}:\d{2}:\d{2}")
SLURM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def fractional_gpus(checked: CheckedExperiment) -> Iterator[Problem]:
    """A share of a GPU is a share of one GPU, and one trial's workers cannot share one."""
    resources = checked.spec.resources
    gpus = resources.gpus
    if gpus > 1 and gpus != int(gpus):
        message = f"{gpus:g} GPUs cannot be given; a share is of one GPU, more than one are whole"
        yield Problem("fractional-gpus", ("resources", "gpus"), message)
    elif resources.workers > 1 and gpus != int(gpus):
        message = f"{resources.workers} workers with {gpus:g} GPUs each cannot be given; each has whole ones"
        yield Problem(
            "fractional-gpus", ("resources", "gpus"), message, reads=(("resources", "gpus"), ("resources", "workers"))
        )


def slurm_time_limit(checked: CheckedExperiment) -> Iterator[Problem]:
    """A time limit is one that Slurm reads as it was meant: a bare number would be minutes."""
    slurm = checked.spec.resources.slurm
    if slurm is not None and slurm.time_limit is not None and not SLURM_TIME.fullmatch(slurm.time_limit):
        message = f"{show(slurm.time_limit)} is no time limit; expected HH:MM:SS or D-HH:MM:SS"
        yield Problem("slurm-time-limit", ("resources", "slurm", "time_limit"), message)


def slurm_name(checked: CheckedExperiment) -> Iterator[Problem]:
    """Partition and account are names, for they are written into a script."""
    slurm = checked.spec.resources.slurm
    for key in ("partition", "account") if slurm is not None else ():
        name = getattr(slurm, key)
        if name is not None and not SLURM_NAME.fullmatch(name):
            message = f'{show(name)} is no name of a Slurm {key}; expected letters, digits, ".", "_" and "-"'
            yield Problem("slurm-name", ("resources", "slurm", key), message)


def slurm_node_too_small(checked: CheckedExperiment) -> Iterator[Problem]:
    """A trial fits on the nodes that Slurm is asked for, each of its workers on one of them."""
    resources = checked.spec.resources
    slurm, workers = resources.slurm, resources.workers
    for key, need, of in (("gpus", resources.gpus, "gpus_per_node"), ("cpus", resources.cpus, "cpus_per_node")):
        given = getattr(slurm, of) if slurm is not None else None
        if slurm is None or given is None or need == 0:
            continue
        path: Path = ("resources", "slurm", of)
        reads = (path, ("resources", key), ("resources", "workers"), ("resources", "slurm", "nodes"))
        if need > given:
            message = (
                f"a {'trial' if workers == 1 else 'worker'} needs {need:g} {key}, and a node of {given} cannot hold it"
            )
            yield Problem("slurm-node-too-small", path, message, reads=reads)
        elif int(given / need) * slurm.nodes < workers:
            message = f"{workers} workers need {need:g} {key} each, and {slurm.nodes} x {given} cannot hold them"
            yield Problem("slurm-node-too-small", path, message, reads=reads)


RESOURCE_RULES: tuple[ExperimentRule, ...] = (fractional_gpus, slurm_time_limit, slurm_name, slurm_node_too_small)
"""What a trial and its workers can be given."""
