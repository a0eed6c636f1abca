"""The page of a run, without a browser: what it says, how it is escaped, how large it is, and what it needs."""

import dataclasses
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from craftc.report.cells import columns, shown
from craftc.report.conclude import conclude
from craftc.report.numbers import choose_decimals
from craftc.report.page.artefacts import Artefact
from craftc.report.page.content import PageContent, read_content
from craftc.report.page.page import render_page
from craftc.report.wording import told
from craftc.schemas.result import EpochRecord
from craftc.training.state.history import write_history

VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}
WITHIN_TEXT = {"a", "b", "code", "i", "span"}
MOST_BYTES = 400_000


class Document(HTMLParser):
    """A page taken apart; refuses what is not closed in order, and attributes that stand twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag not in WITHIN_TEXT:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def figures(self) -> list[str]:
        return [str(a["aria-label"]) for _, a in self.elements if a.get("role") == "img"]


def content_of(of: Any, /, **changes: Any) -> PageContent:
    """A run that nobody wrote to a disk."""
    plan, results, failures = of
    content = PageContent(
        runs="runs", run=f"{plan.name}/20261121_031500", plan=plan, conclusion=conclude(plan, results, failures),
        results=results, failures=failures, search=None, histories={},
    )  # fmt: skip
    return dataclasses.replace(content, **changes)


def histories(run: Any, *, epochs: int = 20) -> dict[str, list[EpochRecord]]:
    """Losses that fall by the trial and the epoch."""
    found = {}
    for number, trial in enumerate(run[0].trials):
        records = []
        for epoch in range(1, epochs + 1):
            loss = 2 / epoch + number / 100
            metrics = {"train/loss": loss, "valid/loss": loss + 0.5, "valid/balanced_accuracy": 1 - loss / 4}
            records.append(EpochRecord(trial=trial.id, epoch=epoch, step=epoch * 34, metrics=metrics, seconds=0.1))
        found[trial.id] = records
    return found


def typeset(text: str) -> str:
    return " ".join(text.replace("-", "\N{MINUS SIGN}").split())


def test_every_cell_of_the_table_is_in_it(ablation: Any) -> None:
    conclusion = conclude(*ablation)
    text = Document(render_page(content_of(ablation))).text
    cells = columns(conclusion, choose_decimals(conclusion), "brackets")
    for key in shown(conclusion):
        for cell in cells[key].cells:
            assert typeset(cell) in text.replace("-", "\N{MINUS SIGN}"), (key, cell)
    assert f"trivial predictor {cells['value'].trivial.strip()}" in text
    for seed in (seed for row in conclusion.variants for seed in row.seeds):
        assert seed.value is None or f"{seed.value:.3f}" in text
    for line in told(conclusion.findings):
        assert " ".join(line.split()) in text


def test_the_head_says_what_was_measured_and_how_far_the_run_is(ablation: Any) -> None:
    content = content_of(ablation, description="Which fix lifts it off its plateau?")
    text = Document(render_page(content)).text
    assert "Which fix lifts it off its plateau?" in text
    assert "2026-11-21 03:15:00" in text
    assert "test/balanced_accuracy (macro recall over 10 classes), higher is better" in text
    assert "test, 360 samples" in text
    assert "20 of 21 trials finished; 1 failed" in text


def test_a_run_that_goes_on_says_so(make_run: Any) -> None:
    run = make_run({"full": (0.9, 0.91), "-warmup": (0.8, None)})
    assert "running when this page was written: 3 of 4 trials finished" in Document(
        render_page(content_of(run, is_running=True))
    ).text  # fmt: skip
    assert "3 of 4 trials finished; 1 not trained to the end" in Document(render_page(content_of(run))).text
    over = make_run({"full": (0.9, 0.91)})
    assert "all 2 trials finished" in Document(render_page(content_of(over, is_running=True))).text


def test_what_failed_is_there_with_its_reason_and_the_log(ablation: Any) -> None:
    document = Document(render_page(content_of(ablation)))
    assert "-dropout, seed 1, epoch 3: the loss is not finite; lower the learning rate" in document.text
    assert "vit-ablation/20261121_031500/log" in document.text
    assert {"href": "log"} in document.all("a")


def test_what_a_spec_says_is_text(make_run: Any) -> None:
    evil = "<script>alert(1)</script>"
    run = make_run({"full": (0.9, 0.91), f"-{evil}": (0.8, "failed"), '"><img src=x onerror=alert(1)>': (0.7, 0.72)})
    plan, results, failures = run
    plan = plan.model_copy(update={"name": f"</title>{evil}"})
    failures = {trial: f.model_copy(update={"message": f"</li>{evil}&amp;\x1b[31m"}) for trial, f in failures.items()}
    run = plan, results, failures
    spec = f"name: x\ndescription: {evil}\nmodel: '{evil}</pre>'\n"
    page = render_page(
        content_of(run, histories=histories(run), spec=spec, resolved=spec, description=evil, run=f"{evil}/x",
                   artefacts=(Artefact(evil, f"</pre>{evil}"),))
    )  # fmt: skip
    document = Document(page)
    assert len(document.all("script")) == 1
    assert document.all("img") == []
    assert not [name for _, attributes in document.elements for name in attributes if name.startswith("on")]
    assert document.text.count("alert(1)") > 10
    assert "\x1b" not in page
    assert f"</li>{evil}&amp;" in document.text


def test_it_needs_no_other_file(ablation: Any) -> None:
    picture = Artefact("weights", b"\x89PNG\r\n\x1a\n")
    page = render_page(content_of(ablation, histories=histories(ablation), artefacts=(picture,)))
    document = Document(page)
    links = [
        value for _, attributes in document.elements for name in ("src", "href") if (value := attributes.get(name))
    ]
    assert {link for link in links if not link.startswith(("#", "data:"))} == {"log"}
    assert "@import" not in page
    assert "url(" not in page
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_every_drawing_is_named_and_told_in_numbers(ablation: Any) -> None:
    document = Document(render_page(content_of(ablation, histories=histories(ablation))))
    figures = document.figures()
    forest = next(label for label in figures if label.startswith("Difference to full"))
    of_one = "-normalization: _0.215 [_0.225, _0.205], worse (seed 0 _0.211, seed 1 _0.219, seed 2 _0.215)"
    assert of_one.replace("_0", "\N{MINUS SIGN}0") in forest
    losses = next(label for label in figures if label.startswith("train/loss and valid/loss"))
    # The mean of the first three trials, whose losses are 0.01 apart.
    assert "train/loss of full: 2.01 at 1, 0.11 at 20, between 0.11 and 2.01" in losses
    inside = re.sub(r'<div class="drawing.*?</figure>', "", render_page(content_of(ablation)), flags=re.DOTALL)
    assert "<svg" not in inside


def test_curves_show_what_was_selected_and_stopped(make_run: Any) -> None:
    run = make_run({"full": (0.9, 0.91), "-warmup": (0.8, 0.82)}, best_epochs={"full": (7, 9), "-warmup": (3, 3)})
    plan, results, failures = run
    stopped = {id: r.model_copy(update={"epochs_trained": 12}) if r.best_epoch == 9 else r for id, r in results.items()}
    records = histories(run)
    records = {id: each[: stopped[id].epochs_trained] for id, each in records.items()}
    text = Document(render_page(content_of((plan, stopped, failures), histories=records))).text
    assert [text.count(f"selected: epoch {epoch}") for epoch in (7, 9, 3, 4)] == [2, 2, 4, 0]
    assert text.count("stopped behind epoch 12") == 2
    assert "Dashed: the mean of the seeds that still train" in text
    by_decree = make_run({"full": (0.9, 0.91)}, select="none")
    assert "selected: epoch" not in Document(render_page(content_of(by_decree, histories=histories(by_decree)))).text


def test_long_curves_are_thinned_and_that_is_told(make_run: Any) -> None:
    run = make_run({"full": (0.9, 0.91)})
    page = render_page(content_of(run, histories=histories(run, epochs=5_000)))
    assert len(page) < 60_000
    assert "Of 5000 epochs about 40 are drawn." in Document(page).text


def test_a_wide_ablation_stays_small_and_says_what_is_left_out(make_run: Any) -> None:
    names = [f"training.optimizer.lr={i / 1000:g},model.num_layers={i % 7},a_rather_long_name={i}" for i in range(400)]
    values = {"full": (0.91, 0.92, 0.9)} | {name: (0.9 - i / 500, 0.91 - i / 490, 0.9) for i, name in enumerate(names)}
    run = make_run(values)
    spec = "# a comment of some length\n" * 4_000
    artefacts = tuple(Artefact(f"a{i}", bytes(30_000)) for i in range(9))
    page = render_page(content_of(run, histories=histories(run), spec=spec, resolved=spec, artefacts=artefacts))
    assert len(page.encode()) < MOST_BYTES
    text = Document(page).text
    assert "251 of 401 variants are left out here" in text
    assert "60 of 400 variants are drawn, those with the largest differences." in text
    assert "12 of 401 variants are drawn" in text
    assert "7 more in the store" in text


def test_the_same_run_is_the_same_bytes_in_any_process(ablation: Any, write_run: Any) -> None:
    run_dir = write_run(ablation)
    for trial, records in histories(ablation).items():
        (run_dir.parents[1] / "store" / trial).mkdir(exist_ok=True)
        write_history(run_dir.parents[1] / "store" / trial, records)
    (run_dir / "spec.yaml").write_text("craftc: 1\nextends: base.yaml\ndescription: Why?\n")
    code = (
        "import sys, hashlib; from pathlib import Path\n"
        "from craftc.report.page.content import read_content; from craftc.report.page.page import render_page\n"
        "print(hashlib.sha256(render_page(read_content(Path(sys.argv[1]))).encode()).hexdigest())\n"
        "print([name for name in ('torch', 'ray', 'optuna', 'wandb', 'pandas') if name in sys.modules])"
    )
    here = render_page(read_content(run_dir))
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(run_dir)]
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])}
        there = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout.split("\n")
        assert there[:2] == [hashlib.sha256(here.encode()).hexdigest(), "[]"]
    text = Document(here).text
    assert "The spec as written, which is its difference to its base" in text
    assert "craftc run runs/vit-ablation/20261121_031500/spec.yaml" in text


def test_secrets_of_a_spec_are_masked(make_run: Any) -> None:
    spec = "tracking: http://me:hunter22@example.org\n"
    page = render_page(content_of(make_run({"full": (0.9,)}), spec=spec, resolved=spec))
    assert "hunter22" not in page
    assert "http://***@example.org" in page


@pytest.mark.parametrize("values", [{"full": (None,)}, {"full": ("failed",)}, {"full": (0.9,)}, {"full": (0.9, 0.9)}])
def test_what_there_is_little_of_has_a_page(make_run: Any, values: Any) -> None:
    Document(render_page(content_of(make_run(values))))
