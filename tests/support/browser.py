"""Headless Chromium at the pages of Prefect's UI, as a person has them on a screen of 1,440 pixels."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None, reason="needs Chromium and playwright"
)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_SHOTS = "SCREENSHOTS"
"""The folder for screenshots; without it none are kept."""
_TIMEOUT_MS = 60_000


class Browser:
    """One tab."""

    def __init__(self, page: Any, ui: str) -> None:
        self.page, self.ui = page, ui
        page.set_default_timeout(_TIMEOUT_MS)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.ui}/v2/{path}")
        self.page.wait_for_load_state("networkidle")

    def sees(self, text: str) -> None:
        """Waits for a text; a page without it fails the test."""
        self.page.get_by_text(text).first.wait_for()

    def click(self, role: str, name: str, exact: bool = False) -> None:
        self.page.get_by_role(role, name=name, exact=exact).first.click()

    def artifact(self, key: str) -> None:
        """From the artifacts of a run, or a link to one, to the page of its newest version."""
        self.page.locator(f"a[href*='/key/{key}']").first.click()
        self.page.locator("a[href*='artifacts/artifact/']").first.click()

    def shot(self, name: str, height: int = 1_000) -> None:
        """Nothing is wider than the window: what is cut off at the side nobody would find."""
        self.page.wait_for_load_state("networkidle")
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(width) <= 0, f"{self.page.url} is wider than the window"
        if folder := os.environ.get(_SHOTS):
            self.page.set_viewport_size({"width": 1_440, "height": height})
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@contextmanager
def browsing(ui: str) -> Iterator[Browser]:
    """A tab at the UI of this address; it is closed when the block ends."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield Browser(chromium.new_page(viewport={"width": 1_440, "height": 1_000}), ui)
        finally:
            chromium.close()
