"""The complete spec: it plans to the same trials, wherever it is saved, and every value's origin is right."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from craftc.cli.plan import plan_json
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Analysis, compile_spec
from craftc.compiler.reading.parse import parse
from craftc.compiler.resolved.resolved_spec import Item, ResolvedSpec, resolved_spec
from craftc.compiler.resolved.write_json import as_json
from craftc.compiler.resolved.write_yaml import as_yaml
from craftc.runtime.store.store import Store
from craftc.runtime.store.trained_weights import trained_trials
from craftc.schemas.diagnostic import Position, Range
from craftc.schemas.plan import Plan

ROOT = Path(__file__).parents[4]
ENVIRONMENT = {"TEAM": "owls", "DATA": "tables"}
# Those of data that is fetched cannot be planned without it.
_OURS = [path for path in (ROOT / "specs").glob("*.yaml") if "../data/" not in path.read_text(encoding="utf-8")]
SPECS = sorted([*(ROOT / "tests" / "golden" / "ok").glob("*.yaml"), *_OURS])
HEAD = """\
craftc: 1
name: example
data: {source: digits}
"""


def compiled(path: Path) -> tuple[Analysis, Plan]:
    text, trained = path.read_text(encoding="utf-8"), trained_trials(Store(ROOT / "tests" / "golden" / "store"))
    found = compile_spec(text, str(path), built_in_catalogue(), environment=ENVIRONMENT, trained=trained)
    assert found.diagnostics == ()
    assert found.plan is not None
    return found.analysis, found.plan


def completed(path: Path, folder: Path) -> Path:
    analysis, _ = compiled(path)
    saved = folder / "elsewhere" / "saved.yaml"
    if path.is_relative_to(folder):
        saved.parent.mkdir()
    else:  # code of the user's own is looked for from where the spec lies
        shutil.copytree(path.parent, saved.parent)
    saved.write_text(as_yaml(resolved_spec(analysis)), encoding="utf-8")
    return saved


def origins(text: str) -> dict[str, str]:
    """The comment behind each key, by the key; the last of several."""
    return dict(re.findall(r"^ *(?:- |# )?([\w.]+): .*?  # (.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_it_plans_to_the_same_trials_from_any_folder(path: Path, tmp_path: Path) -> None:
    _, plan = compiled(path)
    saved = completed(path, tmp_path)
    assert not re.search(r"\$\{|^ *(extends|use):", saved.read_text(encoding="utf-8"), re.MULTILINE)
    again, plan_again = compiled(saved)
    assert plan_json(plan_again) == plan_json(plan)
    # A complete spec says nothing by default but what cannot be written; completing it changes no value.
    twice = as_json(resolved_spec(again))
    assert twice["spec"] == as_json(resolved_spec(compiled(path)[0]))["spec"]
    assert not [path for path, origin in twice["origins"].items() if origin["from"] == "default" and origin["written"]]


HARD = [
    # A default that is written must not clash with what `regularization` hands on, in the spec or in one variant.
    "model: {kind: mlp}\nregularization: {dropout: 0.1}\n",
    "model: {kind: mlp}\nablation: {grid: {regularization.dropout: [0.1]}}\n",
    "model: {kind: mlp}\nablation: {features: {small: {model.kind: linear}}}\n",
    "model: mlp\nablation: {features: {stop: {training.early_stopping.metric: valid/loss, "
    "training.early_stopping.patience: 1}}}\n",
    "model: mlp\nablation: {grid: {evaluation.select.metric: [valid/accuracy]}}\n",
    "model: mlp\nevaluation: {select: none}\n",
    "model: mlp\nablation: {grid: {model.dropout: [0.1, 0.2]}, design: [one_at_a_time]}\n",
    "model: mlp\nablation: {grid: {model: [linear, {kind: mlp, dropout: 0.5}]}, exclude: [{model: linear}]}\n",
    "model: mlp\nablation: {grid: {training.optimizer.kind: [sgd, adam]}}\n",
    'model: mlp\ndescription: "a: \\"b\\" \\\\ # c\\n\\tü\\u2028\\x85 日本 \U0001f600"\n',
    "model: mlp\nreport: {trackers: [{kind: wandb, project: 'yes', entity: '1e3', mode: disabled}]}\n",
    'model: mlp\nablation: {features: {"- x: {#": {model.dropout: 0.5}, "null": {model.hidden: [8]}}}\n',
]


@pytest.mark.parametrize("text", HARD)
def test_what_is_hard_to_complete(text: str, tmp_path: Path) -> None:
    rest = "objective: cross_entropy\ntraining: {epochs: 3, batch_size: 32, optimizer: adamw}\n"
    path = tmp_path / "x.yaml"
    path.write_text(HEAD + text + rest, encoding="utf-8")
    _, plan = compiled(path)
    _, again = compiled(completed(path, tmp_path))
    assert plan_json(again) == plan_json(plan)


def test_every_value_tells_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "tests" / "golden" / "ok")
    analysis, _ = compiled(Path("composed.yaml"))
    found = origins(as_yaml(resolved_spec(analysis)))
    assert found["num_layers"] == "composed.yaml:4"
    assert found["d_model"] == "bases/digits.yaml:3"
    assert found["lr"] == "bases/tuned.yaml:2"
    assert found["clip_grad_norm"] == "default"
    assert found["model.d_ffn"] == "bases/widths.yaml:1"
    assert found["project"] == "env TEAM, composed.yaml:15"
    told = as_json(resolved_spec(analysis))
    assert told["spec"]["report"]["trackers"][0]["project"] == "digits-owls"
    assert told["origins"]["report.trackers.0.project"]["variables"] == ["TEAM"]
    assert told["origins"]["objective.metrics.0.kind"]["range"]["start"] == {"line": 5, "column": 23}
    assert told["origins"]["model.dropout"] == {"from": "default", "written": False, "value": 0.0}
    assert "dropout" not in told["spec"]["model"]
    assert told["included"]["bases/regularized.yaml"]["filename"] == "bases/tuned.yaml"
    json.dumps(told)


def test_paths_of_data_are_absolute(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "tables" / name).write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    path = tmp_path / "x.yaml"
    path.write_text(
        "craftc: 1\nname: x\nmodel: mlp\nobjective: cross_entropy\n"
        "training: {epochs: 3, batch_size: 8, optimizer: adamw}\n"
        'data: {source: {kind: csv, path: "${env:DATA}/b.csv", target: y}}\n'
        "ablation: {grid: {data.source.path: [./tables/../tables/a.csv]}}\n"
    )
    _, plan = compiled(path)
    saved = completed(path, tmp_path)
    assert [t.id for t in compiled(saved)[1].trials] == [t.id for t in plan.trials]
    assert saved.read_text().count(str(tmp_path / "tables" / "a.csv")) == 1
    assert saved.read_text().count(str(tmp_path / "tables" / "b.csv")) == 1


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    | st.sampled_from(
        ["null", "~", "no", "1", "0x1", ".inf", "a: b", "a #b", "- a", "<<", "a:b", "${x}", "---", "=", ""]
    ),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), inner)
    ),
    max_leaves=8,
)


def written(value: Any) -> Any:
    """A value and one behind it, as written and read back; the value's line alone if it is on one."""
    items = {"value": Item(value), "behind": Item("it")}
    text = as_yaml(ResolvedSpec("x.yaml", Item(children=items)))
    document, diagnostics = parse(text, "x.yaml")
    assert diagnostics == []
    assert document is not None
    found = document.root.plain()
    assert found.keys() == items.keys()
    assert found["behind"] == "it"
    return found["value"]


