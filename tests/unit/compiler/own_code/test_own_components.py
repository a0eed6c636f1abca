"""Kinds of a user's own in whole specs: what lint says of them, and what a trial's identity takes of their source."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Compiled, compile_spec, data_files
from craftc.schemas.diagnostic import Diagnostic

MODELS = """
    import pathlib
    pathlib.Path(__file__).with_name("imported").touch()
    from typing import Annotated
    from annotated_types import Ge
    from torch import nn
    from .layers import Encoder

    class Net(nn.Identity):
        def __init__(self, encoder: Encoder, *, num_classes: int, dropout: float = 0.0, size=(8, 8)): ...

    def make(depth: Annotated[int, Ge(1)] = 2, blocks: list[nn.Module] = [], weights: pathlib.Path | None = None):
        return nn.Identity()
"""
LAYERS = """
    from torch import nn

    class Encoder(nn.Module):
        constraints = ("width % heads == 0",)

        def __init__(self, width: int, heads: int = 1, inner: nn.Module | None = None): ...
"""
NET = "model: {kind: lab.models:Net, encoder: {kind: lab.layers:Encoder, width: 8}}"
SECTIONS = {
    "craftc": "craftc: 1",
    "name": "name: example",
    "data": "data: {source: digits}",
    "model": "model: {kind: mlp}",
    "objective": "objective: {kind: cross_entropy}",
    "training": "training: {epochs: 5, batch_size: 32, optimizer: adamw}",
}
Write = Callable[[dict[str, str]], None]


def complete(text: str) -> str:
    given = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    if "extends" in given:
        given.add("model")
    return "\n".join([*(section for name, section in SECTIONS.items() if name not in given), text])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of code, `lab`, and one of specs beside it."""
    folder = tmp_path / "project"
    (folder / "specs").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    write(folder, {"lab/__init__.py": "", "lab/models.py": MODELS, "lab/layers.py": LAYERS})
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source), encoding="utf-8")


def compiled(project: Path, text: str) -> Compiled:
    return compile_spec(complete(text), str(project / "specs" / "x.yaml"), built_in_catalogue())


def told(project: Path, text: str) -> list[tuple[str, str]]:
    """Each mistake as its code and the text that it points at."""
    lines = complete(text).splitlines()
    ranges = [(d.code, d.range) for d in compiled(project, text).diagnostics]
    return [(code, lines[r.start.line - 1][r.start.column - 1 : r.end.column - 1]) for code, r in ranges]


def only(project: Path, text: str) -> Diagnostic:
    (diagnostic,) = compiled(project, text).diagnostics
    return diagnostic


def configs(project: Path, text: str) -> dict[str, dict[str, Any]]:
    """The model of each variant's trial, by the variant's name."""
    result = compiled(project, text)
    assert result.plan is not None, result.diagnostics
    return {trial.variant: trial.config["model"] for trial in result.plan.trials}


def ids(project: Path, text: str) -> set[str]:
    result = compiled(project, text)
    assert result.plan is not None, result.diagnostics
    return {trial.id for trial in result.plan.trials}


def test_a_right_one_is_planned_with_its_defaults_and_never_imported(project: Path) -> None:
    expected = {
        "kind": "lab.models:Net",
        "encoder": {"kind": "lab.layers:Encoder", "width": 8, "heads": 1, "inner": None},
        "num_classes": "infer",
        "dropout": 0.0,
    }
    # A tuple would come back as a list, so that the default of size is left to the class.
    assert configs(project, NET) == {"base": expected}
    assert not list(project.rglob("imported"))


def test_the_places_of_mistakes_in_arguments_of_arguments(project: Path) -> None:
    inner = "{kind: lab.layers:Encoder, width: 8, inner: {kind: lab.layers:Encoder, width: '8', head: 2}}"
    text = f"model: {{kind: lab.models:Net, encoder: {inner}}}"
    assert told(project, text) == [("wrong-type", "'8'"), ("unknown-key", "head")]


