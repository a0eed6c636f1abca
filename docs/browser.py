"""Opens a page in a headless Chromium, through the pipe that it takes commands from: no driver, no port, no network.

The protocol: https://chromedevtools.github.io/devtools-protocol/, JSON texts that end with a zero byte.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

FIRST_FREE = 10
AS_CHROMIUM_WANTS = (  # which reads commands from descriptor 3 and answers on 4
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The program; None where it is not installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Page:
    """One tab. `complaints` are errors and warnings of its console, and what it asked the network for in vain."""

    commands: IO[bytes]
    answers: IO[bytes]
    session: str = ""
    complaints: list[str] = field(default_factory=list)
    _number: int = 0

    def open(self, path: Path, *, width: int, theme: Literal["light", "dark"] = "light", height: int = 900) -> None:
        """Load a file, in a window of that many CSS pixels."""
        self.complaints.clear()
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", size)
        self.ask("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
        self.ask("Page.navigate", {"url": path.resolve().as_uri()})
        self._take_until(lambda message: message.get("method") == "Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to, which JSON can hold. Raises RuntimeError where it throws."""
        answer = self.ask("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """A key of the keyboard, by the name that JavaScript has for it."""
        for kind in ("keyDown", "keyUp"):
            text = {"Enter": "\r", "Space": " "}.get(key, "")
            code = {"Enter": 13, "Tab": 9, "Space": 32}.get(key, 0)
            event = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
            self.ask("Input.dispatchKeyEvent", event | ({"text": text} if text and kind == "keyDown" else {}))

    def picture(self, *, height: int | None = None, scale: float = 1) -> bytes:
        """The page as a PNG, in its whole length unless a height is given."""
        size = self.value("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": height or size[1], "scale": scale}
        answer = self.ask("Page.captureScreenshot", {"format": "png", "clip": clip, "captureBeyondViewport": True})
        return base64.b64decode(answer["data"])

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a command and wait for its answer. Raises RuntimeError where it is refused."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params or {}}
        message |= {"sessionId": self.session} if self.session else {}
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        number = self._number
        answer = self._take_until(lambda message: message.get("id") == number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _take_until(self, is_awaited: Any) -> dict[str, Any]:
        while True:
            message = self._take()
            self._note(message)
            if is_awaited(message):
                return message

    def _take(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has ended")
            text += byte
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, message: Mapping[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        if message.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(params["args"]))


@contextmanager
def open_browser(program: str) -> Iterator[Page]:
    """A browser of its own, with a new profile, that ends with the context."""
    (commands_in, commands_out), (answers_in, answers_out) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="craftc-browser-", ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]
        options += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, FIRST_FREE) for end in (commands_in, answers_out)]
        command = [sys.executable, "-c", AS_CHROMIUM_WANTS, *map(str, ends), program, *options]
        process = subprocess.Popen(command, pass_fds=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (commands_in, answers_out, *ends):
            os.close(end)
        try:
            with os.fdopen(commands_out, "wb") as commands, os.fdopen(answers_in, "rb") as answers:
                page = Page(commands, answers)
                targets = page.ask("Target.getTargets")["targetInfos"]
                target = next(each["targetId"] for each in targets if each["type"] == "page")
                page.session = page.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
                for domain in ("Page", "Runtime", "Log"):
                    page.ask(f"{domain}.enable")
                yield page
        finally:
            process.terminate()
            process.wait()
