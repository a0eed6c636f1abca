"""The worst texts that anyone thought of, each linted in a process of its own: seconds, peak memory, exit code.

python tests/fuzz/hostile.py [NAME ...]   exits 1 where a text takes more time or memory than it may, or makes a traceback

The bound on time is on that of the processor, which is what linting takes on a machine that does nothing else.
"""
# ruff: noqa: E501 (a text is one line, to be compared with its neighbours)

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

MAX_SECONDS = 2.0
MAX_SECONDS_OF_MOST = 8.0
"""Of the texts that have as many variants, all valid, as a spec may have."""
MAX_MEBIBYTES = 500
MIB = 1 << 20

HEAD = """craftc: 1
name: hostile
data: {source: digits}
model: {kind: mlp}
objective: {kind: cross_entropy}
"""
TRAINING = "training: {epochs: 5, batch_size: 32, optimizer: adamw}\n"
WHOLE = HEAD + TRAINING


class Cost(NamedTuple):
    """What linting one text took."""

    cpu_seconds: float
    seconds: float
    mebibytes: float  # at the peak
    exit_code: int
    output: str


# The peak that Linux tells of an ended child is at least its parent's: a process tells its own, as it ends at once.
LINT = r"""
import os, re, resource, sys
from pathlib import Path
from craftc.__main__ import start
peak, sys.argv, end = Path(sys.argv[1]), ["craftc", "lint", sys.argv[2]], os._exit
def tell(code):
    status = Path("/proc/self/status")
    own = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    peak.write_text(own[1] if own else str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
    end(code)
os._exit = tell
start()
"""


def _limit() -> None:
    """Of the process that lints, so that a text far beyond the bounds does not take the machine with it."""
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_AS, (4096 * MIB, 4096 * MIB))


