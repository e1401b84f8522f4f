"""
Pictures of the pages people see, into docs/pictures: `make screenshots`.

They are taken of a demonstration nation, so that every figure in them is simulated.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.browser import Page, browser

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
REGISTRY = "early-lung-cancer-detection"
NATION = ("--facilities", "24", "--cases", "2400", "--images", "4")
KEY = re.compile(r"hk_[a-z2-7]{12}_[0-9a-f]{64}")
REPORT = re.compile(r"report\s+(http\S+)")
PAGES = re.compile(r"pages\s+(http\S+)")


@contextmanager
def demonstration() -> Iterator[str]:
    """What the demo printed, while it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo", *NATION],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Serving until" in line:
                break
        else:
            raise SystemExit(f"the demo did not come to serve:\n{said}")
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(120)


def main() -> None:
    """Take every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the demo must not outlive us
    with demonstration() as said, browser() as opened:
        key, report, home = KEY.search(said), REPORT.search(said), PAGES.search(said)
        if not (key and report and home):
            raise SystemExit(f"the demo did not print a key and its addresses:\n{said}")
        take(opened.page(), key[0], report[1], home[1].rstrip("/"))


def take(page: Page, key: str, report: str, home: str) -> None:
    """Walk through the pages with one facility's key."""
    page.size(1200, 820)
    page.open(home + "/")
    page.screenshot(PICTURES / "home.png", whole=False)
    page.open(home + "/sign-in")
    page.until("document.activeElement.id === 'key'")
    page.type(key)
    page.does("document.querySelector('main form').requestSubmit()")
    page.open(f"{home}/registries/{REGISTRY}")
    page.screenshot(PICTURES / "registry.png", whole=False)
    page.open(f"{home}/registries/{REGISTRY}/submit")
    page.screenshot(PICTURES / "submit.png", whole=False)
    page.open(f"{home}/submissions")
    page.screenshot(PICTURES / "submissions.png", whole=False)
    page.does("[...document.querySelectorAll('tbody a')].at(-1).click()")
    page.screenshot(PICTURES / "submission.png", whole=False)
    page.size(1120, 1500)
    page.open(report + "?format=html")
    page.screenshot(PICTURES / "report.png", whole=False)
    page.size(1120, 760)
    page.run("document.getElementById('ctdivol').scrollIntoView()")
    page.screenshot(PICTURES / "measures.png", whole=False)
    page.size(390, 844)
    page.run("document.getElementById('ctdivol').scrollIntoView()")
    page.screenshot(PICTURES / "measures-phone.png", whole=False)


if __name__ == "__main__":
    main()
