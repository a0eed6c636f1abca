"""How a conclusion looks: as text in any width, as Markdown, as JSON."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from craftc.report.conclude import conclude, render_json
from craftc.report.fold_name import fold_name
from craftc.report.numbers import SCIENTIFIC, fixed
from craftc.report.read_run import read_run
from craftc.report.render_markdown import render_markdown
from craftc.report.render_text import print_text, render_text

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("width", [120, 80, 60])
def test_text_is_as_recorded(ablation: Any, write_run: Any, width: int) -> None:
    conclusion = conclude(*read_run(write_run(ablation)))

    assert render_text(conclusion, width) == (GOLDEN / f"ablation_{width}.txt").read_text()


def test_markdown_is_as_recorded(ablation: Any, write_run: Any) -> None:
    conclusion = conclude(*read_run(write_run(ablation)))

    assert render_markdown(conclusion) == (GOLDEN / "ablation.md").read_text()


def test_a_loss_with_one_that_is_not_comparable(make_run: Any) -> None:
    run = make_run(
        {"full": (0.301, 0.312, 0.297), "-class_weights": (0.52, 0.51, 0.5), "-warmup": (0.4, 0.38, 0.41)},
        metric="loss",
        mode="min",
        identities={"full": "cross entropy, balanced class weights", "-warmup": "cross entropy, balanced class weights",
                    "-class_weights": "cross entropy, no class weights"},
    )  # fmt: skip

    assert render_text(conclude(*run), 80) == (GOLDEN / "loss_80.txt").read_text()


def many(make_run: Any) -> Any:
    names = [f"lr={i / 1000:g},num_layers={i % 7},a_rather_long_option_name={i}" for i in range(100)]
    values = {"full": (0.91, 0.92, 0.9)}
    return conclude(*make_run(values | {name: (0.9 - i / 200, 0.91 - i / 190, 0.9) for i, name in enumerate(names)}))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_hundred_variants_fit_the_width(make_run: Any, width: int) -> None:
    text = render_text(many(make_run), width)

    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert text.count(" 3/3 ") == 101


@pytest.mark.parametrize("width", [1, 20, 40])
def test_numbers_are_never_cut(ablation: Any, width: int) -> None:
    conclusion = conclude(*ablation)
    table = render_text(conclusion, width).split("Means")[0]

    assert "…" not in table
    for row in conclusion.variants:
        assert row.value is not None
        assert f"{row.value.mean:.3f}" in table
        assert row.difference is None or f"{row.difference.mean:+.3f} ± " in table


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_two_blank_lines_follow_each_other(make_run: Any, width: int) -> None:
    run = make_run({"full": (0.9, 0.91, 0.9), "-a": (0.8, 0.82, 0.81)})
    assert "\n\n\n" not in render_text(conclude(*run), width)


@pytest.mark.parametrize("width", [80, 120])
def test_points_stand_under_points(ablation: Any, width: int) -> None:
    lines = render_text(conclude(*ablation), width).splitlines()
    cells = [
        re.sub(r"^\S+", lambda name: " " * len(name.group()), line) for line in lines if re.search(r" \d/3 ", line)
    ]
    points = [[i for i, character in enumerate(line) if character == "."] for line in cells]

    assert len(cells) == 8
    assert len({of_row[0] for of_row in points}) == 1
    assert len({of_row[-1] for of_row in points}) == 1
    assert {len(of_row) for of_row in points} == ({5, 9} if width == 120 else {4, 6})


def test_colour_in_a_terminal_only(ablation: Any) -> None:
    conclusion = conclude(*ablation)
    plain, terminal, no_color = io.StringIO(), io.StringIO(), io.StringIO()

    print_text(conclusion, Console(file=plain, width=100))
    print_text(conclusion, Console(file=terminal, width=100, force_terminal=True, color_system="standard"))
    print_text(conclusion, Console(file=no_color, width=100, force_terminal=True, no_color=True))

    uncoloured = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())
    assert plain.getvalue() == no_color.getvalue() == render_text(conclusion, 100)
    assert "\x1b[31m-0.215" in terminal.getvalue()
    assert [line.rstrip() for line in uncoloured.splitlines()] == plain.getvalue().splitlines()


def test_markup_in_names_is_text(make_run: Any) -> None:
    conclusion = conclude(*make_run({"full": (0.9, 0.8), "a=[bold],b|c=*": (0.5, 0.4)}))

    assert "a=[bold],b|c=*" in render_text(conclusion, 120)
    assert r"`a=[bold],b\|c=*`" in render_markdown(conclusion)


def test_one_seed_is_shown_without_intervals(make_run: Any) -> None:
    text = render_text(conclude(*make_run({"full": (0.9,), "-a": (0.5,)})), 80)

    assert "±" not in text
    assert "95%" not in text
    assert "Holm" not in text


def test_a_run_without_results_still_renders(make_run: Any) -> None:
    conclusion = conclude(*make_run({"full": (None,), "-a": ("failed",)}))

    assert "No trial has finished" in render_text(conclusion, 80)
    assert "No trial has finished" in render_markdown(conclusion)


def test_small_effects_get_the_digits_they_need(make_run: Any) -> None:
    conclusion = conclude(*make_run({"full": (0.9, 0.9001, 0.9002), "-a": (0.8996, 0.89972, 0.8998)}))

    text = render_text(conclusion, 120)

    assert "-0.00039 [-0.00042, -0.00036] *" in text


def test_a_variant_that_diverged_takes_no_digits_from_the_others(make_run: Any) -> None:
    run = make_run({"full": (0.301, 0.312), "lr=10": (4e11, 5e11), "lr=1": (3e11, 5e11)}, metric="loss", mode="min")

    assert re.search(r"\b0\.306 ± +0\.070", render_text(conclude(*run), 100))


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(-0.0001, 3, "0.000"), (1234.5, 1, "1234.5"), (1e9, 3, "1.00e+09"), (2e-11, SCIENTIFIC, "2.00e-11")],
)
def test_numbers(value: float, decimals: int, text: str) -> None:
    assert fixed(value, decimals) == text


def test_names_fold_at_commas_first() -> None:
    assert fold_name("num_layers=2,dropout=0.0", 14) == "num_layers=2,\ndropout=0.0"
    assert fold_name("-a_very_long_feature", 12) == "-a_very_\nlong_feature"
    assert fold_name("x" * 9, 4) == "xxxx\nxxxx\nx"
    assert fold_name("full", 14) == "full"


def test_json_is_a_contract(ablation: Any) -> None:
    document = json.loads(render_json(conclude(*ablation)))

    assert document["format_version"] == "1.0"
    variant = document["variants"][3]
    assert variant["name"] == "-normalization"
    assert variant["metric"] == {
        "split": "test",
        "name": "balanced_accuracy",
        "averaging": "macro recall over 10 classes",
    }
    assert [seed["value"] for seed in variant["seeds"]] == [0.701, 0.712, 0.689]
    assert variant["value"]["mean"] == pytest.approx(0.700667, abs=1e-6)
    assert set(variant["value"]["interval"]) == {"low", "high"}
    assert variant["difference"]["mean"] == pytest.approx(-0.215)
    assert variant["difference"]["interval"]["high"] < 0
    assert {"best_epoch", "last_epoch", "gap", "at_last"} <= set(variant)