def measure(text: str) -> Cost:
    """Lint a text as a user would: cold, by the command line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hostile.yaml")
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        with Path(folder, "output").open("wb+") as output:
            start = time.perf_counter()
            peak = Path(folder, "peak")
            command = [sys.executable, "-c", LINT, str(peak), str(path)]
            process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=_limit)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            told = output.read().decode("utf-8", errors="replace")
        mebibytes = int(peak.read_text()) / 1024 if peak.exists() else float("inf")
    return Cost(usage.ru_utime + usage.ru_stime, seconds, mebibytes, process.returncode, told)


def _lines(count: int, line: Callable[[int], str]) -> str:
    return "".join(line(index) + "\n" for index in range(count))


def _fill(piece: str, size: int = MIB - 1000) -> str:
    return piece * (size // len(piece.encode()))


def _axes(count: int, values: int, path: Callable[[int], str], value: Callable[[int], str]) -> str:
    return "ablation:\n  grid:\n" + _lines(
        count, lambda axis: f"    {path(axis)}: [{', '.join(value(index) for index in range(values))}]"
    )


def _laughs(leaf: str, width: int, levels: int) -> str:
    names = "abcdefghij"[:levels]
    first = f"x_a: &a {leaf}\n"
    return first + "".join(
        f"x_{name}: &{name} [{', '.join([f'*{below}'] * width)}]\n" for below, name in pairwise(names)
    )


HOSTILE: dict[str, Callable[[], str]] = {
    # Mistakes by the thousand.
    "unknown_keys": lambda: WHOLE + _lines(20_000, lambda i: f"key_number_{i}: 1"),
    "unknown_keys_near": lambda: WHOLE + _lines(20_000, lambda i: f"objectiv{i}: 1"),
    "unknown_keys_long": lambda: WHOLE + _lines(10_000, lambda i: f"{'objective' * 10}{i}: 1"),
    "unknown_arguments": lambda: HEAD.replace("{kind: mlp}", "\n  kind: mlp\n" + _lines(20_000, lambda i: f"  hidde{i}: 1")) + TRAINING,
    "unknown_arguments_nested": lambda: HEAD.replace("{kind: mlp}", "\n  kind: mlp\n" + _lines(8_000, lambda i: f"  hid{i}: {{a: 1}}")) + TRAINING,
    "unknown_metrics": lambda: WHOLE.replace("{kind: cross_entropy}", "{kind: cross_entropy, metrics: [" + ", ".join(f"accurac{i}" for i in range(20_000)) + "]}"),
    "components_wrong": lambda: WHOLE.replace("{source: digits}", "{source: digits, augment: [" + "{kind: gaussian_noise, st: 1, p: 7}, " * 7_000 + "]}"),
    "components_right": lambda: WHOLE.replace("{source: digits}", "{source: digits, augment: [" + "line_dropout, " * 24_000 + "]}"),
    "components_numbers": lambda: WHOLE.replace("{source: digits}", "{source: digits, augment: [" + "1, " * 40_000 + "]}"),
    "schedule_wrong": lambda: HEAD + "training: {epochs: 5, batch_size: 32, optimizer: adamw, schedule: [" + "{kind: linear_warmup, epochs: x}, " * 9_000 + "]}",
    "schedule_open": lambda: HEAD + "training: {epochs: 5, batch_size: 32, optimizer: adamw, schedule: [" + "cosine, " * 40_000 + "]}",
    "schedule_metrics": lambda: HEAD + "training: {epochs: 5, batch_size: 32, optimizer: adamw, schedule: [" + "{kind: reduce_on_plateau, metric: valid/acurracy}, " * 9_000 + "]}",
    "splits": lambda: WHOLE.replace("{source: digits}", "{source: digits, splits: {train: 0.5, " + ", ".join(f"s{i}: x" for i in range(20_000)) + "}}"),
    "splits_right": lambda: WHOLE.replace("{source: digits}", "{source: digits, splits: {train: 0.5, " + ", ".join(f"s{i}: 0.00002" for i in range(24_000)) + "}}"),
    "splits_and_metrics": lambda: HEAD.replace("{source: digits}", "{source: digits, splits: {train: 0.5, " + ", ".join(f"s{i}: 0.0001" for i in range(5_000)) + "}}") + "training: {epochs: 5, batch_size: 32, optimizer: adamw, schedule: [" + "{kind: reduce_on_plateau, metric: s1/acurracy, epochs: 1}, " * 4_000 + "]}",
    "list_wrong": lambda: WHOLE.replace("{kind: mlp}", "{kind: mlp, hidden: [" + "x, " * 45_000 + "]}"),
    "list_right": lambda: WHOLE.replace("{kind: mlp}", "{kind: mlp, hidden: [" + "1, " * 45_000 + "]}"),
    "weights": lambda: WHOLE.replace("{kind: cross_entropy}", "{kind: cross_entropy, class_weights: [" + "-1, " * 45_000 + "]}"),
    "empty_values": lambda: WHOLE + _lines(20_000, lambda i: f"k{i}:"),
    "empty_nested": lambda: WHOLE + "regularization:\n" + _lines(20_000, lambda i: f"  dropou{i}:"),
    "duplicate_keys": lambda: WHOLE + _lines(24_000, lambda i: "name: x"),
    "keys_not_text": lambda: WHOLE + _lines(24_000, lambda i: f"{i}: x"),
    "keys_of_lists": lambda: WHOLE + _lines(10_000, lambda i: f"[{i}]: x"),
    "numbers": lambda: WHOLE.replace("{kind: mlp}", "{kind: mlp, hidden: [" + ".nan, " * 45_000 + "]}"),
    "tags": lambda: WHOLE.replace("{kind: mlp}", "{kind: mlp, hidden: [" + "!!int 1, " * 45_000 + "]}"),
    "tags_alone": lambda: _fill("!a "),
    "seeds": lambda: WHOLE + "ablation: {seeds: [" + "1, " * 45_000 + "]}",
    "seeds_wrong": lambda: WHOLE + "ablation: {seeds: [" + "x, " * 45_000 + "]}",
    "features": lambda: WHOLE + "ablation:\n  features:\n" + _lines(12_000, lambda i: f"    f{i}: {{model.x{i}: 1}}"),
    "features_right": lambda: WHOLE + "ablation:\n  design: [leave_one_out, add_one]\n  features:\n" + _lines(3_000, lambda i: f"    f{i}: {{training.optimizer.lr: 0.{i + 1}}}"),
    "features_wide": lambda: WHOLE + "ablation:\n  features:\n" + _lines(100, lambda f: f"    f{f}: {{" + ", ".join(f"model.k{f}x{i}: 1" for i in range(200)) + "}"),
    "features_conflict": lambda: WHOLE + "ablation:\n  design: [leave_one_out, add_one]\n  features:\n" + _lines(10_000, lambda i: f"    f{i}: {{model.dropout: 0.{i}}}"),
    "axes": lambda: WHOLE + _axes(5, 10, lambda a: f"model.hidde{a}", str),
    "axes_right": lambda: WHOLE + _axes(5, 9, lambda a: ("training.epochs", "training.batch_size", "training.optimizer.lr", "model.dropout", "data.splits.seed")[a], lambda i: f"{i + 1}" ),
    "axes_bare": lambda: WHOLE + _axes(15_000, 1, lambda a: f"model.hidde{a}", str),
    "axis_wrong": lambda: WHOLE + _axes(1, 45_000, lambda a: "model.hidden", lambda i: f"x{i}"),
    "axis_right": lambda: WHOLE + _axes(1, 45_000, lambda a: "training.batch_size", lambda i: str(i + 1)),
    "axis_of_kinds": lambda: WHOLE + _axes(1, 20_000, lambda a: "model.kind", lambda i: f"ml{i}"),
    "axis_of_mappings": lambda: WHOLE + _axes(1, 8_000, lambda a: "model", lambda i: f"{{kind: mlp, hiden: {i}}}"),
    "axis_behind_mistakes": lambda: WHOLE + _lines(500, lambda i: f"k{i}: 1") + _axes(1, 30_000, lambda a: "training.batch_size", lambda i: str(i + 1)),
    "zip": lambda: WHOLE + "ablation:\n  zip:\n" + _lines(15_000, lambda i: f"    model.k{i}: [1]"),
    "zip_lengths": lambda: WHOLE + "ablation:\n  zip:\n" + _lines(9_000, lambda i: f"    model.k{i}: [1{', 2' * (i % 3)}]"),
    "exclude": lambda: WHOLE + "ablation:\n  grid: {training.epochs: [1, 2, 3]}\n  exclude:\n" + _lines(12_000, lambda i: f"    - {{training.epoch{i}: 1}}"),
    "exclude_many": lambda: WHOLE + _axes(1, 10_000, lambda a: "training.batch_size", lambda i: str(i + 1)) + "  exclude:\n" + _lines(9_000, lambda i: f"    - {{training.epochs: {i + 10}}}"),
    "require_many": lambda: WHOLE + _axes(1, 10_000, lambda a: "training.batch_size", lambda i: str(i + 1)) + "  require: [" + "training.epochs > 3, " * 20_000 + "]",
    "require_distinct": lambda: WHOLE + "ablation:\n  require: [" + ", ".join(f"training.epochs > {i}" for i in range(30_000)) + "]",
    "require_long": lambda: WHOLE + "ablation:\n  require: ['" + _fill("1+", MIB - 2000) + "1']",
    "require_deep": lambda: WHOLE + "ablation:\n  require: ['" + "(" * 450 + "1" + ")" * 450 + "']",
    "require_not": lambda: WHOLE + "ablation:\n  require: ['" + "not " * 240 + "1']",
    "require_minus": lambda: WHOLE + "ablation:\n  require: ['" + "-" * 990 + "1']",
    "require_product": lambda: WHOLE + "ablation:\n  require: ['" + "*".join(["9999999999999999999"] * 49) + " > 1']",
    "require_broken": lambda: WHOLE + "ablation:\n  require: [" + ", ".join(f"'{'(' * (i % 90)}{i}'" for i in range(9_000)) + "]",
    "variants_most": lambda: WHOLE + _axes(1, 9_999, lambda a: "training.batch_size", lambda i: str(i + 1)),
    "variants_most_with_rules": lambda: WHOLE + _axes(1, 9_999, lambda a: "training.batch_size", lambda i: str(i + 1)) + "  require: [" + ", ".join(f"training.epochs < {i}" for i in range(10, 30)) + "]",
    "variants_too_many_with_broken_rules": lambda: WHOLE + _axes(1, 9_999, lambda a: "training.batch_size", lambda i: str(i + 1)) + "  require: [" + ", ".join(f"'{'(' * 90}{i}'" for i in range(30)) + "]",
    "space": lambda: WHOLE + "search: {optimize: {metric: valid/loss}, trials: 1, space: {" + ", ".join(f"model.k{i}: {{int: [1, 2]}}" for i in range(7_000)) + "}}",
    "space_forms": lambda: WHOLE + "search: {optimize: {metric: valid/loss}, trials: 1, space: {" + ", ".join(f"model.k{i}: {{in: [1, 2]}}" for i in range(7_000)) + "}}",
    "space_choices": lambda: WHOLE + "search: {optimize: {metric: valid/loss}, trials: 1, space: {training.batch_size: {choice: [" + ", ".join(map(str, range(1, 40_000))) + "]}}}",
    "space_choices_wrong": lambda: WHOLE + "search: {optimize: {metric: valid/loss}, trials: 1, space: {training.batch_size: {choice: [" + "x, " * 40_000 + "]}}}",
    "space_with_features": lambda: WHOLE + "ablation: {features: {" + ", ".join(f"f{i}: {{training.batch_size: {i + 1}}}" for i in range(500)) + "}}\nsearch: {optimize: {metric: valid/loss}, trials: 1, space: {training.optimizer.lr: {choice: [" + ", ".join(f"0.{i}1" for i in range(1, 500)) + "]}}}",
    # Aliases and merge keys.
    "laughs": lambda: WHOLE + _laughs("[1,1,1,1,1,1,1,1,1,1]", 10, 7),
    "laughs_just_allowed": lambda: WHOLE + _laughs("[1,1,1,1,1,1,1,1,1]", 10, 5),
    "aliases_of_mistakes": lambda: WHOLE.replace("{kind: mlp}", "{kind: mlp, hidden: [" + "&a x, " + "*a, " * 49_000 + "]}"),
    "aliases_of_components": lambda: WHOLE.replace("{source: digits}", "{source: digits, augment: [&a {kind: gaussian_noise, st: 1, p: 7}, " + "*a, " * 45_000 + "]}"),
    "aliases_of_lists": lambda: WHOLE.replace("{kind: mlp}", "{kind: mlp, hidden: &a [" + "x, " * 190 + "]}") + "ablation: {grid: {model.hidden: [" + "*a, " * 1_000 + "]}}",
    "aliases_of_axes": lambda: WHOLE + "ablation: {grid: {model.hidden: &a [" + "x, " * 290 + "], model.dropout: *a, training.epochs: [1]}}",
    "anchors": lambda: WHOLE + "x: [" + ", ".join(f"&a{i} 1" for i in range(45_000)) + "]",
    "anchors_alone": lambda: _fill("&a "),
    "aliases_alone": lambda: _fill("*a "),
    "merges": lambda: "x: &a {" + ", ".join(f"k{i}: 1" for i in range(100)) + "}\n" + _lines(900, lambda i: f"y{i}: {{<<: *a, z: 1}}") + WHOLE,
    "merges_of_mistakes": lambda: WHOLE + "x: &a {" + ", ".join(f"k{i}: 1" for i in range(100)) + "}\ndata: {<<: [" + "*a, " * 900 + "]}",
    "merges_of_many": lambda: WHOLE + "x: &a {" + ", ".join(f"k{i}: 1" for i in range(20_000)) + "}\n" + _lines(3_000, lambda i: f"y{i}: {{<<: *a}}"),
    "merge_of_scalars": lambda: WHOLE + "x: {<<: [" + "1, " * 45_000 + "]}",
    "merge_alone": lambda: _fill("<<: "),
    "merge_keys": lambda: WHOLE + _lines(20_000, lambda i: "<<: {model: 1}"),
    "chained_merges": lambda: WHOLE + "x0: &x0 {" + ", ".join(f"k{i}: 1" for i in range(60)) + "}\n" + _lines(2_000, lambda i: f"x{i + 1}: &x{i + 1} {{<<: *x{i}}}"),
    # Shapes of text.
    "too_long": lambda: "x: " + "y" * 2 * MIB,
    "scalar": lambda: WHOLE.replace("hostile", "y" * (MIB - 1000)),
    "scalar_quoted": lambda: WHOLE.replace("hostile", '"' + "y" * (MIB - 1000) + '"'),
    "scalar_escapes": lambda: WHOLE.replace("hostile", '"' + "\\u0041" * (MIB // 6 - 500) + '"'),
    "scalar_odd_escapes": lambda: WHOLE.replace("hostile", '"' + "\\0" * (MIB // 2 - 500) + '"'),
    "scalar_block": lambda: WHOLE + "description: |\n" + _fill("  line\n"),
    "scalar_folded": lambda: WHOLE + "description: >\n" + _fill("  a\n\n"),
    "scalar_plain_lines": lambda: WHOLE + "description:\n" + _fill("  a\n"),
    "scalar_digits": lambda: WHOLE.replace("hostile", "9" * (MIB - 1000)),
    "scalar_wide": lambda: WHOLE.replace("hostile", "漢" * (MIB // 3 - 500)),
    "key_long": lambda: WHOLE + "y" * (MIB - 1000) + ": 1",
    "key_quoted_long": lambda: WHOLE + '"' + "y" * (MIB - 1000) + '": 1',
    "key_explicit_long": lambda: WHOLE + '? "' + "y" * (MIB - 1000) + '"\n: 1',
    "path_long": lambda: WHOLE + "ablation: {grid: {? " + _fill("model.", MIB - 2000) + "x : [1]}}",
    "path_of_numbers": lambda: WHOLE + "ablation: {grid: {? model." + "9" * 900_000 + " : [1]}}",
    "path_of_superscripts": lambda: WHOLE + "ablation: {grid: {model.²: [1], ² : [2], training.schedule.٣.epochs: [1]}}",
    "kind_long": lambda: WHOLE.replace("mlp", "y" * (MIB - 1000)),
    "metric_long": lambda: WHOLE + "report: {metric: " + "y" * (MIB - 1000) + "}",
    "metrics_long": lambda: WHOLE + "report: {metric: " + _fill("valid/", MIB - 1000) + "}",
    "slurm_long": lambda: WHOLE + "resources: {slurm: {time_limit: '" + "1" * (MIB - 1000) + "'}}",
    "curly": lambda: _fill("{"),
    "square": lambda: _fill("["),
    "square_in_lines": lambda: _fill("[\n"),
    "curly_closed": lambda: "{" * 60 + "}" * 60,
    "deep_lists": lambda: WHOLE + "x: " + "[" * 60 + "]" * 60,
    "commas": lambda: "[" + _fill(",") + "]",
    "dashes": lambda: _fill("- "),
    "dashes_in_lines": lambda: _fill("-\n"),
    "questions": lambda: _fill("? "),
    "questions_in_lines": lambda: _fill("?\n"),
    "bangs": lambda: _fill("!"),
    "ampersands": lambda: _fill("&"),
    "stars": lambda: _fill("*"),
    "percents": lambda: _fill("%\n"),
    "directives": lambda: _fill("%YAML 1.2\n"),
    "directives_of_tags": lambda: _lines(20_000, lambda i: f"%TAG !a{i}! b") + "---\nx: 1",
    "hashes": lambda: _fill("#\n") + WHOLE,
    "comment": lambda: "#" + _fill("y", MIB - 2000) + "\n" + WHOLE,
    "tabs": lambda: _fill("\t"),
    "tabs_before_key": lambda: WHOLE + _fill("\t", MIB - 2000) + "x: 1",
    "tabs_behind_value": lambda: WHOLE + "x: 1" + _fill("\t", MIB - 2000),
    "spaces": lambda: _fill(" "),
    "newlines": lambda: _fill("\n"),
    "newlines_before": lambda: _fill("\n", MIB - 2000) + WHOLE + "x: 1",
    "returns": lambda: _fill("\r\n", MIB - 2000) + WHOLE + "x: 1",
    "colons": lambda: _fill(": "),
    "colons_in_lines": lambda: _fill(":\n"),
    "quotes": lambda: _fill("'"),
    "double_quotes": lambda: _fill('"'),
    "pipes": lambda: _fill("|\n"),
    "documents": lambda: _fill("---\n"),
    "document_ends": lambda: _fill("...\n"),
    "nul": lambda: _fill("\0"),
    "bell_at_end": lambda: WHOLE + "#" + _fill("y\n#", MIB - 2000) + "\x07",
    "byte_order_marks": lambda: _fill("\ufeff"),
    "separators": lambda: _fill("\u2028"),
    "keys_in_one_flow": lambda: "{" + ", ".join(f"k{i}" for i in range(45_000)) + "}",
    "indents": lambda: _lines(500, lambda i: " " * i + "k:"),
    "mistakes_on_one_line": lambda: "{" + ", ".join(f"k{i}: 1" for i in range(24_000)) + "}",
    "mistakes_on_one_long_line": lambda: "{" + ", ".join(f"k{i}{'x' * 30}: 1" for i in range(24_000)) + "}",
}  # fmt: skip


def main() -> int:
    """Lint each text and tell what it took, the slowest last."""
    chosen = sys.argv[1:] or list(HOSTILE)
    failed: list[str] = []
    costs: list[tuple[Cost, str]] = []
    if unknown := set(chosen) - set(HOSTILE):
        sys.exit(f"no such text: {', '.join(unknown)}")
    for name in chosen:
        cost = measure(HOSTILE[name]())
        costs.append((cost, name))
        if (
            cost.cpu_seconds > (MAX_SECONDS_OF_MOST if "variants_most" in name else MAX_SECONDS)
            or cost.mebibytes > MAX_MEBIBYTES
            or "Traceback" in cost.output
            or cost.exit_code not in (0, 1)
        ):
            failed.append(name)
    for cost, name in sorted(costs):
        mark = "FAILED" if name in failed else ""
        first = cost.output.splitlines()[:1]
        print(
            f"{cost.cpu_seconds:6.2f} s ({cost.seconds:.2f} by the clock) {cost.mebibytes:6.0f} MiB  exit {cost.exit_code}  {name} {mark} {str(first)[:110]}"
        )
    print(f"{len(costs)} texts, {len(failed)} beyond the bounds: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
