"""`extends` and `search.use`: what is merged how, where files are found, and what is told of them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.compiler.composing.included_files import MAX_FILES
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Analysis, analyse, compile_spec
from craftc.compiler.reading.parse import parse
from craftc.schemas.section import as_tree

BASE = """\
craftc: 1
name: base
description: A question of the base.
data: {source: digits, splits: {train: 0.6, valid: 0.2, test: 0.2}}
model: {kind: mlp, hidden: [32, 16], dropout: 0.1}
objective: {kind: cross_entropy, label_smoothing: 0.1, metrics: [accuracy, auroc]}
training:
  epochs: 7
  batch_size: 32
  optimizer: {kind: adamw, lr: 1e-3}
  early_stopping: {metric: valid/loss, patience: 3}
ablation:
  features: {norm: {data.normalize: per_line}, smooth: {objective.label_smoothing: 0.0}}
  grid: {training.epochs: [6, 8], model.activation: [relu, gelu]}
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "pyproject.toml").touch()

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def extended(write: Write) -> Callable[[str], Analysis]:
    """A spec over BASE."""

    def extend(text: str) -> Analysis:
        write("base.yaml", BASE)
        path = write("spec.yaml", f"craftc: 1\nname: own\nextends: base.yaml\n{text}\n")
        return read(path)

    return extend


def read(path: Path) -> Analysis:
    return analyse(path.read_text(encoding="utf-8"), str(path), built_in_catalogue())


def tree(analysis: Analysis) -> dict[str, Any]:
    assert analysis.diagnostics == ()
    assert analysis.spec is not None
    return as_tree(analysis.spec)


def test_sections_merge_key_by_key(extended: Callable[[str], Analysis]) -> None:
    found = tree(extended("training: {epochs: 9}"))["training"]
    assert (found["epochs"], found["batch_size"], found["optimizer"]["lr"]) == (9, 32, 1e-3)


def test_what_a_file_says_of_itself_is_not_inherited(write: Write, extended: Callable[[str], Analysis]) -> None:
    assert tree(extended(""))["description"] == ""
    nameless = read(write("nameless.yaml", "craftc: 1\nextends: base.yaml\n"))
    assert [(d.code, d.message) for d in nameless.diagnostics] == [("missing-key", 'the spec needs "name"')]


def test_lists_and_scalars_are_replaced_whole(extended: Callable[[str], Analysis]) -> None:
    found = tree(extended("model: {hidden: [8]}\nobjective: {metrics: [f1_macro]}"))
    assert found["model"]["hidden"] == [8]
    assert found["model"]["dropout"] == 0.1
    assert [metric["kind"] for metric in found["objective"]["metrics"]] == ["f1_macro"]


@pytest.mark.parametrize("optimizer", ["sgd", "{kind: sgd}"])
def test_a_component_of_another_kind_is_replaced_whole(extended: Callable[[str], Analysis], optimizer: str) -> None:
    found = tree(extended(f"training: {{optimizer: {optimizer}}}"))["training"]["optimizer"]
    assert found["kind"] == "sgd"
    assert found["lr"] != 1e-3


@pytest.mark.parametrize("optimizer", ["adamw", "{kind: adamw}", "{}"])
def test_a_component_of_the_same_kind_keeps_its_arguments(extended: Callable[[str], Analysis], optimizer: str) -> None:
    assert tree(extended(f"training: {{optimizer: {optimizer}}}"))["training"]["optimizer"]["lr"] == 1e-3


def test_arguments_reach_a_component_that_the_base_names_alone(write: Write) -> None:
    write("base.yaml", BASE.replace("{kind: adamw, lr: 1e-3}", "adamw"))
    path = write("spec.yaml", "craftc: 1\nname: own\nextends: base.yaml\ntraining: {optimizer: {lr: 0.5}}\n")
    assert tree(read(path))["training"]["optimizer"]["lr"] == 0.5


def test_what_belongs_to_the_section_stays_when_its_kind_changes(write: Write) -> None:
    """There is one built-in objective, so that a kind that is none shows what is dropped and what stays."""
    write("base.yaml", BASE)
    path = write("spec.yaml", "craftc: 1\nname: own\nextends: base.yaml\nobjective: other\n")
    analysis = read(path)
    assert [d.code for d in analysis.diagnostics] == ["unknown-kind"]
    assert analysis.document is not None
    objective = analysis.document.root.plain()["objective"]
    assert objective == {"metrics": ["accuracy", "auroc"], "kind": "other"}