def test_a_mistake_names_the_line_of_the_definition(project: Path) -> None:
    diagnostic = only(project, "model: {kind: lab.models:make, depth: 0}")
    (related,) = diagnostic.related
    file = project / "lab" / "models.py"
    line = file.read_text().splitlines()[related.range.start.line - 1]
    assert related.message == "defined here"
    assert related.range.filename == str(file)
    assert line[related.range.start.column - 1 : related.range.end.column - 1] == "depth"


def test_lists_of_components(project: Path) -> None:
    good = "model: {kind: lab.models:make, blocks: [{kind: lab.layers:Encoder, width: 4}, {kind: torch.nn:GELU}]}"
    blocks = configs(project, good)["base"]["blocks"]
    assert [block["kind"] for block in blocks] == ["lab.layers:Encoder", "torch.nn:GELU"]
    bad = "model: {kind: lab.models:make, blocks: [{kind: lab.layers:Encoder, widht: 4}, 3, {kind: gelu}]}"
    assert told(project, bad) == [("unknown-key", "widht"), ("wrong-type", "3"), ("unknown-kind", "gelu")]


def test_the_rules_between_arguments_hold_inside_too(project: Path) -> None:
    text = "model: {kind: lab.models:Net, encoder: {kind: lab.layers:Encoder, width: 8, heads: 3}}"
    assert told(project, text) == [("constraint-broken", "8")]


def test_an_ablation_reaches_into_arguments(project: Path) -> None:
    text = f"""{NET}
ablation:
  features:
    width: {{model.encoder.width: 2}}
    encoder: {{model.encoder: {{kind: torch.nn:Identity}}}}
  grid: {{model.encoder.heads: [2, 4]}}
"""
    encoders = {name: model["encoder"] for name, model in configs(project, text).items()}
    assert encoders["-width"]["width"] == 2
    assert encoders["-encoder"] == {"kind": "torch.nn:Identity"}
    assert [encoders[f"heads={heads}"]["heads"] for heads in (2, 4)] == [2, 4]


def test_rules_of_an_ablation_reach_into_arguments(project: Path) -> None:
    text = f"""{NET}
ablation:
  grid: {{model.encoder.heads: [1, 2, 4, 8]}}
  require: ["model.encoder.width // model.encoder.heads > 1"]
  exclude: [{{model.encoder.heads: 2, model.encoder.width: 8}}]
"""
    assert set(configs(project, text)) == {"base", "heads=4"}


def test_what_an_ablation_sets_is_checked_where_it_stands(project: Path) -> None:
    text = f"""{NET}
ablation:
  grid:
    model.encoder.heads: [2, many, 3]
    model.encoder.depth: [1]
"""
    assert ("wrong-type", "many") in told(project, text)
    assert ("unknown-factor", "model.encoder.depth") in told(project, text)
    assert ("unknown-component", '"lab.models:Nett"') in told(project, 'ablation: {grid: {model: ["lab.models:Nett"]}}')


def test_a_search_reaches_into_arguments(project: Path) -> None:
    text = f"""{NET}
search:
  space: {{model.encoder.width: {{int: [8, 64], step: 8}}, model.encoder.heads: {{choice: [1, 2]}}}}
  optimize: {{metric: valid/loss}}
  trials: 3
"""
    result = compiled(project, text)
    assert result.diagnostics == ()
    proposer = PointCompiler(result.analysis, project / "specs" / "x.yaml")
    (trial,) = proposer("base", {"model.encoder.width": 16, "model.encoder.heads": 2}, 1).trials
    assert (trial.config["model"]["encoder"]["width"], trial.config["model"]["encoder"]["heads"]) == (16, 2)
    wrong = text.replace("int: [8, 64], step: 8", "uniform: [8, 64]")
    assert told(project, wrong)[0][0] == "wrong-type"


def test_a_component_among_the_choices_of_a_search(project: Path) -> None:
    text = """model: mlp
search:
  space: {model: {choice: [linear, "lab.models:make", "lab.models:mak"]}}
  optimize: {metric: valid/loss}
  trials: 3
"""
    assert told(project, text) == [("unknown-component", '"lab.models:mak"')]


