"""What is warned of before files are sent."""

from pathlib import Path

from craftc.runtime.on_ray.describe_packed import listing, notes
from craftc.runtime.on_ray.find_secrets import secrets_in
from craftc.runtime.on_ray.project_files import pack

LINES = {
    "aws.py": 'KEY = "AKIAQWERTYUIOPASDFGH"',
    "basic.py": 'URL = "https://me:hunter2@example.com"',
    "github.txt": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "jwt.txt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ",
    "key.txt": "-----BEGIN RSA PRIVATE KEY-----",
    "settings.toml": "password = Hunter2Hunter2",
    "stripe.py": 'stripe = "sk_live_abcdefghijklmnopqrstuvwx"',
    "word.py": 'PASSWORD = "hunter2hunter2xx"',
}
HARMLESS = {
    "hash.json": '{"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}',
    "model.py": 'token = "<pad>"\nsecret = load(path)\nkeys = [q, k, v]\npassword: str = ""',
    "spec.yaml": "model: {kind: decoder}\n# tokens per batch: 4096",
}


def test_what_looks_like_a_secret_is_found_with_its_line(tmp_path: Path) -> None:
    for name, text in {**LINES, **HARMLESS}.items():
        (tmp_path / name).write_text(f"# a first line\n{text}\n")
    (tmp_path / "data.bin").write_bytes(b"\0" + LINES["aws.py"].encode())
    (tmp_path / "large.txt").write_text("x\n" * (1 << 20) + LINES["github.txt"])
    names = sorted(path.name for path in tmp_path.iterdir())
    found = {name: line for name, line, _ in secrets_in(tmp_path, names)}
    assert found == dict.fromkeys(LINES, 2)
    smallest = min(LINES, key=lambda name: len(LINES[name]))
    size = (tmp_path / smallest).stat().st_size
    assert [name for name, _, _ in secrets_in(tmp_path, list(LINES), max_bytes=size)] == [smallest]


def test_a_secret_behind_a_hard_link_is_found_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text(LINES["github.txt"])
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "notes.txt").hardlink_to(tmp_path / "outside")
    assert [name for name, _, _ in secrets_in(tmp_path / "project", ["notes.txt"])] == ["notes.txt"]


def test_the_listing_and_the_notes(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "spec.yaml").touch()
    (tmp_path / "runs").mkdir()
    for number in range(7):
        (tmp_path / f".env.{number}").write_text("hidden")
    (tmp_path / "word.py").write_text(LINES["word.py"])
    (tmp_path / "away").symlink_to("/etc")
    packed = pack(tmp_path / "spec.yaml", tmp_path / "runs")
    left_out = [*(f".env.{number}" for number in range(7)), "away", "runs/"]
    assert listing(packed).splitlines() == ["pyproject.toml", "spec.yaml", "word.py", "left out:", *left_out]
    links, secret, content = notes(packed)
    assert links == "warning: links out of the project, to folders and to files that stay are not sent: away"
    assert ".env.0, .env.1, .env.2, .env.3, .env.4 and 2 more" in secret
    assert "word.py:1 (a value behind a word for secrets)" in content
    assert "hunter2" not in content
