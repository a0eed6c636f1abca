"""The published schemas in an editor's YAML language server: what it offers and explains at places of the flagship.

Needs `yaml-language-server`, which `make test` installs where there is npm; is left out without it.
"""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parents[3]
FLAGSHIP = (ROOT / "specs" / "vit_ablation.yaml").read_text(encoding="utf-8")
STOPPED = (
    FLAGSHIP.replace("\n  schedule:", "\n  early_stopping: {metric: valid/loss, patience: 6}\n  schedule:")
    .replace("evaluation: {select: none}", "evaluation: {select: {metric: valid/balanced_accuracy}}")
    .replace("epochs: 2}", "epochs: 2, start_lr: 1e-6}")
    .replace("resources:", "  grid:\n    model.d_model: [16]\n\nresources:")
)
"""The flagship with more keys."""
NODE_MODULES = Path(sys.prefix, "node_modules", ".bin")
SERVER = shutil.which("yaml-language-server", path=NODE_MODULES) or shutil.which("yaml-language-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="no yaml-language-server in the environment or on the PATH")
OPTIONS = {"hover": True, "completion": True, "validate": True, "schemaStore": {"enable": False}}
CAPABILITIES = {
    "textDocument": {
        "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
        "hover": {"contentFormat": ["markdown"]},
    },
    "workspace": {"configuration": True},
}


class Server:
    """A language server in a process of its own, spoken to as an editor would: JSON-RPC over its standard streams."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self.folder = process, folder
        self.numbers = itertools.count(1)
        self.mistakes: dict[str, list[dict[str, Any]]] = {}
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": CAPABILITIES})
        self.send(method="initialized", params={})

    def _stream(self, stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None
        return stream

    def send(self, **message: Any) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream = self._stream(self.process.stdin)
        stream.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        stream.flush()

    def take(self) -> dict[str, Any]:
        """The next message; what the server asks for is answered."""
        stream, length = self._stream(self.process.stdout), 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(stream.read(length))
        if message.get("method") == "workspace/configuration":
            wanted = [OPTIONS if item["section"] == "yaml" else None for item in message["params"]["items"]]
            self.send(id=message["id"], result=wanted)
        elif message.get("method") == "textDocument/publishDiagnostics":
            self.mistakes[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            self.send(id=message["id"], result=None)
        return message

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        number = next(self.numbers)
        self.send(id=number, method=method, params=params)
        while True:
            message = self.take()
            if message.get("id") == number and "method" not in message:
                return message["result"]

    def open(self, text: str) -> str:
        uri = (self.folder / f"{next(self.numbers)}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send(method="textDocument/didOpen", params={"textDocument": document})
        while uri not in self.mistakes:
            self.take()
        return uri

    def at_cursor(self, method: str, text: str) -> Any:
        """Ask about the place of `|` in a text."""
        before, _, after = text.partition("|")
        line, character = before.count("\n"), len(before) - before.rfind("\n") - 1
        position = {"line": line, "character": character}
        return self.ask(method, {"textDocument": {"uri": self.open(before + after)}, "position": position})

    def offered(self, text: str) -> set[str]:
        found = self.at_cursor("textDocument/completion", text)
        return {item["label"] for item in (found["items"] if isinstance(found, dict) else found or [])}

    def explained(self, text: str) -> str:
        return str(self.at_cursor("textDocument/hover", text)["contents"]["value"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    assert SERVER is not None
    folder = tmp_path_factory.mktemp("editor")
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    with subprocess.Popen([SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Server(process, folder / "specs")
        finally:
            process.kill()


def experiment(text: str, schema: str = "experiment") -> str:
    return f"# yaml-language-server: $schema=../schemas/{schema}.v1.json\n{text}"


def test_the_flagship_is_clean(server: Server) -> None:
    assert server.mistakes[server.open(FLAGSHIP)] == []


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("craftc: 1\n|", {"name", "data", "model", "training", "program", "ablation", "search", "report"}),
        ("report:\n  mode: |", {"min", "max", "infer"}),
        ("model: |", {"linear", "mlp", "scanline_vit"}),
        ("model:\n  kind: |", {"linear", "mlp", "scanline_vit"}),
        ("data:\n  augment:\n    - kind: |", {"horizontal_flip", "gaussian_noise", "line_dropout"}),
        ("data:\n  augment:\n    - kind: gaussian_noise\n      |", {"std", "p"}),
        ("training:\n  optimizer:\n    kind: adamw\n    |", {"lr", "betas", "weight_decay"}),
        ("model: {kind: scanline_vit, n|}", {"num_layers", "num_heads", "d_model", "positions"}),
        ("objective:\n  kind: cross_entropy\n  |", {"class_weights", "label_smoothing", "metrics"}),
        ("objective: {kind: cross_entropy, metrics: [|]}", {"accuracy", "auroc"}),
        ("training:\n  early_stopping:\n    |", {"metric", "mode", "patience", "min_delta"}),
        ("report:\n  trackers:\n    - kind: wandb\n      mode: |", {"auto", "online", "offline", "disabled"}),
        ("ablation:\n  design: [|]", {"leave_one_out", "add_one"}),
        ("ablation:\n  grid:\n    |", {"training.optimizer.lr", "model.num_layers", "training.schedule.0.epochs"}),
        ("ablation:\n  grid:\n    model.pooling: [|]", {"cls", "mean", "last"}),
        ("ablation:\n  features:\n    warmup:\n      |", {"data.normalize", "training.schedule.0.epochs"}),
        ("search:\n  space:\n    |", {"training.optimizer.lr", "regularization.dropout"}),
        ("search:\n  space:\n    model.d_model:\n      |", {"int", "log_uniform", "choice", "step"}),
    ],
)
def test_keys_kinds_and_arguments_are_offered(server: Server, text: str, offered: set[str]) -> None:
    assert offered <= server.offered(experiment(text))


def test_arguments_of_another_kind_are_not_offered(server: Server) -> None:
    found = server.offered(experiment("training:\n  optimizer:\n    kind: adamw\n    |"))
    assert not found & {"momentum", "nesterov", "d_model"}


@pytest.mark.parametrize(
    ("place", "explained"),
    [
        ("epo|chs: 14", ["Passes over the train split."]),
        ("kind: ada|mw", ["Adam with decoupled weight decay"]),
        ("l|r: 4e-3", ["Learning rate that the schedule starts from.", "Default: `0.001`"]),
        ("start_l|r: 1e-6", ["learning rate"]),
        ("pati|ence: 6", ["without improvement before stopping"]),
        ("d_mod|el: 32", ["Width of a token.", "A whole number >= 1."]),
        ("model.num_lay|ers: 1", ["Encoder blocks."]),
        ("data.norm|alize: none", ["Normalization, fitted on the train split alone."]),
        ("sel|ect: {metric", ["Which epoch's weights are kept as best"]),
    ],
)
def test_every_key_of_the_flagship_is_explained(server: Server, place: str, explained: list[str]) -> None:
    assert place.replace("|", "") in STOPPED
    text = server.explained(STOPPED.replace(place.replace("|", ""), place, 1))
    for part in explained:
        assert part.lower() in text.replace("\\", "").lower()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("lr: 4e-3", "lr: fast"),
        ("num_heads: 4", "num_head: 4"),
        ("kind: adamw", "kind: adamax"),
        ("patience: 6", "patience: 0"),
    ],
)
def test_a_mistake_is_marked_in_its_line(server: Server, right: str, wrong: str) -> None:
    found = server.mistakes[server.open(STOPPED.replace(right, wrong, 1))]
    expected = next(n for n, text in enumerate(STOPPED.splitlines()) if right in text)
    assert {mistake["range"]["start"]["line"] for mistake in found} == {expected}


def test_ones_own_kind_is_left_alone(server: Server) -> None:
    own = "model: {kind: lab.nets:Net, depth: 3, block: {kind: lab.nets:Block}}"
    text = "\n".join(own if line.startswith("model:") else line for line in FLAGSHIP.splitlines())
    assert server.mistakes[server.open(text)] == []


PROGRAM = """craftc: 1
name: simclr
program: {kind: "lab.simclr:train", lr: 1e-3}
training: {early_stopping: {metric: valid/loss, patience: 3}}
ablation: {seeds: 2, grid: {program.temperature: [0.1, 0.5]}}
report: {metric: valid/knn, mode: max}
"""


def test_a_spec_with_a_program(server: Server) -> None:
    assert server.mistakes[server.open(experiment(PROGRAM))] == []
    text = server.explained(experiment(PROGRAM.replace("program:", "prog|ram:")))
    assert "In the place of data, model, objective and regularization" in text


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("report:", "model: mlp\nreport:"),
        ("training: {", "training: {epochs: 3, "),
        ("lr: 1e-3", "kind: 3"),
        ("mode: max", "mode: greater"),
        ("patience: 3", "patience: 0"),
    ],
)
def test_a_mistake_beside_a_program_is_marked_in_its_line(server: Server, right: str, wrong: str) -> None:
    found = server.mistakes[server.open(experiment(PROGRAM.replace(right, wrong, 1)))]
    expected = next(n for n, text in enumerate(experiment(PROGRAM).splitlines()) if right in text)
    assert {mistake["range"]["start"]["line"] for mistake in found} == {expected}


def test_a_search_space_and_a_base(server: Server) -> None:
    assert {"int", "choice"} <= server.offered(experiment("model.d_model:\n  |", "search_space"))
    assert "training.batch_size" in server.offered(experiment("|", "search_space"))
    space = experiment((ROOT / "search_spaces" / "vit_small.yaml").read_text(encoding="utf-8"), "search_space")
    assert server.mistakes[server.open(space)] == []
    assert server.mistakes[server.open(experiment("training: {epochs: 3}\n", "base"))] == []
    assert server.mistakes[server.open(experiment("training: {epochs: 0}\n", "base"))] != []


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("craftc: 1\n|", ["name", "data", "model", "objective", "training"]),
        ("training:\n  |", ["batch_size", "optimizer"]),
        ("training:\n  epochs: 3\n  |", ["batch_size", "optimizer"]),
        ("training:\n  early_stopping:\n    |", ["metric", "patience"]),
        ("data:\n  source:\n    kind: csv\n    |", ["path", "target"]),
    ],
)
def test_required_keys_come_first(server: Server, text: str, first: list[str]) -> None:
    """As an editor sorts: by what the server says, else by label."""
    found = server.at_cursor("textDocument/completion", experiment(text))
    offered = sorted(found["items"], key=lambda item: item.get("sortText") or item["label"])
    labels = [item["label"] for item in offered]
    assert labels[: len(first)] == first
    assert not set(labels) & {"craftc", *(["epochs"] if "epochs: 3" in text else [])}