def test_regularization_is_handed_to_a_users_model(project: Path) -> None:
    text = f"{NET}\nregularization: {{dropout: 0.3}}"
    assert configs(project, text)["base"]["dropout"] == 0.3
    unsupported = "model: lab.models:make\nregularization: {dropout: 0.3}"
    assert told(project, unsupported) == [("regularization-unsupported", "dropout")]


def test_every_group_takes_components_of_ones_own(project: Path) -> None:
    write(
        project,
        {
            "lab/parts.py": """
                from torch import nn
                def lines(path: str, count: int = 3): ...
                class Scale:
                    def __init__(self, by: float = 1.0): ...
                    def fit(self, x): ...
                class Blur:
                    def __init__(self, sigma: float): ...
                class Focal(nn.Identity):
                    def forward(self, logits, targets): ...
                    def __init__(self, class_counts, /, gamma: float = 2.0): ...
                class Top:
                    mode = "max"
                    def __init__(self, num_classes: int, k: int = 2): ...
                    def reset(self): ...
                    def update(self, logits, targets): ...
                    def compute(self): ...
                def lion(params, lr: float = 1e-4, *, weight_decay: float = 0.0): ...
                class Ramp:
                    def __init__(self, epochs: int | str = "none"): ...
                    def lr(self, base_lr, step, num_steps, steps_per_epoch): ...
            """
        },
    )
    text = """data:
  source: {kind: lab.parts:lines, path: x, COUNT: 3}
  normalize: {kind: lab.parts:Scale, BY: 2}
  augment: [{kind: lab.parts:Blur, sigma: 1.0, SIGMA: 1}]
objective:
  kind: lab.parts:Focal
  GAMMA: 1.0
  metrics: [{kind: lab.parts:Top, K: 3}]
training:
  epochs: 5
  batch_size: 32
  optimizer: {kind: lab.parts:lion, LR: 1.0, params: 3}
  schedule: [{kind: lab.parts:Ramp, EPOCHS: 3}]
"""
    keys = ("COUNT", "BY", "SIGMA", "GAMMA", "K", "LR", "params", "EPOCHS")
    assert told(project, text) == [("unknown-key", key) for key in keys]
    right = "\n".join(line.replace(", params: 3", "") for line in text.splitlines())
    for key in keys:
        right = right.replace(f"{key}:", f"{key.lower()}:")
    result = compiled(project, right.replace(", sigma: 1}", "}"))
    assert result.plan is not None, result.diagnostics
    config = result.plan.trials[0].config
    assert config["objective"]["metrics"] == [{"kind": "lab.parts:Top", "num_classes": "infer", "k": 3}]
    assert config["training"]["optimizer"] == {"kind": "lab.parts:lion", "lr": 1.0, "weight_decay": 0.0}
    assert result.plan.headline.name == "test/Top"
    assert result.plan.headline.mode == "max"


def test_optimizers_and_metrics_of_torch_as_they_are(project: Path) -> None:
    text = """objective: {kind: torch.nn:CrossEntropyLoss, metrics: [torchmetrics.classification:MulticlassF1Score]}
training: {epochs: 5, batch_size: 32, optimizer: {kind: torch.optim:AdamW, lr: 0.01}}
regularization: {weight_decay: 0.1, label_smoothing: 0.1}
evaluation: {select: {metric: valid/MulticlassF1Score}}
"""
    result = compiled(project, text)
    assert result.diagnostics == ()
    assert result.plan is not None
    config = result.plan.trials[0].config
    assert config["evaluation"]["select"]["mode"] == "max"
    assert config["training"]["optimizer"]["weight_decay"] == 0.1
    assert "params" not in config["training"]["optimizer"]