@given(PLAIN)
def test_any_value_is_read_back_as_it_is(value: Any) -> None:
    assert repr(written(value)) == repr(value)


OTHERS_TAKE_FOR_SOMETHING_ELSE = [
    *(
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "~",
        "null",
        "Null",
        "true",
        "1e3",
        "1_000",
        "012",
        "0o17",
        "0x1f",
        "12:30",
        "1:2:3",
    ),
    *("2026-11-30", "2026-11-30 02:38:00", ".5", ".inf", ".NaN", "+1", "-", "<<", "=", "", " x", "x ", "a: b", "a #b"),
    *("!tag", "&a", "*a", "@x", "`x`", "%x", "? x", "- x", "[x", "{x", "'x'", '"x"', "a\tb", "a\nb", "---", "..."),
]


@pytest.mark.parametrize("text", OTHERS_TAKE_FOR_SOMETHING_ELSE)
def test_text_is_text_to_every_reader(text: str) -> None:
    """PyYAML reads YAML 1.1, ruamel 1.2."""
    resolved = as_yaml(ResolvedSpec("x.yaml", Item(children={"value": Item(text), "list": Item([text, {text: text}])})))
    for found in (yaml.safe_load(resolved), YAML(typ="safe", pure=True).load(resolved)):
        assert found == {"value": text, "list": [text, {text: text}]}


ODD = ["\ud800", "a\u202eb", "\u2066", "\x01\x1b[31m", "\x85", "\u2028", "\ufeff", "\uffff", "\xa0", "\x7f"]
REFUSED = ("\ud800", "\x01\x1b[31m", "\x7f")
"""What no text of a spec may hold, escaped or not."""


@pytest.mark.parametrize("text", ODD)
def test_what_is_not_seen_is_escaped(text: str) -> None:
    """In values, keys and names of files."""
    place = Range(filename=text, start=Position(line=1, column=1), end=Position(line=1, column=2))
    left_out = Item(text, place, is_left_out=True)
    items = {"value": Item(text, place), text: Item([text, {text: text}]), "left": left_out, "last": Item(1)}
    resolved = as_yaml(ResolvedSpec(text, Item(children=items), {text: place}))
    assert all(char.isprintable() for line in resolved.split("\n") for char in line)
    document, diagnostics = parse(resolved, "x.yaml")
    assert document is not None
    if text not in REFUSED:
        assert diagnostics == []
        assert document.root.plain() == {"value": text, text: [text, {text: text}], "last": 1}


def test_what_is_left_out_is_a_comment_in_its_place() -> None:
    hidden = Item(0.5, is_left_out=True)
    root = {
        "first": Item(children={"a": hidden, "b": Item([1, 2]), "c": hidden}, unset=("d",)),
        "gone": Item(children={"x": Item(children={"v": hidden}, unset=("z",))}, unset=("w",)),
        "list": Item(
            children=[Item(children={"a": hidden, "b": Item(1)}), Item("text"), Item(children={"b": Item({})})]
        ),
        "last": Item(children={"a": Item(None), "b": hidden}),
    }
    behind = "# default, left out: it is set elsewhere"
    assert (
        as_yaml(ResolvedSpec("x.yaml", Item(children=root, unset=("e",))))
        == f"""\
# x.yaml, complete: every default and every included file is written in.
first:
  # a: 0.5  {behind}
  b: [1, 2]  # default
  # c: 0.5  {behind}
  # not set: d
# gone:
  # x:
    # v: 0.5  {behind}
    # not set: z
  # not set: w
list:
  -
    # a: 0.5  {behind}
    b: 1  # default
  - text  # default
  - b: {{}}  # default
last:
  a: null  # default
  # b: 0.5  {behind}
# not set: e
"""
    )