def test_none_takes_all_of_a_grid_or_of_the_features_away(extended: Callable[[str], Analysis]) -> None:
    names = [variant.name for variant in extended("ablation: {grid: none, exclude: none}").variants]
    assert names == ["full", "-norm", "-smooth"]
    assert [variant.name for variant in extended("ablation: {features: none, grid: none}").variants] == ["base"]


def test_none_switches_off_what_the_base_has(extended: Callable[[str], Analysis]) -> None:
    assert tree(extended("training: {early_stopping: none}"))["training"]["early_stopping"] == "none"


def test_entries_under_the_users_own_keys_are_replaced_or_taken_away(extended: Callable[[str], Analysis]) -> None:
    text = "ablation: {grid: {training.epochs: [9], model.activation: none}, features: {norm: {model.hidden: [4]}}}"
    found = tree(extended(text))["ablation"]
    assert found["grid"] == {"training.epochs": [9]}
    assert found["features"] == {"norm": {"model.hidden": [4]}, "smooth": {"objective.label_smoothing": 0.0}}
    splits = tree(extended("data: {splits: {test: none, valid: 0.4}}\n"))["data"]["splits"]
    assert {name: splits[name] for name in splits if name in ("train", "valid", "test")} == {"train": 0.6, "valid": 0.4}


def test_none_that_takes_nothing_away_is_a_mistake(extended: Callable[[str], Analysis]) -> None:
    (found,) = extended("ablation: {grid: {model.hiden: none}}").diagnostics
    assert (found.code, found.path) == ("wrong-type", 'ablation.grid["model.hiden"]')


def test_the_later_of_several_bases_wins_and_a_base_may_extend(write: Write) -> None:
    write("base.yaml", BASE)
    write("deep/one.yaml", "extends: ../base.yaml\ntraining: {epochs: 11, batch_size: 11}\n")
    write("two.yaml", "training: {batch_size: 22}\n")
    path = write("spec.yaml", "craftc: 1\nname: own\nextends: [deep/one.yaml, two.yaml]\n")
    found = tree(read(path))["training"]
    assert (found["epochs"], found["batch_size"]) == (11, 22)


def test_a_base_reached_on_two_ways_is_read_once(write: Write) -> None:
    """Each level names the one below twice: unless they are kept, 2 to the power of 14 files are merged."""
    write("0.yaml", BASE)
    for level in range(1, 15):
        write(f"{level}.yaml", f"extends: [{level - 1}.yaml, ./{level - 1}.yaml]\n")
    analysis = read(write("spec.yaml", "craftc: 1\nname: own\nextends: 14.yaml\n"))
    assert tree(analysis)["training"]["epochs"] == 7
    assert len(analysis.fragments) == 15


