"""Debian's Chromium, driven by Playwright; without it these tests are skipped, with the reason."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NEEDS = "needs Debian's chromium: apt-get install chromium"
LONG_TASKS = """
    window.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((entry) => entry.duration)))
      .observe({ type: "longtask", buffered: true });
"""
"""Notes how long the page was busy at a stretch, wherever that was above 50 ms (W3C, Long Tasks API)."""


def chromium() -> str | None:
    """The browser's path; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browsing() -> Iterator[Any]:
    """A browser. Skips the test where there is none."""
    path = chromium()
    if path is None:
        pytest.skip(NEEDS)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox of its own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


def until(page: Any, holds: str, timeout_s: float = 60) -> None:
    """Waits for a JavaScript expression. Playwright's own evaluates text later, which our pages' policy forbids."""
    deadline_s = time.monotonic() + timeout_s
    while not page.evaluate(holds):
        assert time.monotonic() < deadline_s, f"waited {timeout_s} s for {holds}"
        page.wait_for_timeout(50)


@contextmanager
def looking(browser: Any, **how: Any) -> Iterator[Any]:
    """A page of its own. Errors in its scripts, and what it asks of other hosts, fail the test."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | how)
    context.add_init_script(LONG_TASKS)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on(
        "request",
        lambda asked: (
            wrong.append(asked.url) if "127.0.0.1" not in asked.url and asked.url.startswith("http") else None
        ),
    )
    page.set_default_timeout(30_000)
    page.wrong = wrong
    try:
        yield page
        assert [words for words in wrong if "404" not in words] == []
    finally:
        context.close()