def test_kwargs_pass_with_one_note(project: Path) -> None:
    write(project, {"lab/open.py": "def make(width: int = 3, **options): return options"})
    text = "model: {kind: lab.open:make, a: 1, widht: 2}"
    diagnostic = only(project, text)
    assert (diagnostic.severity, diagnostic.code) == ("note", "unchecked-argument")
    assert '"a" and "widht"' in diagnostic.message
    assert '"width"' in str(diagnostic.hint)
    assert configs(project, text)["base"] == {"kind": "lab.open:make", "width": 3, "a": 1, "widht": 2}
    many = f"{text}\nablation: {{seeds: 3, grid: {{model.width: [1, 2]}}}}"
    assert [d.code for d in compiled(project, many).diagnostics] == ["unchecked-argument"]
    in_a_variant = "ablation: {grid: {model: [{kind: lab.open:make, a: 1}]}, exclude: [{model: linear}]}"
    assert {code for code, _ in told(project, in_a_variant)} == {"unchecked-argument", "no-effect"}


def test_kwargs_in_many_variants_are_told_once(project: Path) -> None:
    write(project, {"lab/open.py": "def make(width: int = 3, **options): return options"})
    text = "model: lab.open:make\nablation: {grid: {model.a: [1, 2, 3, 4]}}"
    assert told(project, text) == [("unchecked-argument", "1")]


def test_none_is_written_null(project: Path) -> None:
    write(project, {"own.py": "def make(scale: float | None = 1.0, width: int = 3): ..."})
    assert told(project, "model: {kind: own:make, scale: null}") == []
    diagnostic = only(project, "model: {kind: own:make, scale: none}")
    assert (diagnostic.code, diagnostic.hint) == ("wrong-type", "write null, which is Python's None")
    assert only(project, "model: {kind: own:make, width: none}").hint is None


def test_a_method_is_shown_where_its_name_stands(project: Path) -> None:
    (related,) = only(project, "model: lab.models:Net.__init__").related
    line = (project / "lab" / "models.py").read_text().splitlines()[related.range.start.line - 1]
    assert line[related.range.start.column - 1 : related.range.end.column - 1] == "__init__"


@pytest.mark.parametrize("name", ["statistics", "random.net", "math"])
def test_a_module_that_pythons_own_hides_is_told(project: Path, name: str) -> None:
    """Importing it would find the library's; a file of that name which nothing names is in nobody's way."""
    write(project, {f"src/{name.replace('.', '/')}.py": "def make(): ...", "src/own.py": "def make(): ..."})
    diagnostic = only(project, f"model: {name}:make")
    assert diagnostic.code == "unknown-component"
    assert f'Python has a "{name.partition(".")[0]}" of its own' in diagnostic.message
    assert told(project, "model: own:make") == []


def test_kwargs_of_a_given_type(project: Path) -> None:
    write(project, {"lab/open.py": "def make(**options: int): return options"})
    assert told(project, "model: {kind: lab.open:make, a: one}") == [("wrong-type", "one")]


@pytest.mark.parametrize("optimizer", ["{kind: own:late, lr: 0.1}", "own:nothing"])
def test_an_optimizer_takes_the_parameters_first(project: Path, optimizer: str) -> None:
    write(project, {"own.py": "def late(*, params, lr: float): ...\ndef nothing(): ..."})
    text = f"training: {{epochs: 5, batch_size: 32, optimizer: {optimizer}}}"
    assert [code for code, _ in told(project, text)] == ["unfit-component"]


def test_a_model_is_a_module_or_what_makes_one(project: Path) -> None:
    write(project, {"own.py": "import gone\nclass Far(gone.Base): ...\nclass Near: ...\ndef make(): ..."})
    assert told(project, "model: own:Near") == [("unfit-component", "own:Near")]
    assert told(project, "model: own:Far") == told(project, "model: own:make") == []