def test_paths_of_data_start_from_the_file_that_says_them(write: Write, tmp_path: Path) -> None:
    write("shared/data/a.csv", "x,y\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(40)))
    write("shared/b.csv", "x,y\n" + "".join(f"{i % 5},{i % 2}\n" for i in range(40)))
    text = BASE.replace("source: digits", "source: {kind: csv, path: data/a.csv, target: y}")
    text = text.replace("per_line", "per_feature")
    write("shared/base.yaml", text + "  zip: {data.source.path: [b.csv]}\n")
    path = write("specs/spec.yaml", "craftc: 1\nname: own\nextends: ../shared/base.yaml\n")
    compiled = compile_spec(path.read_text(), str(path), built_in_catalogue())
    assert compiled.diagnostics == ()
    assert compiled.plan is not None
    read_files = {trial.config["data"]["source"]["path"] for trial in compiled.plan.trials}
    assert read_files == {str(tmp_path / "shared" / "data" / "a.csv"), str(tmp_path / "shared" / "b.csv")}


def test_a_file_that_is_extended_is_no_other_experiment(write: Write, extended: Callable[[str], Analysis]) -> None:
    own = write("whole.yaml", BASE)
    split = extended("")
    ids = [
        [trial.id for trial in plan.trials]
        for text, name in ((own.read_text(), own), (Path(split.document.filename).read_text(), split.document.filename))
        if (plan := compile_spec(text, str(name), built_in_catalogue()).plan) is not None
    ]
    assert len(ids) == 2
    assert ids[0] == ids[1]


def test_search_spaces_in_a_list_and_from_a_base(write: Write) -> None:
    write("shared/search_spaces/a.yaml", "training.epochs: {int: [1, 4]}\nmodel.dropout: {uniform: [0, 0.5]}\n")
    write("shared/b.yaml", "training.epochs: {choice: [1, 2]}\n")
    write("shared/base.yaml", BASE.split("ablation:")[0] + "search: {use: [a, ./b.yaml]}\n")
    search = "search: {space: {model.dropout: none}, optimize: {metric: valid/loss}, trials: 2}"
    analysis = read(write("specs/s.yaml", f"craftc: 1\nname: own\nextends: ../shared/base.yaml\n{search}\n"))
    assert analysis.diagnostics == ()
    assert analysis.spec is not None
    assert analysis.spec.search is not None
    assert {path: given.forms for path, given in analysis.spec.search.space.items()} == {
        "training.epochs": {"choice": (1, 2)}
    }


def test_more_files_than_a_spec_may_have(write: Write) -> None:
    write("base.yaml", BASE)
    names = [write(f"part{i}.yaml", "training: {epochs: 3}\n").name for i in range(MAX_FILES)]
    path = write("spec.yaml", f"craftc: 1\nname: own\nextends: [base.yaml, {', '.join(names)}]\n")
    (found,) = read(path).diagnostics
    assert (found.code, found.message) == ("too-many-files", f"the spec is made of more than {MAX_FILES} files")


def test_a_chain_that_is_too_long(write: Write) -> None:
    write("0.yaml", BASE)
    for level in range(1, 40):
        write(f"{level}.yaml", f"extends: {level - 1}.yaml\n")
    (found,) = read(write("spec.yaml", "craftc: 1\nname: own\nextends: 39.yaml\n")).diagnostics
    assert found.code == "too-many-files"
    assert Path(found.range.filename).name == "25.yaml"


def test_files_that_are_too_large_together(write: Write) -> None:
    for name in ("a.yaml", "b.yaml"):
        write(name, BASE + "#" * 600_000)
    (found,) = read(write("spec.yaml", "craftc: 1\nname: own\nextends: [a.yaml, b.yaml]\n")).diagnostics
    assert (found.code, found.range.start.column) == ("too-many-files", 19)


def test_a_link_to_itself_is_a_cycle(write: Write, tmp_path: Path) -> None:
    path = write("spec.yaml", "craftc: 1\nname: own\nextends: link.yaml\n")
    os.symlink(path, tmp_path / "link.yaml")
    assert [d.code for d in read(path).diagnostics] == ["extends-cycle"]


def test_a_folder_and_a_file_of_bytes_cannot_be_extended(write: Write, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    analysis = read(write("spec.yaml", "craftc: 1\nname: own\nextends: [folder, bytes.yaml]\n"))
    assert [d.code for d in analysis.diagnostics] == ["unknown-base", "unknown-base"]


@pytest.mark.parametrize(
    ("text", "kind", "codes"),
    [
        (BASE, "spec", []),
        (BASE.replace("craftc: 1\n", ""), "spec", ["missing-version"]),
        (BASE.replace("craftc: 1\nname: base\n", ""), "base", []),
        ("name: part\nextends: lost.yaml\n", "spec", ["unknown-base"]),
        ("name: part\nmodel: mlp\n", "spec", ["missing-version"]),
        ("training: {epochs: 0}\n", "base", ["out-of-bounds"]),
        ("training: {epochs: 3}\n", "base", []),
        ("extends: lost.yaml\nmodel: {dropout: 0.1}\n", "base", ["unknown-base"]),
        (
            "model: {kind: mlp, hiden: [3]}\nablation: {grid: {training.epoch: [1]}}\n",
            "base",
            ["unknown-key", "unknown-factor"],
        ),
        ("training.epochs: {int: [1, 4]}\nmodel.span: {int: [1, 4]}\n", "search space", []),
        ("training.epoch: {int: [1, 4]}\nmodel.x: {int: [4, 1]}\n", "search space", ["unknown-factor", "range-order"]),
        ("name: workflow\non: [push]\njobs: {test: {steps: []}}\n", None, []),
        ("- a\n", None, []),
    ],
)
def test_a_file_by_itself_is_told_what_can_be_told(
    text: str, kind: str | None, codes: list[str], tmp_path: Path
) -> None:
    analysis = analyse(text, str(tmp_path / "x.yaml"), built_in_catalogue(), kind=None)
    assert analysis.kind == kind
    assert [d.code for d in analysis.diagnostics] == codes


@pytest.mark.parametrize("version", ['"1"', "true", "1.0", "[1]"])
def test_a_base_whose_version_is_no_number_is_told(write: Write, version: str) -> None:
    write("base.yaml", BASE.replace("craftc: 1", f"craftc: {version}"))
    for text in ("craftc: 1\nname: own\nextends: base.yaml\n", "name: own\nextends: base.yaml\n"):
        told = read(write("spec.yaml", text)).diagnostics
        assert [(d.code, d.path, Path(d.range.filename).name) for d in told][:1] == [
            ("wrong-type", "craftc", "base.yaml")
        ]
        assert told[0].related[-1].message == "included here"


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "training": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 9),
                "optimizer": st.sampled_from(["adamw", "sgd", {"kind": "adamw", "lr": 0.5}, {"kind": "sgd"}]),
                "early_stopping": st.sampled_from(["none", {"metric": "valid/loss", "patience": 1}, {"patience": 2}]),
            },
        ),
        "model": st.sampled_from(["linear", "mlp", {"kind": "mlp", "hidden": [4]}, {"kind": "mlp", "dropout": 0.5}]),
        "ablation": st.fixed_dictionaries(
            {}, optional={"grid": st.dictionaries(st.sampled_from(["training.epochs", "seed.x"]), st.just([1, 2]))}
        ),
    },
)


