"""What Ray and Tune raise of their own in the middle of a run is one sentence."""

import pytest
from ray.exceptions import ActorDiedError, RaySystemError
from ray.tune import TuneError

from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.on_ray.ray_errors import ray_errors_told


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TuneError("Traceback (most recent call last):\n  File x\nValueError: odd\n"), "TuneError: ValueError: odd"),
        (RaySystemError("the raylet has gone"), "RaySystemError: "),
        (ActorDiedError(), "ActorDiedError: "),
        (TuneError(), "TuneError: it gave no reason"),
    ],
)
def test_it_is_a_backend_error_of_one_line(error: Exception, said: str) -> None:
    with pytest.raises(BackendError) as caught, ray_errors_told():
        raise error
    assert caught.value.code == "jobs-ended"
    assert f"Ray ended the jobs: {said}" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [BackendError("device-lost", "gone"), KeyboardInterrupt(), ValueError("a bug")])
def test_any_other_passes_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, ray_errors_told():
        raise error
    assert caught.value is error
