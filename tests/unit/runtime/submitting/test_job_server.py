"""What authorizes at a job server, and what of it is kept."""

import base64
import json

import pytest

from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.submitting.job_server import JobServer


def test_a_user_and_password_become_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_JOB_HEADERS", raising=False)
    server = JobServer("https://me:p%40ss@host:8265/base")
    assert server.address == "https://host:8265/base"
    assert server._headers == {"Authorization": f"Basic {base64.b64encode(b'me:p@ss').decode()}"}
    assert JobServer("http://host:8265")._headers == {}
    assert JobServer("ray://me:x@host:10001").address == "ray://host:10001"


def test_headers_are_those_of_rays_own_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_JOB_HEADERS", json.dumps({"Authorization": "Bearer x", "X-Team": 3}))
    assert JobServer("http://host:8265")._headers == {"Authorization": "Bearer x", "X-Team": "3"}


@pytest.mark.parametrize("headers", ["no json", "[1]", '"text"'])
def test_headers_that_are_none(monkeypatch: pytest.MonkeyPatch, headers: str) -> None:
    monkeypatch.setenv("RAY_JOB_HEADERS", headers)
    with pytest.raises(BackendError, match="RAY_JOB_HEADERS is no JSON object") as caught:
        JobServer("http://host:8265")
    assert headers not in caught.value.message


@pytest.mark.parametrize("address", ["http://host:8265?token=hidden", "http://host:8265/#hidden"])
def test_an_address_has_no_query(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.delenv("RAY_JOB_HEADERS", raising=False)
    with pytest.raises(BackendError, match="an address has no query") as caught:
        JobServer(address)
    assert "hidden" not in caught.value.message


def test_what_the_cluster_says_is_told_without_secrets() -> None:
    error = BackendError("cluster-refused", "GET http://me:hidden@host/x?token=hidden failed")
    assert error.message == str(error) == "GET http://***@host/x?token=*** failed"
