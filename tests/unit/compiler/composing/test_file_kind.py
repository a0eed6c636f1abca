"""Files that have nothing to do with craftc are known by their keys, and nothing of them is told."""

import pytest

from craftc.compiler.composing.file_kind import is_foreign, is_foreign_text
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.reading.parse import parse
from craftc.compiler.render.text import as_json, render_text

FOREIGN = (
    "PASSWORD=c4n4ry", "machine h login me password c4n4ry\n", "https://me:c4n4ry@github.com\n",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nc4n4ry\n", "root:$6$c4n4ry:19000:0:99999:7:::\nx:y:1::\n",
    "apiVersion: v1\nkind: Secret\ndata: {password: c4n4ry}\n", '{"type": "service_account", "private_key": "c4n4ry"}',
    "c4n4ry: [1\n", "a: *c4n4ry\n", "!c4n4ry a: 1\n", "c4n4ry: 1\nc4n4ry: 2\n", "1: c4n4ry\n", "- c4n4ry\n",
    "[default]\nkey = c4n4ry\n", "password: 'c4n4ry\n", "%c4n4ry\n", "a: 1\n---\nc4n4ry: 2\n", "# c4n4ry\n", "c4n4ry",
    "oauth_token: 99999999999999999999999999c4n4ry\n? c4n4ry\n",
)  # fmt: skip
OURS = (
    "craftc: 1\nname: x\n", "craftc:1\n", "{craftc: 1, name: x", "  craftc: 1\n  name: [\n", "\ufeffcraftc: 1\nx: [\n",
    "modle: {kind: mlp}\n", "training.batch_size: {int: [8, 64]}\n", "name: x\n", "'craftc': 1\nfoo: [\n",
)  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN)
def test_nothing_of_a_foreign_file_is_told(text: str) -> None:
    diagnostics = analyse(text, "x.yaml", built_in_catalogue()).diagnostics
    assert diagnostics
    assert "c4n4ry" not in render_text(diagnostics, {"x.yaml": text})
    assert "c4n4ry" not in str(as_json(diagnostics))


@pytest.mark.parametrize("text", OURS)
def test_ours_are_known_with_their_mistakes(text: str) -> None:
    document, _ = parse(text, "x.yaml")
    assert not (is_foreign_text(text) if document is None else is_foreign(document.root))
