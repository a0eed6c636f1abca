"""What Ray keeps private: each fence stands with the Ray of the tests, and is down where that is another."""

import logging
from typing import Any

import pytest
import ray
from ray._private import services as ray_services
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.worker_group import WorkerGroup

from craftc.runtime.on_ray.leave_ray import leaving_worker
from craftc.runtime.on_ray.lent_placement import lent_placement
from craftc.runtime.on_ray.prestarted_workers import can_prestart, prestarted_workers
from craftc.runtime.on_ray.services import _private, few_services

FENCES: dict[str, Any] = {
    "ray.services": _private,
    "ray.prestarted_workers": can_prestart,
    "ray.lent_placement": lent_placement,
    "ray.core_worker": leaving_worker,
}


@pytest.fixture(autouse=True)
def _probed_anew():
    for each in FENCES.values():
        each.cache_clear()
    yield
    for each in FENCES.values():
        each.cache_clear()


def test_all_stand(caplog):
    with caplog.at_level(logging.WARNING):
        assert all(each() is not None for each in FENCES.values())
    assert not caplog.records


def said(name, caplog):
    """The one line of the log, when the fence has been asked twice."""
    with caplog.at_level(logging.WARNING):
        assert [FENCES[name](), FENCES[name]()] == [None, None]
    return [record.getMessage() for record in caplog.records][-1]


def test_processes_that_are_started_otherwise_are_left_to_ray(monkeypatch, caplog):
    start = ray_services.start_ray_process
    with few_services(log_monitor=False):
        assert ray_services.start_ray_process is not start
    _private.cache_clear()
    monkeypatch.setattr(ray_services, "start_ray_process", lambda kind, command: None)
    other = ray_services.start_ray_process
    assert "start_ray_process takes ['kind', 'command']" in said("ray.services", caplog)
    with few_services(log_monitor=False):
        assert ray_services.start_ray_process is other


def test_a_raylet_of_other_options_gets_its_agents(monkeypatch):
    started = []
    monkeypatch.setattr(ray_services, "start_ray_process", lambda command, process_type, **_: started.append(command))
    with few_services(log_monitor=False):
        ray_services.start_ray_process(["raylet", "--session=a", "--x_agent_command=b"], "raylet")
    assert started == [["raylet", "--session=a", "--x_agent_command=b"]]


def test_another_tune_has_ray_start_processes_and_agents(tmp_path, monkeypatch, caplog):
    from ray.tune.execution import class_cache

    before = class_cache.DEFAULT_ENV_VARS
    with prestarted_workers():
        assert class_cache.DEFAULT_ENV_VARS == {} != before
    assert class_cache.DEFAULT_ENV_VARS is before
    can_prestart.cache_clear()
    (tmp_path / "tune" / "execution").mkdir(parents=True)
    (tmp_path / "tune" / "execution" / "class_cache.py").write_text("DEFAULT_ENV_VARS = {}\nOTHERS = {}\n")
    with monkeypatch.context() as patched:
        patched.setattr(ray, "__file__", str(tmp_path / "__init__.py"))
        assert "class_cache.py has no DEFAULT_ENV_VARS and ENV_VARS_TO_PROPAGATE" in said(
            "ray.prestarted_workers", caplog
        )
    with prestarted_workers():
        assert class_cache.DEFAULT_ENV_VARS is before
    # Without agents nothing makes the environment that Tune now asks for.
    assert "which needs Ray's agents" in said("ray.services", caplog)


@pytest.mark.parametrize(
    ("owner", "name", "value", "message"),
    [
        (WorkerGroup, "_create_placement_group", None, "TypeError"),
        (WorkerGroup, "_create_placement_group", lambda self: None, "too many positional arguments"),
        (TrainController, "worker_group_cls", object, "a controller has no worker_group_cls"),
    ],
)
def test_another_ray_train_is_not_lent_a_placement_group(owner, name, value, message, monkeypatch, caplog):
    monkeypatch.setattr(owner, name, value)
    assert message in said("ray.lent_placement", caplog)


def test_a_core_that_ends_otherwise_is_left_to_ray(monkeypatch, caplog):
    monkeypatch.setattr("ray._private.worker.shutdown", lambda: None)
    assert "ray.shutdown ends its core otherwise" in said("ray.core_worker", caplog)
