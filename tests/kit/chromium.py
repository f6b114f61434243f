"""A real browser: Debian's Chromium, driven by playwright. Playwright's own browsers cannot be downloaded everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

PROGRAM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
needs_chromium = pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is missing: apt-get install chromium")


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(PROGRAM), args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()
