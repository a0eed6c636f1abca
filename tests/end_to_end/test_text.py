"""A language model as its user meets it: a text, a spec, `craftc run`, a conclusion."""

import contextlib
import json
from pathlib import Path

from click.testing import CliRunner, Result

from craftc.cli.main import app
from craftc.components.tokenizers.vocabulary import Vocabulary

SPEC = """\
craftc: 1
name: rhyme
data:
  source: {kind: text_file, path: rhyme.txt, context_length: 12}
  splits: {train: 0.6, valid: 0.2, test: 0.2}
model: {kind: decoder, d_model: 16, num_layers: 1, num_heads: 2, d_ffn: 32}
objective: {kind: cross_entropy, metrics: [bits_per_character, accuracy]}
training: {epochs: 4, batch_size: 8, optimizer: {kind: adamw, lr: 2e-2}}
evaluation: {select: {metric: valid/bits_per_character}}
ablation: {seeds: 2, features: {positions: {model.positions: none}}}
"""
RHYME = "one for the money, two for the show, three to get ready, and four to go\n"


def craftc(folder: Path, *arguments: str) -> Result:
    """In this process, which has torch already."""
    with contextlib.chdir(folder):
        return CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)


def test_a_text_is_learned_kept_and_reported(tmp_path: Path) -> None:
    (tmp_path / "rhyme.txt").write_text(RHYME * 40)
    (tmp_path / "rhyme.yaml").write_text(SPEC)
    first = craftc(tmp_path, "run", "rhyme.yaml", "--backend", "inline")
    assert first.exit_code == 0, first.stderr
    assert "test/bits_per_character (mean cross entropy in bits per character" in first.stdout
    reported = json.loads(craftc(tmp_path, "report", "rhyme", "--format", "json").stdout)
    assert (reported["metric"]["name"], reported["mode"]) == ("bits_per_character", "min")
    assert reported["variants"][0]["value"]["mean"] < reported["trivial"]["value"] / 2
    # The tokens are kept with each trial, for text that is made where the data is not.
    kept = [Vocabulary.from_json(file.read_text()) for file in tmp_path.glob("runs/store/*/vocabulary.json")]
    assert [each.decode(each.encode("two for the show")) for each in kept] == ["two for the show"] * 4
    again = craftc(tmp_path, "run", "rhyme.yaml", "--backend", "inline")
    assert again.stdout == first.stdout
    assert "4 trials: 0 new, 4 reused" in again.stderr


def test_what_only_the_text_shows_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "rhyme.txt").write_text(RHYME * 39 + RHYME.upper())
    (tmp_path / "rhyme.yaml").write_text(SPEC)
    result = craftc(tmp_path, "run", "rhyme.yaml", "--backend", "inline")
    assert result.exit_code == 1
    assert "rhyme.yaml:4:" in result.stderr
    assert "error[unknown-token]: split test has tokens that train does not have: 'A', 'D', 'E'" in result.stderr
    assert "min_count: " in result.stderr
    assert not list((tmp_path / "runs").glob("store/*/result.json"))
