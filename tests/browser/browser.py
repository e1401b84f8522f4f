"""
A headless Chromium, driven over a pipe.

The DevTools protocol is JSON objects parted by NUL bytes on two file descriptors: a few dozen lines
do what these tests need, and a driver, a port and a package less can be missing or out of step.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
PATIENCE = 30.0


class Failed(Exception):
    """The browser could not do what was asked, or a page complained."""


class Page:
    """One tab."""

    def __init__(self, browser: "Browser", session: str, target: str) -> None:
        self.browser = browser
        self.session = session
        self.target = target
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        """The window; narrow ones are telephones."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def open(self, address: str) -> None:
        """Go somewhere and wait until everything is loaded."""
        self.browser.forget(self.session)
        error = self.call("Page.navigate", url=address).get("errorText")
        if error:
            raise Failed(f"{address}: {error}")
        self.browser.wait(self.session, "Page.loadEventFired")

    def does(self, action: str) -> None:
        """Do what leads to another page, and wait until that is loaded."""
        self.browser.forget(self.session)
        self.run(action)
        self.browser.wait(self.session, "Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise Failed(answer["exceptionDetails"].get("text", "script failed"))
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true; pages that go on to another are followed."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(Failed):
                if found := self.run(script):
                    return found
            time.sleep(0.05)
        raise Failed(f"never true: {script}")

    def press(self, key: str) -> None:
        """A key of the keyboard: Tab, Enter, or a letter."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        text = "\r" if key == "Enter" else "" if key == "Tab" else key
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                text=text if kind == "keyDown" else "",
                windowsVirtualKeyCode=codes.get(key, 0),
            )

    def type(self, text: str) -> None:
        """Text, as from the keyboard."""
        self.call("Input.insertText", text=text)

    def choose_file(self, selector: str, path: Path) -> None:
        """Put a file into a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A picture of the page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)[
            "data"
        ]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self.target)

    def complaints(self) -> list[str]:
        """What the browser complained of since the page was opened: policy, scripts, failed loads."""
        said = []
        for event in self.browser.events(self.session):
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                said.append(event["params"]["entry"]["text"])
            if event["method"] == "Runtime.exceptionThrown":
                said.append(event["params"]["exceptionDetails"].get("text", "exception"))
        return said


class Browser:
    """The program, with the pipe to it."""

    def __init__(self, profile: Path) -> None:
        if PROGRAM is None:
            raise Failed("there is no Chromium")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def hand_over() -> None:  # in the child: the protocol's descriptors are 3 and 4
            incoming, outgoing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(incoming, 3)
            os.dup2(outgoing, 4)

        self._process = subprocess.Popen(
            [
                PROGRAM,
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                "--font-render-hinting=none",
                f"--user-data-dir={profile}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=hand_over,
            close_fds=False,
            env={**os.environ, "HOME": str(profile)},
        )
        os.close(to_browser)
        os.close(from_browser)
        self._number = 0
        self._unread = b""
        self._events: list[dict[str, Any]] = []

    def page(self) -> Page:
        """A new tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, target)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Ask, and wait for the answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._next(end)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    def forget(self, session: str) -> None:
        """Drop what was heard from a tab."""
        self._events = [event for event in self._events if event.get("sessionId") != session]

    def wait(self, session: str, method: str) -> None:
        """Wait for an event of a tab."""
        end = time.monotonic() + PATIENCE
        while not any(event["method"] == method for event in self.events(session)):
            self._next(end)

    def events(self, session: str) -> list[dict[str, Any]]:
        """What was heard from a tab."""
        return [event for event in self._events if event.get("sessionId") == session]

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], max(end - time.monotonic(), 0))
            if not ready:
                raise Failed("the browser does not answer")
            some = os.read(self._read, 1 << 20)
            if not some:
                raise Failed("the browser went away")
            self._unread += some
        message, _, self._unread = self._unread.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        if "method" in heard:
            self._events.append(heard)
        return heard

    def close(self) -> None:
        """End the program."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile, gone afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="hounsfield-browser-", ignore_cleanup_errors=True
    ) as profile:
        opened = Browser(Path(profile))
        try:
            yield opened
        finally:
            opened.close()
