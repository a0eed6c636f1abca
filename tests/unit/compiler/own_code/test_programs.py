"""Programs of a user's own in whole specs: what lint says of them, what identifies their trials."""

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.own_code.own_components import with_own
from craftc.compiler.pipeline import Compiled, compile_spec, data_files
from craftc.schemas.catalogue import ComponentEntry, Parameter, Reported
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.plan import Plan

SIMCLR = """
    import pathlib
    pathlib.Path(__file__).with_name("imported").touch()
    from typing import Annotated, Literal
    from annotated_types import Gt
    import craftc
    from lab.losses import info_nce
    from lab.models import Encoder

    def train(
        run: craftc.Run,
        *,
        lr: Annotated[float, Gt(0)],
        temperature: float = 0.5,
        augment: Literal["weak", "strong"] = "weak",
        encoder: Encoder | None = None,
        data: pathlib.Path | None = None,
    ) -> None:
        run.report({"valid/knn": info_nce(temperature), "valid/loss": lr})
"""
PROJECT = {
    "lab/__init__.py": "",
    "lab/simclr.py": SIMCLR,
    "lab/losses.py": "def info_nce(x): return x",
    "lab/models.py": "class Encoder:\n    def __init__(self, width: int, depth: int = 2): ...",
    "lab/unrelated.py": "x = 1",
}
HEAD = "craftc: 1\nname: example\nreport: {metric: valid/knn, mode: max}\n"
TRAIN = "program: {kind: lab.simclr:train, lr: 1e-3}"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, PROJECT)
    return folder


def compiled(folder: Path, text: str) -> Compiled:
    whole = text if "craftc:" in text else HEAD + text
    return compile_spec(whole, str(folder / "spec.yaml"), built_in_catalogue())


def found(folder: Path, text: str) -> list[Diagnostic]:
    return list(compiled(folder, text).diagnostics)


def codes(folder: Path, text: str) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in found(folder, text)]


def plan_of(folder: Path, text: str) -> Plan:
    result = compiled(folder, text)
    assert result.plan is not None, result.diagnostics
    return result.plan


def ids(folder: Path, text: str = TRAIN) -> set[str]:
    return {trial.id for trial in plan_of(folder, text).trials}


def entry_of(folder: Path, source: str) -> ComponentEntry | None:
    write(folder, {"lab/tried.py": source})
    tree = {"program": {"kind": "lab.tried:train"}}
    return with_own(built_in_catalogue(), tree, folder / "spec.yaml").find("programs", "lab.tried:train")


def test_a_trial_has_the_configuration_that_a_program_is_run_with(project: Path) -> None:
    text = f"""
{TRAIN}
training: {{early_stopping: {{metric: valid/loss, patience: 2}}}}
evaluation: {{select: {{metric: valid/knn, mode: max}}}}
"""
    [trial] = plan_of(project, text).trials
    assert trial.config == {
        "program": {
            "kind": "lab.simclr:train", "lr": 0.001, "temperature": 0.5, "augment": "weak", "encoder": None,
            "data": None,
        },
        "training": {"early_stopping": {"metric": "valid/loss", "mode": "min", "patience": 2, "min_delta": 0.0}},
        "evaluation": {"select": {"metric": "valid/knn", "mode": "max"}},
    }  # fmt: skip
    assert trial.is_program
    assert (trial.stages, trial.group, trial.shares, trial.read_off, trial.fold) == (None,) * 5
    assert not (project / "lab" / "imported").exists()


def test_what_is_not_written_is_off(project: Path) -> None:
    [trial] = plan_of(project, TRAIN).trials
    assert (trial.config["training"], trial.config["evaluation"]) == ({"early_stopping": "none"}, {"select": "none"})


