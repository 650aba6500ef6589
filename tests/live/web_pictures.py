"""Takes the docs' pictures of the web UI anew: `python tests/live/web_pictures.py docs/images`. Needs chromium.

The target is Flask's development server with ten processes, whose line of 128 leaves many outside.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from browser import browsing, looking, until
from command import listens, started, wait_until
from test_by_hand import BURST, LOCUST, fetch

from floodmark_deploy.port import free_port

ROOT = Path(__file__).parents[2]
LIGHT = {"color_scheme": "light", "viewport": {"width": 1200, "height": 900}}
DARK = {"color_scheme": "dark", "viewport": {"width": 1200, "height": 1340}}


def cluster(stack, cwd):
    """A master, two workers, an agent and the target, on ports of their own; the port of the web UI."""
    target, bus, web = (free_port("127.0.0.1") for _ in range(3))

    def start(name, *words, within=None):
        (cwd / name).mkdir()
        return stack.enter_context(started(*words, cwd=within or cwd / name))

    app = (sys.executable, str(ROOT / "targets/_apps/flask_dev.py"), "127.0.0.1", str(target), "--processes", "10")
    start("target", *app)
    wait_until(lambda: listens("127.0.0.1", target), "the target")
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(bus))
    ui = ("--web-host", "127.0.0.1", "--web-port", str(web), "--host", f"http://127.0.0.1:{target}")
    start("master", *LOCUST, str(BURST), "--master", *bind, *ui)
    for number in (1, 2):
        where = ("--master-host", "127.0.0.1", "--master-port", str(bus))
        start(f"worker-{number}", *LOCUST, str(BURST), "--worker", *where)
    agent = ("--master", f"127.0.0.1:{bus}", "--port", str(target), "--name", "web-server")
    start("agent", sys.executable, "-m", "floodmark_agent", *agent)
    return web


def take(folder, cwd):
    """All four, in the course of one burst."""
    with ExitStack() as stack:
        web = cluster(stack, cwd)
        browser = stack.enter_context(browsing())
        locust, live = (stack.enter_context(looking(browser, **LIGHT)) for _ in range(2))
        home = f"http://127.0.0.1:{web}"
        wait_until(lambda: up(home), "the web UI")
        locust.goto(home)
        live.goto(f"{home}/floodmark/")
        locust.wait_for_selector("#floodmark-hint:not([hidden])")
        locust.wait_for_selector("button[type=submit]:not([disabled])")
        live.wait_for_selector("#table-agents td:has-text('ready')")
        for name, value in {"requests": "600", "hold": "3"}.items():
            locust.locator(f"input[name={name}]").fill(value)
        locust.wait_for_timeout(600)
        locust.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
        locust.screenshot(path=folder / "web-form.png")
        locust.click("button[type=submit]")
        locust.get_by_role("tab", name="Target").click()
        live.wait_for_selector("#chart[data-drawn]")
        until(live, "document.querySelector('#chart-note').textContent.startsWith('7.')")
        live.set_viewport_size({"width": 1200, "height": 1340})
        live.screenshot(path=folder / "web-live.png")
        locust.evaluate("scrollTo(0, 0)")
        locust.screenshot(path=folder / "web-tab.png")
        live.wait_for_selector("#verdict:not([hidden])", timeout=90_000)
        dark = stack.enter_context(looking(browser, **DARK))
        dark.goto(f"{home}/floodmark/")
        dark.wait_for_selector("#chart[data-drawn]")
        dark.wait_for_timeout(1_000)
        dark.screenshot(path=folder / "web-verdict-dark.png")


def up(home):
    try:
        return fetch(home)
    except OSError:
        return None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        take(Path(sys.argv[1]), Path(scratch))