@given(SECTIONS)
def test_a_file_over_itself_or_over_nothing_is_itself(sections: dict[str, Any]) -> None:
    from craftc.compiler.checking.resolve import resolve
    from craftc.compiler.composing.merge import extend

    document, _ = parse(str(sections).replace("'", '"'), "x.yaml")
    nothing, _ = parse("{}", "x.yaml")
    assert document is not None
    assert nothing is not None
    written = resolve(sections)
    for base, over in ((document, document), (nothing, document), (document, nothing)):
        assert resolve(extend(base.root, over.root).plain()) == written


TERMS = BASE.replace(
    "objective: {kind: cross_entropy, label_smoothing: 0.1, metrics: [accuracy, auroc]}",
    "objective: {terms: {a: {kind: cross_entropy, weight: 0.9}, b: cross_entropy}, metrics: [accuracy]}",
).replace(", smooth: {objective.label_smoothing: 0.0}", "")


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("{terms: {a: {weight: 0.5}}}", {"a": 0.5, "b": 1.0}),
        ("{terms: {b: {weight: 0.5}, c: {kind: cross_entropy}}}", {"a": 0.9, "b": 0.5, "c": 1.0}),
        ("{terms: {a: none}}", {"b": 1.0}),
        ("{kind: cross_entropy}", {}),
        ("cross_entropy", {}),
    ],
)
def test_terms_merge_each_with_its_own(write: Write, objective: str, expected: dict[str, float]) -> None:
    write("base.yaml", TERMS)
    found = tree(read(write("spec.yaml", f"craftc: 1\nname: own\nextends: base.yaml\nobjective: {objective}\n")))
    terms = found["objective"]["terms"]
    assert {name: term["weight"] for name, term in terms.items()} == expected
    assert found["objective"]["metrics"][0]["kind"] == "accuracy"
    assert all(term["kind"] == "cross_entropy" for term in terms.values())


def test_terms_take_the_place_of_a_kind_and_its_arguments(write: Write) -> None:
    write("base.yaml", BASE.replace(", smooth: {objective.label_smoothing: 0.0}", ""))
    text = "craftc: 1\nname: own\nextends: base.yaml\nobjective: {terms: {a: cross_entropy}}\n"
    found = tree(read(write("spec.yaml", text)))["objective"]
    assert (found["kind"], list(found["terms"]), len(found["metrics"])) == (None, ["a"], 2)
    assert "label_smoothing" not in found