class TestTheRun:
    """The parameter that is given the run is no argument of a spec."""

    @pytest.mark.parametrize(
        "source",
        [
            "def train(run, lr=0.1): ...",
            "def train(lr=0.1, *, run): ...",
            "def train(run, /, lr=0.1): ...",
            "import craftc\ndef train(job: craftc.Run, lr=0.1): ...",
            "import craftc\ndef train(lr: float = 0.1, job: craftc.Run | None = None): ...",
            "from craftc import Run\ndef train(job: Run, lr=0.1): ...",
            "from craftc import Run as R\ndef train(job: R, lr=0.1): ...",
            'import craftc\ndef train(job: "craftc.Run", lr=0.1): ...',
            "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import craftc\ndef train(job: craftc.Run, lr=0.1): ...",
            "from typing import Optional\nfrom craftc import Run\ndef train(job: Optional[Run], lr=0.1): ...",
        ],
    )
    def test_is_known_by_its_annotation_or_its_name(self, project: Path, source: str) -> None:
        entry = entry_of(project, source)
        assert entry is not None
        assert [parameter.name for parameter in entry.parameters] == ["lr"]

    def test_the_annotation_goes_before_the_name(self, project: Path) -> None:
        entry = entry_of(project, "import craftc\ndef train(run: int, job: craftc.Run): ...")
        assert entry is not None
        assert [parameter.name for parameter in entry.parameters] == ["run"]

    def test_a_class_of_another_package_is_none(self, project: Path) -> None:
        assert entry_of(project, "import wandb\ndef train(job: wandb.Run, lr=0.1): ...") is None

    def test_it_cannot_be_written(self, project: Path) -> None:
        [(code, path)] = codes(project, "program: {kind: lab.simclr:train, lr: 1e-3, run: 3}")
        assert (code, path) == ("unknown-key", "program.run")


@pytest.mark.parametrize(
    ("source", "reported"),
    [
        ('run.report({"valid/a": 1})\n    run.finish({"test/a": 1})', Reported(("valid/a",), ("test/a",))),
        ('if lr: run.report({"valid/a": 1, "valid/b": 2}, state=run.state)', Reported(("valid/a", "valid/b"), ())),
        ('run.report(metrics={"valid/a": 1})', Reported(("valid/a",), ())),
        ('def step(): run.report({"valid/a": 1})\n    step()', Reported(("valid/a",), ())),
        ("print(run.seed)", Reported((), ())),
        ('run.report({"valid/a": 1})\n    run.report(metrics)', None),
        ('run.report({f"valid/{lr}": 1})', None),
        ('run.report({"valid/a": 1, **more})', None),
        ('run.report({"valid/a": 1})\n    other(run)', None),
        ('job = run\n    job.report({"valid/a": 1})', None),
        ("report = run.report\n    report({})", None),
        ('log({"valid/a": 1}, run.report)', None),
    ],
)
def test_metrics_are_known_where_their_names_are_written_out(
    project: Path, source: str, reported: Reported | None
) -> None:
    entry = entry_of(project, f"def train(run, lr=0.1):\n    {source}\n")
    assert entry is not None
    assert entry.reported == reported


