"""What this machine has, without importing what would use it."""

import os
from pathlib import Path

from craftc.schemas.forecast import Machine

GPUS = Path("/proc/driver/nvidia/gpus")
CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def this_machine() -> Machine:
    """Its CPUs, or the container's share of them, and the NVIDIA GPUs that are not hidden."""
    return Machine(cpus=_num_cpus(), gpus=_num_gpus())


def _num_cpus() -> int:
    cpus = os.cpu_count() or 1
    try:
        quota, period = CPU_LIMIT.read_text().split()
        return max(1, min(cpus, int(quota) // int(period)))
    except (OSError, ValueError):
        return cpus  # no container, or one without a limit


def _num_gpus() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1", "NoDevFiles")])
    try:
        return len(list(GPUS.iterdir()))
    except OSError:
        return 0
