"""Which files of a project travel."""

import subprocess
from pathlib import Path

import pytest

from craftc.compiler.own_code.import_path import project_root
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.on_ray.project_files import digest, pack, stage


def write(root: Path, *names: str, text: str = "x") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_the_root_is_the_nearest_folder_with_a_mark(tmp_path: Path) -> None:
    write(tmp_path, "a/pyproject.toml", "a/b/specs/x.yaml", "c/x.yaml")
    assert project_root(tmp_path / "a/b/specs/x.yaml") == tmp_path / "a"
    (tmp_path / "a/b/.git").mkdir()
    assert project_root(tmp_path / "a/b/specs/x.yaml") == tmp_path / "a/b"


def test_what_git_leaves_out_stays(tmp_path: Path) -> None:
    """Compared with git itself, ignore files in several folders and lines that take back others among them."""
    write(
        tmp_path, "pyproject.toml", "spec.yaml", "src/model.py", "src/gen/a.py", "src/gen/keep.py", "data/a.npz",
        "data/keep.npz", "build/lib/x", "deep/build/x", "out/x", "deep/out/x", "deep/log.txt", "notes.txt", "a b.py",
    )  # fmt: skip
    write(tmp_path, ".gitignore", text="*.npz\n!keep.npz\nbuild/\n/out\n*.txt\n# no\n")
    write(tmp_path, "src/.gitignore", text="gen/*\n!gen/keep.py\n")
    write(tmp_path, "deep/.gitignore", text="!log.txt\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    expected = {name for name in listed.split("\0") if name and not name.endswith(".gitignore")}
    assert set(pack(tmp_path / "spec.yaml", tmp_path / "runs").files) == expected
    assert "deep/log.txt" in expected


def test_craftcignore_has_the_last_word(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "spec.yaml", "a.npz", "b.npz", "docs/page.md")
    write(tmp_path, ".gitignore", text="*.npz\n")
    write(tmp_path, ".craftcignore", text="!a.npz\ndocs/\n")
    assert pack(tmp_path / "spec.yaml", tmp_path / "runs").files == ("a.npz", "pyproject.toml", "spec.yaml")


def test_results_and_caches_never_travel_and_the_spec_always_does(tmp_path: Path) -> None:
    write(
        tmp_path, ".git/config", ".venv/lib/x.py", "runs/store/a", "results/store/a", "pkg/__pycache__/x.pyc",
        "pkg/runs/x.py", "spec.yaml",
    )  # fmt: skip
    write(tmp_path, ".gitignore", text="*.yaml\n")
    assert pack(tmp_path / "spec.yaml", tmp_path / "results").files == ("pkg/runs/x.py", "spec.yaml")


def test_a_link_travels_as_the_file_that_it_leads_to(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "spec.yaml", "src/model.py", text="print()")
    (tmp_path / "model.py").symlink_to("src/model.py")
    packed = pack(tmp_path / "spec.yaml", tmp_path / "runs")
    assert packed.files == ("model.py", "pyproject.toml", "spec.yaml", "src/model.py")
    stage(packed, tmp_path / "staged")
    assert not (tmp_path / "staged/model.py").is_symlink()
    assert (tmp_path / "staged/model.py").read_text() == "print()"


def test_a_hard_link_is_the_file_and_held_to_the_rules_by_its_name_here(tmp_path: Path) -> None:
    write(tmp_path / "project", "pyproject.toml", "spec.yaml", text="print()")
    (tmp_path / "outside").write_text("elsewhere")
    for name in ("data.txt", ".env"):
        (tmp_path / "project" / name).hardlink_to(tmp_path / "outside")
    packed = pack(tmp_path / "project/spec.yaml", tmp_path / "runs")
    assert packed.files == ("data.txt", "pyproject.toml", "spec.yaml")
    assert packed.that_are("secret") == [".env"]
    assert packed.that_are("link") == []


def test_no_link_leads_out_of_the_project_or_to_what_stays(tmp_path: Path) -> None:
    write(tmp_path, "project/pyproject.toml", "project/spec.yaml", "project/.env", "project/data/x.csv")
    write(tmp_path, "elsewhere/model.py", text="print()")
    for link, target in {
        "model.py": "../elsewhere/model.py",
        "absolute.py": tmp_path / "elsewhere/model.py",
        "again.py": "model.py",
        "more": "../elsewhere",
        "settings.txt": ".env",
        "same": "data",
        "broken": "nowhere",
        "around": "around",
        "/".join(("data", "up")): "../..",
    }.items():
        (tmp_path / "project" / link).symlink_to(target)
    packed = pack(tmp_path / "project/spec.yaml", tmp_path / "runs")
    assert packed.files == ("data/x.csv", "pyproject.toml", "spec.yaml")
    links = ["absolute.py", "again.py", "around", "broken", "data/up", "model.py", "more", "same", "settings.txt"]
    assert packed.that_are("link") == links
    assert packed.that_are("secret") == [".env"]


SECRETS = (
    ".env", ".env.production", "deep/.ENV.local", "prod.env", ".envrc", ".netrc", ".git-credentials", ".pypirc",
    ".npmrc", "tls/server.pem", "tls/server.KEY", "id_rsa", "id_rsa.pub", "id_ed25519_work", "kubeconfig",
    "kubeconfig.yaml", "credentials", "credentials.json", "secrets.toml", "secrets.yaml", "client_secret_1.json",
    "service-account.json", "terraform.tfstate", "token", ".pgpass", ".bash_history", "key.p12", "kaggle.json",
    "application_default_credentials.json",
)  # fmt: skip
SECRET_FOLDERS = (".ssh/config", ".aws/credentials", ".docker/config.json", ".kube/config", ".config/gcloud/x.db")
HARMLESS = (
    "environment.py", "keys.py", "credentials.py", "tokens.txt", "tokenizer.json", "vocabulary.key.csv", "history.csv",
    "monkey", "secret_santa.yaml", "src/token.py", "data/passwords.npz",
)  # fmt: skip


def test_what_may_hold_secrets_stays(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "spec.yaml", *SECRETS, *SECRET_FOLDERS, *HARMLESS)
    packed = pack(tmp_path / "spec.yaml", tmp_path / "runs")
    assert set(packed.files) == {"pyproject.toml", "spec.yaml", *HARMLESS}
    folders = {f"{name.partition('/')[0]}/" for name in SECRET_FOLDERS}
    assert set(packed.that_are("secret")) == {*SECRETS, *folders}


def test_craftcignore_takes_in_what_it_names_and_nothing_by_a_wildcard(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "spec.yaml", ".env", ".env.test", "certs/ca.pem", "certs/own.pem", "a/.env")
    write(tmp_path, ".craftcignore", text="*\n!*\n!.env*\n!.env.test\n!certs/ca.pem\n")
    write(tmp_path, ".gitignore", text="!.env\n")
    packed = pack(tmp_path / "spec.yaml", tmp_path / "runs")
    assert packed.files == (".env.test", "certs/ca.pem", "pyproject.toml", "spec.yaml")
    assert packed.that_are("secret") == [".env", "a/.env", "certs/own.pem"]


def test_too_much_is_refused_with_the_largest_first(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "spec.yaml")
    write(tmp_path, "small.bin", text="x" * 400)
    write(tmp_path, "large.bin", text="x" * 700)
    assert pack(tmp_path / "spec.yaml", tmp_path / "runs", max_bytes=1102).num_bytes == 1102
    with pytest.raises(BackendError, match=r"the largest are large\.bin .*, small\.bin") as caught:
        pack(tmp_path / "spec.yaml", tmp_path / "runs", max_bytes=1101)
    assert caught.value.code == "project-too-large"


def test_the_digest_is_of_names_contents_and_the_spec_alone(tmp_path: Path) -> None:
    digests = []
    for folder in ("one", "two"):
        write(tmp_path / folder, "pyproject.toml", "a.yaml", "b.yaml")
        digests.append(digest(pack(tmp_path / folder / "a.yaml", tmp_path / "runs")))
    assert digests[0] == digests[1]
    root = tmp_path / "two"
    seen = {digests[0], digest(pack(root / "b.yaml", tmp_path / "runs"))}
    write(root, "b.yaml", text="y")
    seen.add(digest(pack(root / "a.yaml", tmp_path / "runs")))
    (root / "b.yaml").rename(root / "c.yaml")
    seen.add(digest(pack(root / "a.yaml", tmp_path / "runs")))
    assert len(seen) == 4