class TestRules:
    """What a spec that a program trains by has to keep."""

    @pytest.mark.parametrize(
        ("text", "code", "path"),
        [
            (f"{TRAIN}\ndata: {{source: digits}}", "not-of-a-program", "data"),
            (f"{TRAIN}\nmodel: mlp", "not-of-a-program", "model"),
            (f"{TRAIN}\nobjective: mse", "not-of-a-program", "objective"),
            (f"{TRAIN}\nregularization: {{dropout: 0.1}}", "not-of-a-program", "regularization"),
            (f"{TRAIN}\ntraining: {{epochs: 3}}", "not-of-a-program", "training.epochs"),
            (f"{TRAIN}\nevaluation: {{after: []}}", "not-of-a-program", "evaluation.after"),
            (f"{TRAIN}\nevaluation: {{selekt: none}}", "unknown-key", "evaluation.selekt"),
            (f"{TRAIN}\nablation: {{grid: {{model.width: [1]}}}}", "unknown-factor", 'ablation.grid["model.width"]'),
            (f"{TRAIN}\nablation: {{grid: {{data.splits.folds: [2]}}}}", "unknown-factor",
             'ablation.grid["data.splits.folds"]'),
            ("program: {kind: lab.simclr:train, lr: 0}", "out-of-bounds", "program.lr"),
            ("program: {kind: lab.simclr:train}", "missing-key", "program.lr"),
            ("program: {kind: lab.simclr:train, lr: 1e-3, augment: none}", "unknown-choice", "program.augment"),
            ("program: {kind: lab.simclr:train, lr: 1e-3, temp: 3}", "unknown-key", "program.temp"),
            ("program: {kind: lab.simclr:train, lr: 1e-3, encoder: {kind: lab.models:Encoder, width: x}}", "wrong-type",
             "program.encoder.width"),
            ("program: {kind: lab.simclr:train, lr: 1e-3, data: missing.npz}", "data-unreadable", "program.data"),
            ("program: 3", "wrong-type", "program"),
            ("program: {lr: 3}", "missing-key", "program.kind"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_told_where_it_stands(self, project: Path, text: str, code: str, path: str) -> None:
        assert codes(project, text) == [(code, path)]

    @pytest.mark.parametrize(
        "text",
        [
            "report: {metric: valid/loss}",
            "report: {metric: valid/f1_macro}",
            "evaluation: {select: {metric: valid/loss}}",
            "evaluation: {select: {metric: valid/mine, mode: max}}",
            "search: {space: {program.lr: {uniform: [0.1, 0.2]}}, optimize: {metric: valid/loss}, trials: 3}",
            "report: {mode: min}\nevaluation: {select: {metric: valid/mine, mode: min}}",
        ],
    )
    def test_a_headline_is_named_somewhere(self, project: Path, text: str) -> None:
        write(project, {"lab/any.py": "def train(run, lr=1.0): run.report(measured())"})
        head = "craftc: 1\nname: example\nprogram: lab.any:train\n"
        assert plan_of(project, head + text).headline.mode in ("min", "max")
        assert [d.code for d in found(project, head)] == ["headline-missing"]

    def test_the_report_says_which_way_is_better(self, project: Path) -> None:
        assert plan_of(project, TRAIN).headline.model_dump() == {"split": "valid", "metric": "knn", "mode": "max"}
        without = f"craftc: 1\nname: example\nreport: {{metric: valid/knn}}\n{TRAIN}"
        [problem] = found(project, without)
        assert (problem.code, problem.path) == ("metric-without-mode", "report.metric")

    def test_variants_are_compared_by_what_each_reports(self, project: Path) -> None:
        write(project, {"lab/other.py": 'def train(run, lr=1.0): run.report({"valid/knm": lr})'})
        text = f"{TRAIN}\nablation: {{grid: {{program.kind: [lab.simclr:train, lab.other:train]}}}}"
        [problem] = found(project, text)
        assert (problem.severity, problem.code) == ("warning", "metric-not-reported")
        assert problem.path == 'ablation.grid["program.kind"].1'
        assert problem.hint == 'did you mean "valid/knm"?'


class TestIdentity:
    """What makes a trial of a program another one."""

    @pytest.mark.parametrize(
        "same",
        [
            "program: {kind: lab.simclr:train, lr: 0.001, temperature: 0.5, augment: weak, encoder: null}",
            f"{TRAIN}\ntraining: {{early_stopping: none}}\nevaluation: {{select: none}}",
            f"{TRAIN}\nresources: {{gpus: 1, workers: 2}}",
            f"craftc: 1\nname: other\nreport: {{metric: valid/loss}}\n{TRAIN}",
        ],
    )
    def test_a_default_and_what_decides_no_result_do_not(self, project: Path, same: str) -> None:
        assert ids(project, same) == ids(project)

    @pytest.mark.parametrize(
        "other",
        [
            "program: {kind: lab.simclr:train, lr: 0.002}",
            "program: {kind: lab.simclr:train, lr: 0.001, encoder: {kind: lab.models:Encoder, width: 3}}",
            f"{TRAIN}\nseed: 1",
            f"{TRAIN}\ntraining: {{early_stopping: {{metric: valid/loss, patience: 2}}}}",
            f"{TRAIN}\nevaluation: {{select: {{metric: valid/loss}}}}",
        ],
    )
    def test_what_decides_a_result_does(self, project: Path, other: str) -> None:
        assert ids(project, other).isdisjoint(ids(project))

    def test_a_default_of_a_nested_component_does_not(self, project: Path) -> None:
        one, two = (
            f"program: {{kind: lab.simclr:train, lr: 1, encoder: {{kind: lab.models:Encoder, width: 3{more}}}}}"
            for more in ("", ", depth: 2")
        )
        assert ids(project, one) == ids(project, two)

    @pytest.mark.parametrize("module", ["simclr", "losses", "models", "__init__"])
    def test_its_module_and_what_that_imports_do(self, project: Path, module: str) -> None:
        before = ids(project)
        with (project / "lab" / f"{module}.py").open("a") as file:
            file.write("\nanother = 1\n")
        assert ids(project).isdisjoint(before)

    def test_a_module_that_it_does_not_import_does_not(self, project: Path) -> None:
        before = ids(project)
        write(project, {"lab/unrelated.py": "x = 2", "lab/new.py": "", "other.py": ""})
        assert ids(project) == before

    def test_the_module_of_a_class_that_an_argument_names_does(self, project: Path) -> None:
        write(project, {"heads.py": "class Head: ..."})
        text = "program: {kind: lab.simclr:train, lr: 1e-3, encoder: {kind: heads:Head, as: class}}"
        write(project, {"lab/simclr.py": SIMCLR.replace("encoder: Encoder | None", "encoder: type | None")})
        before = ids(project, text)
        write(project, {"heads.py": "class Head: x = 1"})
        assert ids(project, text).isdisjoint(before)

    def test_files_and_folders_count_by_their_content(self, project: Path) -> None:
        write(project, {"a.txt": "1", "b.txt": "1", "sub/x/1.txt": "1", "sub/2.txt": "2"})
        at = "program: {{kind: lab.simclr:train, lr: 1e-3, data: {}}}".format
        assert ids(project, at("a.txt")) == ids(project, at("b.txt")) == ids(project, at(str(project / "a.txt")))
        before = ids(project, at("sub"))
        write(project, {"b.txt": "2", "sub/x/1.txt": "changed"})
        assert ids(project, at("a.txt")) != ids(project, at("b.txt"))
        assert ids(project, at("sub")).isdisjoint(before)

    def test_paths_in_mappings_and_lists_count_alike(self, project: Path) -> None:
        source = """
            from pathlib import Path
            def train(run, files: dict[str, Path] = {}, more: list[Path | None] = [], words: dict[str, str] = {}):
                run.report({"valid/knn": 1.0})
        """
        write(project, {"lab/files.py": source, "a.txt": "1", "parts/b.txt": "2"})
        text = "program: {kind: lab.files:train, files: {a: a.txt}, more: [null, parts/b.txt], words: {c: a.txt}}"
        [trial] = plan_of(project, text).trials
        program = trial.config["program"]
        assert program["files"] == {"a": str(project / "a.txt")}
        assert program["more"] == [None, str(project / "parts" / "b.txt")]
        assert program["words"] == {"c": "a.txt"}
        assert data_files(compiled(project, text).analysis) == ("a.txt", "parts/b.txt")
        write(project, {"parts/b.txt": "3"})
        assert ids(project, text) != {trial.id}
        write(project, {"parts/base.yaml": text.replace("a: a.txt", "a: ../a.txt").replace("parts/b", "b")})
        head = "craftc: 1\nname: example\nreport: {metric: valid/knn, mode: max}\nextends: parts/base.yaml\n"
        [extended] = plan_of(project, head).trials
        assert extended.config["program"] == program
        assert codes(project, text.replace("a: a.txt", "a: b.txt")) == [("data-unreadable", "program.files.a")]
        varied = f"{text}\nablation: {{grid: {{program.files.a: [a.txt, c.txt]}}}}"
        assert codes(project, varied) == [("data-unreadable", 'ablation.grid["program.files.a"].1')]

    def test_a_path_starts_from_the_folder_of_the_spec(self, project: Path) -> None:
        write(project, {"sub/2.txt": "2"})
        text = "program: {kind: lab.simclr:train, lr: 1e-3, data: sub}"
        [trial] = plan_of(project, text).trials
        assert trial.config["program"]["data"] == str(project / "sub")
        assert data_files(compiled(project, text).analysis) == ("sub",)

    def test_the_place_of_the_project_does_not_count(self, project: Path, tmp_path: Path) -> None:
        before = ids(project)
        project.rename(tmp_path / "moved")
        assert ids(tmp_path / "moved") == before


class TestVariants:
    """Ablation and search over the arguments of a program."""

    def test_every_kind_of_variation(self, project: Path) -> None:
        text = f"""
{TRAIN}
ablation:
  seeds: [3, 5]
  features: {{strong: {{program.augment: strong}}}}
  design: [leave_one_out, add_one]
  grid: {{program.temperature: [0.1, 0.2, 0.3]}}
  zip: {{program.lr: [0.1, 0.2], program.encoder: [null, {{kind: lab.models:Encoder, width: 2}}]}}
  exclude: [{{program.temperature: 0.2}}]
  require: ["program.temperature < 0.6"]
"""
        plan = plan_of(project, text)
        names = dict.fromkeys(name for trial in plan.trials for name in (trial.variant, *trial.aliases))
        assert list(names) == [
            "full", "+strong", "-strong", "bare", "temperature=0.1", "temperature=0.3", "lr=0.1,encoder=null",
            "lr=0.2,encoder=lab.models:Encoder",
        ]  # fmt: skip
        assert {trial.seed for trial in plan.trials} == {3, 5}
        assert all(trial.stages is None and trial.group is None for trial in plan.trials)

    def test_a_point_of_a_search_is_a_trial(self, project: Path) -> None:
        text = f"""
{TRAIN}
ablation: {{seeds: 2}}
search:
  space: {{program.lr: {{log_uniform: [1e-4, 1e-2]}}, program.augment: {{choice: [weak, strong]}}}}
  optimize: {{metric: valid/knn, mode: max}}
  pruner: successive_halving
  trials: 4
"""
        result = compiled(project, text)
        assert result.plan is not None
        assert result.plan.search is not None
        assert (result.plan.search.metric, result.plan.search.mode) == ("valid/knn", "max")
        assert len(result.plan.jobs) == 1  # both seeds of a point are one job: their mean is what counts
        point = PointCompiler(result.analysis, project / "spec.yaml")
        made = point("base", {"program.lr": 0.002, "program.augment": "strong"}, 1)
        assert [trial.config["program"]["lr"] for trial in made.trials] == [0.002, 0.002]
        assert point("base", {"program.lr": -1.0}, 2).trials == ()
        start = point("base", {"program.lr": 0.001, "program.augment": "weak"}, 3).trials
        assert [trial.id for trial in start] == [trial.id for trial in result.plan.trials]

    def test_bases_are_merged_argument_by_argument(self, project: Path) -> None:
        write(project, {"base.yaml": f"{TRAIN}\nevaluation: {{select: {{metric: valid/loss}}}}"})
        text = "craftc: 1\nname: example\nextends: base.yaml\nprogram: {temperature: 0.1}"
        [trial] = plan_of(project, text).trials
        assert (trial.config["program"]["lr"], trial.config["program"]["temperature"]) == (0.001, 0.1)


def test_each_trial_is_a_job_of_its_own(project: Path) -> None:
    plan = plan_of(project, f"{TRAIN}\nablation: {{seeds: 40}}")
    assert [len(job.trials) for job in plan.jobs] == [1] * 40


COMMAND = ComponentEntry(
    group="programs",
    kind="command",
    target="craftc.components.programs.command:command",
    summary="",
    parameters=(
        Parameter("command", {"type": "array", "items": {"type": "string"}}),
        Parameter("args", {"type": "object"}, required=False, default={}),
        Parameter("files", {"type": "object"}, required=False, default={}),
        Parameter("resume", {"type": "array"}, required=False, default=[]),
        Parameter("metrics", {"type": "string"}, required=False, default="stdout"),
        Parameter("schema", {"type": "string"}, required=False, default="none"),
    ),
)


def test_the_arguments_of_a_command_are_held_to_the_users_schema(project: Path) -> None:
    schema = {"properties": {"rate": {"type": "number", "maximum": 1}}, "required": ["rate"]}
    write(project, {"rate.json": json.dumps(schema)})
    built_in = built_in_catalogue()
    entries = [entry for entry in built_in.entries if (entry.group, entry.kind) != ("programs", "command")]
    catalogue = replace(built_in, entries=(*entries, COMMAND))

    def told(text: str) -> list[tuple[str, str]]:
        whole = f"{HEAD}program: {{kind: command, command: [train, '{{rate}}'], schema: rate.json, {text}}}"
        varied = f"{whole}\nablation: {{grid: {{program.args.rate: [0.1, 2]}}}}"
        result = compile_spec(varied, str(project / "spec.yaml"), catalogue)
        return [(each.code, each.path) for each in result.diagnostics]

    variant = ("command-arguments", 'ablation.grid["program.args.rate"].1')
    assert told("args: {rate: 0.1}") == [variant]
    assert told("args: {rate: much}") == [("command-arguments", "program.args.rate"), variant]
    assert told("args: {rate: 0.1, other: 1}") == [("command-arguments", "program.args.other"), variant]
