"""A plan and the machine that it is to run on in; what cannot run there, or only slower than asked, out."""

from craftc.compiler.planning.passes.place import num_fitting
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Severity
from craftc.schemas.forecast import Machine
from craftc.schemas.plan import JobResources, Plan

ELSEWHERE = "run it on a machine that has more (--address)"


def check_placeable(plan: Plan, resources: JobResources, machine: Machine, *, runs_here: bool) -> list[Problem]:
    """Tell of jobs that would wait for ever, and of a `max_concurrent` that the machine does not reach.

    Without `runs_here`, the machine is only the one that asks, and what does not fit is a warning.
    """
    if not plan.jobs and plan.search is None:
        return []
    severity: Severity = "error" if runs_here else "warning"
    cpus = _too_many("CPU", "cpus", resources.cpu, machine.cpus, resources.workers, severity)
    # Other GPUs than NVIDIA's are not counted here; where there seem to be none, the run finds out.
    has_gpus = machine.gpus > 0
    gpus = _too_many("GPU", "gpus", resources.gpu, machine.gpus, resources.workers, severity) if has_gpus else []
    if cpus or gpus or (resources.gpu > 0 and not has_gpus):
        return cpus + gpus
    fit, most = num_fitting(resources, machine), plan.max_concurrent
    num_trainings = sum(trial.status == "new" and trial.shares is None for trial in plan.trials)
    if most is None or most <= fit or (plan.search is None and num_trainings <= fit):
        return []
    message = f"{most} trials at a time are asked for, and this machine holds {fit}"
    hint = f"{fit} will run at a time; for more, lower cpus or gpus, or {ELSEWHERE}"
    return [Problem("max-concurrent-unreached", ("resources", "max_concurrent"), message, hint, severity="note")]


def _too_many(unit: str, key: str, each: float, there: int, workers: int, severity: Severity) -> list[Problem]:
    if each * workers <= there:
        return []
    if workers == 1 or each > there:
        whose = "a trial" if workers == 1 else "a worker"
        message = f"{whose} asks for {_count(each, unit)}, and this machine has {there}"
        hint = f"lower it to {there}, or {ELSEWHERE}"
        return [Problem("unplaceable-job", ("resources", key), message, hint, severity=severity)]
    asked = f"{workers} workers of {_count(each, unit)} each ask for {_count(each * workers, unit)} together"
    hint = f"lower workers to {int(there // each)}, or {ELSEWHERE}"
    message = f"{asked}, and this machine has {there}"
    return [Problem("unplaceable-job", ("resources", "workers"), message, hint, severity=severity)]


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
