"""A small W&B server on loopback that keeps what the real client sends, and runs that were never trained but told."""

import base64
import gzip
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.observers.factors import Factors, factors_of
from craftc.runtime.observers.observer import Warn
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.runtime.store.run_folder import RunFolder, create_run
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan
from craftc.schemas.result import EpochEnded, EpochRecord, Event, Result, TrialFinished, TrialStarted
from craftc.schemas.spec import Spec
from craftc.training.state.history import append_record

KEY = "0123456789abcdef" * 2 + "01234567"
ENTITY = "lab"


@dataclass
class ArrivedRun:
    """A run as the server has it."""

    name: str
    group: str | None = None
    display_name: str | None = None
    job_type: str | None = None
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    sweep: str | None = None
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    num_lines_sent: int = 0
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The history as logged, without what wandb adds; by line, as the client numbers them."""
        assert sorted(self.lines) == list(range(len(self.lines)))
        rows = [self.lines[index] for index in range(len(self.lines))]
        own = ("_timestamp", "_runtime", "_step")
        return [{"step": row["_step"], **{k: v for k, v in row.items() if k not in own}} for row in rows]

    @property
    def state(self) -> str:
        return "running" if self.exit_code is None else "failed" if self.exit_code else "finished"


@dataclass
class ArrivedSweep:
    """A sweep as the server has it."""

    config: dict[str, Any]
    prior_runs: list[str]


class FakeWandb:
    """Answers the requests that wandb 0.31 makes for a run, a sweep and a sync.

    `refuse` is a status that every request gets; `hangs` lets them all wait; `refuse_rows_after` refuses the history
    after so many rows, and `stop` takes the server off the network, also in the middle of a request.
    """

    def __init__(self) -> None:
        self.runs: dict[str, ArrivedRun] = {}
        self.sweeps: dict[str, ArrivedSweep] = {}
        self.refuse: int | None = None
        self.hangs = False
        self.stops_after_rows: int | None = None
        self.refuse_rows_after: int | None = None
        self.num_requests = 0
        self.lock = threading.RLock()
        self._released = threading.Event()
        self._connections: set[socket.socket] = set()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def by_name(self) -> dict[str, ArrivedRun]:
        """Runs by what they are called, `variant/seed0`; no two of a name."""
        named = {run.display_name or "": run for run in self.runs.values()}
        assert len(named) == len(self.runs)
        return named

    def start(self) -> None:
        """Be there, under the same address as before."""
        fake = self

        class Handler(_Handler):
            wandb = fake

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away is no error of this server."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Go away: refuse connections and cut those that there are."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        self._released.set()
        with self.lock:
            for connection in list(self._connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def wait(self) -> None:
        """Keep a request waiting, for as long as the server hangs."""
        self._released.wait(120)

    def release(self) -> None:
        """Hang no more."""
        self.hangs = False
        self._released.set()


class _Handler(BaseHTTPRequestHandler):
    wandb: FakeWandb
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.wandb.lock:
            self.wandb._connections.add(self.connection)

    def finish(self) -> None:
        with self.wandb.lock:
            self.wandb._connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        self._body()
        self._send({})

    def do_POST(self) -> None:
        body = self._body()
        if self.path.startswith("/sdk/otel"):
            return self._send({})
        self.wandb.num_requests += 1
        if self.wandb.hangs:
            self.wandb.wait()
            self.close_connection = True
            return None
        if self.wandb.refuse is not None:
            return self._send({"errors": [{"message": "permission denied"}]}, self.wandb.refuse)
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode():
            return self._send({"errors": [{"message": "no such key"}]}, 401)
        with self.wandb.lock:
            if stream := re.fullmatch(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream", self.path):
                return self._send(*self._stream(stream[3], json.loads(body)))
            call = json.loads(body)
            self._send(*self._graphql(call["query"], call.get("variables") or {}))

    def _graphql(self, query: str, given: dict[str, Any]) -> tuple[Any, int]:
        operation = re.search(r"(upsertBucket|upsertSweep|createRunFiles|runs\(filters|viewer|serverInfo)", query)
        match operation[1] if operation else None:
            case "upsertBucket":
                return self._upsert_run(given)
            case "upsertSweep":
                return self._upsert_sweep(given)
            case "createRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.wandb.url}/upload/{name}"} for name in given["files"]]
                return {"data": {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}}, 200
            case "runs(filters":
                return self._list_runs(json.loads(given["filters"])), 200
            case "viewer":
                viewer = {"id": "V", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": {"edges": []}}
                return {"data": {"viewer": {**viewer, "email": "a@b.c"}, "serverInfo": {"features": []}}}, 200
            case "serverInfo":
                return {"data": {"serverInfo": {"features": []}}}, 200
        return {"errors": [{"message": f"this server does not know {query[:80]}"}]}, 400

    def _upsert_run(self, given: dict[str, Any]) -> tuple[Any, int]:
        if given.get("sweep") is not None and given["sweep"] not in self.wandb.sweeps:
            return {"errors": [{"message": f"no sweep {given['sweep']}"}]}, 404
        is_new = given["name"] not in self.wandb.runs
        run = self.wandb.runs.setdefault(given["name"], ArrivedRun(given["name"]))
        run.group = given.get("groupName") or run.group
        run.display_name = given.get("displayName") or run.display_name
        run.job_type = given.get("jobType") or run.job_type
        run.tags = given.get("tags") or run.tags
        run.sweep = given.get("sweep") or run.sweep
        if given.get("config"):
            config = {key: at["value"] for key, at in json.loads(given["config"]).items() if key != "_wandb"}
            run.config = config or run.config
        project = {"id": "P", "name": given["project"], "entity": {"id": "E", "name": given.get("entity") or ENTITY}}
        bucket = {"id": f"id-{run.name}", "name": run.name, "displayName": run.display_name, "sweepName": run.sweep}
        bucket |= {"description": "", "config": given.get("config"), "historyLineCount": 0, "project": project}
        return {"data": {"upsertBucket": {"bucket": bucket, "inserted": is_new}}}, 200

    def _upsert_sweep(self, given: dict[str, Any]) -> tuple[Any, int]:
        filters = json.loads(given.get("priorRunsFilters") or '{"$or": []}')
        sweep = ArrivedSweep(YAML(typ="safe").load(given["config"]), [part["name"] for part in filters["$or"]])
        name = f"sweep{len(self.wandb.sweeps)}"
        self.wandb.sweeps[name] = sweep
        for run in sweep.prior_runs:
            self.wandb.runs[run].sweep = name
        project = {"id": "P", "name": given["projectName"], "entity": {"id": "E", "name": ENTITY}}
        answer = {"sweep": {"name": name, "project": project}, "configValidationWarnings": []}
        return {"data": {"upsertSweep": answer}}, 200

    def _list_runs(self, filters: dict[str, Any]) -> Any:
        runs = [run for run in self.wandb.runs.values() if run.group == filters["group"]]
        empty = dict.fromkeys(("commit", "description", "notes", "createdAt", "heartbeatAt"), "")
        nodes = [
            {
                **empty,
                "id": f"id-{run.name}",
                "projectId": "1",
                "name": run.name,
                "displayName": run.display_name,
                "sweepName": None,
                "state": run.state,
                "group": run.group,
                "jobType": run.job_type,
                "tags": run.tags,
                "readOnly": False,
                "historyLineCount": len(run.lines),
                "user": {"name": ENTITY, "username": ENTITY},
            }
            for run in runs
        ]
        page = {"edges": [{"node": node, "cursor": "c"} for node in nodes]}
        page["pageInfo"] = {"endCursor": "c", "hasNextPage": False}
        return {"data": {"project": {"internalId": "1", "runCount": len(runs), "readOnly": False, "runs": page}}}

    def _stream(self, name: str, told: dict[str, Any]) -> tuple[Any, int]:
        run = self.wandb.runs[name]
        files = told.get("files", {})
        history = files.get("wandb-history.jsonl", {"offset": 0, "content": []})
        limit = self.wandb.refuse_rows_after
        if limit is not None and history["offset"] + len(history["content"]) > limit:
            return {"errors": [{"message": "permission denied"}]}, 403
        for index, line in enumerate(history["content"], start=history["offset"]):
            run.lines[index] = json.loads(line)
            run.num_lines_sent += 1
        for line in files.get("wandb-summary.json", {"content": []})["content"]:
            run.summary = json.loads(line)
        if told.get("complete"):
            run.exit_code = told["exitcode"]
        return {"exitcode": None, "limits": {}}, 200

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, answer: Any, status: int = 200) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWandb]:
    """A server that this process's W&B clients talk to."""
    fake = FakeWandb()
    monkeypatch.setenv("WANDB_BASE_URL", fake.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    yield fake
    fake.release()
    fake.stop()


SPEC = """\
craftc: 1
name: tiny
data: {source: digits}
model: {kind: mlp, hidden: [16]}
objective: {kind: cross_entropy, metrics: [accuracy]}
regularization: {dropout: 0.1}
training: {epochs: 3, batch_size: 64, optimizer: {kind: adamw, lr: 1e-2}}
ablation:
  seeds: 2
  features: {dropout: {regularization.dropout: 0.0}}
  grid: {training.optimizer.lr: [1e-2, 1e-3]}
report: {trackers: [{kind: wandb, project: digits, mode: online, sweep: true}]}
"""
BY_STEPS = f"{SPEC}evaluation: {{every: {{steps: 17}}}}\n"
"""The same with a record of each trial every 17 steps."""


@dataclass(frozen=True)
class ToldRun:
    """A run folder whose trials were never trained: the store and the events say what training would have said."""

    spec: Spec
    plan: Plan
    store: Store
    folder: RunFolder
    factors: Factors

    def tracked(self, warn: Warn = print) -> TrackedRun:
        """What its trackers are handed."""
        return TrackedRun(self.folder.path, self.store, self.factors, warn)

    def train(self, trial_id: str, num_epochs: int = 3) -> list[Event]:
        """Put the trial into the store, and tell what a job would tell."""
        seed = int(trial_id[:6], 16)
        self.store.folder(trial_id).mkdir(parents=True, exist_ok=True)
        events: list[Event] = [TrialStarted(trial=trial_id)]
        for epoch in range(1, num_epochs + 1):
            metrics = {"train/objective": (seed % 97) / epoch, "valid/loss": (seed % 89) / (epoch + 1) + 1e-9 * epoch}
            record = EpochRecord(trial=trial_id, epoch=epoch, step=epoch * 17, metrics=metrics, seconds=0.1)
            append_record(self.store.folder(trial_id), record)
            events.append(EpochEnded(record=record))
        result = self.result(trial_id, num_epochs)
        self.store.write_result(result)
        return [*events, TrialFinished(result=result)]

    def result(self, trial_id: str, num_epochs: int = 3) -> Result:
        """What the trial came to."""
        value = int(trial_id[:4], 16) / 65536
        return Result(
            trial=trial_id,
            best_epoch=2,
            epochs_trained=num_epochs,
            epochs_planned=3,
            steps=51,
            best={"test/accuracy": value, "valid/loss": 0.25},
            last={"test/accuracy": value / 2, "valid/loss": 0.5},
            trivial={"test/accuracy": 0.1},
            identities={"accuracy": "micro accuracy over 10 classes"},
            num_parameters=100,
            split_sizes={"train": 10},
            seconds=0.3,
            device="cpu",
            craftc_version="0",
        )

    def rows(self, trial_id: str) -> list[dict[str, Any]]:
        """The store's own record, as W&B should have it."""
        return [{"step": record.epoch, **record.metrics} for record in self.store.history(trial_id)]


MakeRun = Callable[..., ToldRun]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes a run folder of a spec; a second one knows what the store has by then."""

    def make(text: str = SPEC) -> ToldRun:
        store = Store(tmp_path / "runs" / "store")
        compiled = compile_spec(text, "tiny.yaml", built_in_catalogue(), store.is_finished)
        assert compiled.plan is not None, compiled.diagnostics
        assert compiled.analysis.spec is not None
        folder = create_run(tmp_path / "runs", compiled.plan, text)
        spec = compiled.analysis.spec
        return ToldRun(spec, compiled.plan, store, folder, factors_of(spec, compiled.plan))

    return make


@pytest.fixture
def by_steps() -> str:
    """A spec whose trials make a record every 17 steps."""
    return BY_STEPS


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less patience with a server, for tests of one that does not answer."""
    monkeypatch.setattr("craftc.runtime.observers.wandb_client.INIT_TIMEOUT_S", 2.0)
    monkeypatch.setattr("craftc.runtime.observers.wandb_client.FINISH_TIMEOUT_S", 2.0)
    monkeypatch.setattr("craftc.runtime.observers.wandb_client.QUERY_TIMEOUT_S", 2)
    monkeypatch.setattr("craftc.runtime.observers.wandb_tracker.CONFIRM_EVERY_S", 0.1)
