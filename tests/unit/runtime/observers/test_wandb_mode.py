"""Where W&B runs go, by the spec and the machine."""

import pytest

from craftc.runtime.observers.wandb_mode import resolve_mode

KEY = {"WANDB_API_KEY": "0" * 40}


@pytest.fixture
def home(tmp_path):
    """An environment whose netrc knows the public server."""
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    return {"HOME": str(tmp_path)}


def resolve(mode, environ):
    warnings = []
    return resolve_mode(mode, {"HOME": "/nonexistent", **environ}, warnings.append), warnings


@pytest.mark.parametrize(
    ("mode", "environ", "expected"),
    [
        ("auto", {}, "offline"),
        ("auto", {"WANDB_API_KEY": ""}, "offline"),
        ("auto", KEY, "online"),
        ("auto", KEY | {"WANDB_MODE": "offline"}, "offline"),
        ("auto", KEY | {"WANDB_MODE": "disabled"}, "disabled"),
        ("online", KEY, "online"),
        ("offline", KEY, "offline"),
        ("disabled", KEY, "disabled"),
    ],
)
def test_the_mode(mode, environ, expected):
    assert resolve(mode, environ) == (expected, [])


def test_online_without_a_key_is_offline_and_says_so():
    mode, warnings = resolve("online", {})
    assert mode == "offline"
    assert len(warnings) == 1
    assert "WANDB_API_KEY" in warnings[0]


def test_a_netrc_file_is_a_key(home, tmp_path):
    assert resolve("auto", home)[0] == "online"
    assert resolve("auto", {"NETRC": str(tmp_path / ".netrc")})[0] == "online"
    assert resolve("auto", home | {"WANDB_BASE_URL": "https://wandb.example.org"})[0] == "offline"


def test_a_broken_netrc_file_is_none(tmp_path):
    (tmp_path / ".netrc").write_text("machine")
    assert resolve("auto", {"HOME": str(tmp_path)})[0] == "offline"
