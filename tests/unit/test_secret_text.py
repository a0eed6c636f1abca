"""What is taken for a secret, and what is not."""

import pytest

from craftc.secret_text import bare_address, masked, names_secret, secret_in, secret_value

SECRETS = {
    "http://me:hunter2@host:8265": "http://***@host:8265",
    "https://0123456789abcdefghij0123@github.com/x": "https://***@github.com/x",
    "https://host/x?part=1&access_token=abc#end": "https://host/x?part=1&access_token=***#end",
    "https://host/x?X-Amz-Signature=abc&x=1": "https://host/x?X-Amz-Signature=***&x=1",
    "AKIAABCDEFGHIJKLMNOP": "***",
    "key ghp_abcdefghijklmnopqrstuvwxyz0123456789!": "key ***!",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH": "***",
    "Authorization: Bearer abcdefgh.ijklmnop": "Authorization: Bearer ***",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_": "***",
    "-----BEGIN RSA PRIVATE KEY-----": "***-----",
}
HARMLESS = (
    "abfss://container@account.dfs.core.windows.net/x", "ssh://git@github.com/x", "https://host:8265/a@b?part=1",
    "vit_small", "task-sk-learn", "basic research", "a=b&key=c", "http://[::1]:8265", "lr: 1e-3",
)  # fmt: skip


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_shown_as_stars(text: str) -> None:
    assert secret_in(text) is not None
    assert masked(text) == SECRETS[text]
    assert masked(masked(text)) == masked(text)
    stars = masked(text, keep_length=True)
    assert len(stars) == len(text)
    assert stars != text


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_none_stays(text: str) -> None:
    assert secret_in(text) is None
    assert masked(text) == text


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("http://me:hunter2@host:8265", "http://host:8265"),
        ("http://token@host:8265/base?token=x#y", "http://host:8265/base"),
        ("me:hun/ter?2#@host:6379", "host:6379"),
        ("ray://host:10001", "ray://host:10001"),
        ("http://[::1]:8265", "http://[::1]:8265"),
        ("auto", "auto"),
    ],
)
def test_an_address_without_what_authorizes(address: str, bare: str) -> None:
    assert bare_address(address) == bare


def test_names_and_values_of_the_environment() -> None:
    environment = {"WANDB_API_KEY": "0a1b2c3d4e5f", "HOME": "/home/me"}
    assert names_secret("WANDB_API_KEY")
    assert not names_secret("KEYBOARD")
    assert secret_value("see 0a1b2c3d4e5f", environment, is_name=False) == "the value of WANDB_API_KEY"
    random = "c1f5d7a09b3e4d2f8a6b0c1d2e3f4a5b6c7d8e9f"
    assert secret_value(random, environment, is_name=True) == "a random token"
    # A folder may be named by a hash, and a project by a long name.
    assert secret_value(f"/data/{random}", environment, is_name=False) is None
    assert secret_value("scanline-vit-ablation-of-2026-11-30", environment, is_name=True) is None
    assert secret_value("https://me:x@mlflow", environment, is_name=True) == "a password in an address"
