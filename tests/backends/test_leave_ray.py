"""Ray is shut down while other threads use it, and its driver goes on."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.ray

DRIVER = """\
import gc, os, threading
from functools import partial
from craftc.fence import VARIABLE
from craftc.runtime.on_ray.environment import ray_environment
with ray_environment():
    import ray
    from craftc.runtime.on_ray.cluster import private_ray
    from craftc.runtime.on_ray.leave_ray import leaving_worker
    from craftc.runtime.on_ray.services import few_services

    def in_a_ray(use):
        over = threading.Event()
        def work():
            while not over.is_set():
                try:
                    use()
                except (AttributeError, ray.exceptions.RaySystemError):
                    pass  # Ray is gone
        thread = threading.Thread(target=work)
        with private_ray(partial(few_services, log_monitor=False)):
            references.extend(ray.put(number) for number in range(1000))
            thread.start()
        over.set()
        thread.join()
        references.clear()

    references = []
    def leave_garbage():
        cycle = {"reference": references.pop() if references else None}
        cycle["itself"] = cycle
    def collect():
        leave_garbage()
        gc.collect()
    def imports_or_the_like():
        leave_garbage()
        [[] for _ in range(10_000)]
    in_a_ray(collect)
    in_a_ray(lambda: ray.get(references[0]))
    leaving_worker.cache_clear()
    os.environ[VARIABLE] = "ray.core_worker"
    in_a_ray(imports_or_the_like)
print("the conclusion")
raise SystemExit(4)
"""


def test_a_thread_that_uses_ray_while_it_is_shut_down_does_not_end_the_process():
    done = subprocess.run([sys.executable, "-c", DRIVER], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (4, "the conclusion\n"), done.stderr