def test_it_is_found_from_the_spec_and_not_from_where_craftc_is_called(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(project, {"src/inner.py": "def make(): ...", "specs/beside.py": "def make(): ..."})
    write(tmp_path / "elsewhere", {"here.py": "def make(): ..."})
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [told(project, f"model: {name}:make") for name in ("inner", "beside")] == [[], []]
    assert told(project, "model: here:make") == [("unknown-component", "here:make")]


def test_as_in_python_the_first_package_of_a_name_has_all_its_modules(project: Path) -> None:
    write(project, {"specs/lab/extra.py": "def make(): ..."})
    assert told(project, "model: lab.extra:make") == [("unknown-component", "lab.extra:make")]


def test_nothing_of_the_users_is_imported(project: Path) -> None:
    """In a process of its own, begun elsewhere."""
    (project / "specs" / "x.yaml").write_text(complete(NET), encoding="utf-8")
    code = f"""
import sys
from craftc.cli.main import app
app(["plan", {str(project / "specs" / "x.yaml")!r}], standalone_mode=False)
print([name for name in ("lab", "lab.models", "torch", "numpy") if name in sys.modules], file=sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=project.parent, capture_output=True, text=True, timeout=600, check=True
    )
    assert result.stderr.splitlines()[-1] == "[]"
    assert not list(project.rglob("imported"))


def test_import_folders_are_in_the_plan_of_a_spec_with_own_kinds_alone(project: Path) -> None:
    (project / "src").mkdir()
    plan = compiled(project, NET).plan
    assert plan is not None
    assert plan.import_folders == tuple(str(project / name) for name in ("", "src", "specs"))
    built_in = compiled(project, "model: mlp").plan
    assert built_in is not None
    assert built_in.import_folders == ()


def test_a_file_that_is_no_python_is_pointed_into(project: Path) -> None:
    write(project, {"lab/broken.py": "x = 1\ndef f(:\n"})
    diagnostic = only(project, "model: lab.broken:Net")
    assert diagnostic.code == "unknown-component"
    assert diagnostic.related[0].range.filename.endswith("lab/broken.py")
    assert diagnostic.related[0].range.start.line == 2


@pytest.mark.parametrize("content", [b"\x00", b"\xff\xfe", b"# coding: nowhere\n", b"(" * 5000, b"-" * 200000 + b"1"])
def test_an_odd_file_is_a_diagnostic(project: Path, content: bytes) -> None:
    (project / "odd.py").write_bytes(content)
    assert told(project, "model: odd:Net") == [("unknown-component", "odd:Net")]


def test_a_folder_that_is_called_like_a_module_is_no_mistake_of_the_program(project: Path) -> None:
    (project / "odd.py").mkdir()
    assert told(project, "model: odd:Net") == [("unknown-component", "odd:Net")]


def test_a_base_names_them_too(project: Path) -> None:
    write(project, {"bases/net.yaml": f"{NET}\n", "bases/w.yaml": "model: {kind: lab.models:make, weights: w.pt}\n"})
    (project / "bases" / "w.pt").touch()
    inherited = configs(project, "extends: ../bases/net.yaml\nmodel: {encoder: {heads: 4}}")["base"]
    assert (inherited["encoder"]["width"], inherited["encoder"]["heads"]) == (8, 4)
    from_base = configs(project, "extends: ../bases/w.yaml")["base"]
    assert from_base["weights"] == str(project / "bases" / "w.pt")


class TestIdentity:
    """What of the source counts."""

    def test_a_module_that_the_component_imports_counts(self, project: Path) -> None:
        before = ids(project, NET)
        write(project, {"lab/layers.py": LAYERS + "\n    # another comment"})
        assert ids(project, NET) != before

    @pytest.mark.parametrize(
        "statement",
        [
            "from lab import helper",
            "import lab.helper",
            "from . import helper",
            "from .helper import *",
            "from lab.helper import value",
            "def f():\n    from lab.helper import value",
        ],
    )
    def test_however_it_is_imported(self, project: Path, statement: str) -> None:
        write(project, {"lab/own.py": f"{statement}\ndef make(): ...", "lab/helper.py": "value = 1"})
        before = ids(project, "model: lab.own:make")
        write(project, {"lab/helper.py": "value = 2"})
        after = ids(project, "model: lab.own:make")
        write(project, {"lab/other.py": "value = 3", "lab/__init__.py": "from . import other"})
        packages = ids(project, "model: lab.own:make")
        assert len({*before, *after, *packages}) == 3

    def test_what_it_does_not_import_does_not_count(self, project: Path) -> None:
        before = ids(project, NET)
        write(project, {"lab/unrelated.py": "x = 1", "elsewhere.py": "y = 1", "torch_like.py": ""})
        assert ids(project, NET) == before

    def test_only_what_a_trial_names_counts(self, project: Path) -> None:
        text = "model: mlp\nablation: {grid: {model: [linear, lab.models:make]}}"
        before = ids(project, text)
        write(project, {"lab/models.py": MODELS + "\n    x = 1"})
        assert len(before & ids(project, text)) == 2

    def test_the_source_of_an_argument_counts(self, project: Path) -> None:
        write(project, {"inner.py": "from torch import nn\nclass Inner(nn.Module): ..."})
        text = "model: {kind: lab.models:Net, encoder: {kind: inner:Inner}}"
        before = ids(project, text)
        write(project, {"inner.py": "from torch import nn\nclass Inner(nn.Module): x = 1"})
        assert ids(project, text) != before

    def test_the_place_of_the_project_does_not(self, project: Path, tmp_path: Path) -> None:
        before = ids(project, NET)
        shutil.move(project, tmp_path / "moved")
        assert ids(tmp_path / "moved", NET) == before

    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_a_default_may_be_written_out_or_not(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        folder = tmp_path_factory.mktemp("project")
        numbers = st.integers(-9, 9) | st.floats(-9, 9)
        of_annotation: dict[str, st.SearchStrategy[Any]] = {
            "float": numbers,
            "float | None": numbers | st.none(),
            "int | float": numbers,
            "Annotated[float, Ge(-9)]": numbers,
            "Literal[1.0, 2.0]": st.sampled_from([1, 1.0, 2]),
            "list[float]": st.lists(numbers, max_size=2),
            "dict[str, float]": st.dictionaries(st.sampled_from("ab"), numbers),
            "str | float": numbers | st.sampled_from(["none", "1"]),
            "int": st.floats(0.5, 0.7) | st.integers(-9, 9),
        }
        annotation = data.draw(st.sampled_from(sorted(of_annotation)))
        default = data.draw(of_annotation[annotation])
        imports = "from typing import Annotated, Literal\nfrom annotated_types import Ge\n"
        write(folder, {"pyproject.toml": "", "own.py": f"{imports}def make(scale: {annotation} = {default!r}): ..."})
        (folder / "specs").mkdir()
        left_out, written = "model: {kind: own:make}", f"model: {{kind: own:make, scale: {json.dumps(default)}}}"
        if annotation == "int" and isinstance(default, float):  # what its own annotation forbids cannot be written
            assert [code for code, _ in told(folder, written)] == ["wrong-type"]
            assert configs(folder, left_out)["base"]["scale"] == default
            return
        assert ids(folder, left_out) == ids(folder, written)
        assert configs(folder, left_out) == configs(folder, written)
        grid = f"{left_out}\nablation: {{grid: {{model.scale: [{json.dumps(default)}]}}}}"
        plan = compiled(folder, grid).plan
        assert plan is not None
        assert (len(plan.trials), plan.folded) == (1, 1)

    def test_files_that_an_argument_names_count_by_their_content(self, project: Path) -> None:
        write(project, {"specs/a.pt": "1"})
        text = "model: {kind: lab.models:make, weights: a.pt}"
        before = ids(project, text)
        assert configs(project, text)["base"]["weights"] == str(project / "specs" / "a.pt")
        assert data_files(compiled(project, text).analysis) == ("a.pt",)
        write(project, {"specs/a.pt": "2"})
        assert ids(project, text) != before
        (project / "specs" / "a.pt").unlink()
        assert told(project, text) == [("data-unreadable", "a.pt")]

    def test_an_installed_package_counts_by_its_version(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def install(version: str, source: str) -> Path:
            site = tmp_path / f"site{version}{len(source)}"
            write(site, {"giver.py": source, f"Giver_Kit-{version}.dist-info/RECORD": "giver.py,,\n"})
            return site

        found = []
        for version, source in [("1.0", "def make(): ..."), ("1.0", "def make():  ..."), ("2.0", "def make(): ...")]:
            with monkeypatch.context() as patch:
                patch.syspath_prepend(install(version, source))
                found.append(ids(project, "model: giver:make"))
        assert found[0] == found[1] != found[2]
