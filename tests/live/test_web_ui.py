"""The web UI in a real browser: a burst from Locust's form to its report; login, base path, a user's own locustfile."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from browser import browsing, looking, until
from command import own_server, started, wait_until
from test_by_hand import ByHand, fetch

from floodmark_deploy.port import free_port

pytestmark = pytest.mark.live

HERE = Path(__file__).parent
LOCUST = (sys.executable, "-m", "locust", "-f")
MOST_BYTES = 160_000
MOST_NODES = 6_000
"""Of the page, whatever the load: a third of where browsers begin to be slow with it."""


@pytest.mark.parametrize("parts", ["web_parts.py", "web_trouble_parts.py"])
def test_what_is_sent_to_the_browser_is_bounded_safe_and_no_more_than_was_seen(parts):
    done = subprocess.run([sys.executable, str(HERE / parts)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all kept\n")


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def hand(browser, tmp_path_factory):  # noqa: ARG001 - without a browser nothing is started
    """A master of a burst with one worker and one agent, and a target of eight threads."""
    with ExitStack() as stack:
        yield ByHand(stack, tmp_path_factory.mktemp("web"), workers=1)


@pytest.fixture(scope="module")
def burst(hand, browser):
    """One burst, started in the form and looked at until its verdict: what was seen on the way."""
    seen = {}
    with looking(browser) as locust, looking(browser) as live:
        locust.goto(f"http://127.0.0.1:{hand.web}/")
        locust.wait_for_selector("#floodmark-hint:not([hidden])")
        seen["hint"] = locust.inner_text("#floodmark-hint")
        fill(locust, requests="none", hold="1", path="/")
        locust.click("button[type=submit]")
        seen["refusal"] = locust.locator("[role=alert]", has_text="--requests").inner_text()
        live.goto(f"http://127.0.0.1:{hand.web}/floodmark/")
        until(live, "document.querySelector('#phase-words').textContent.includes('Not measured')")
        fill(locust, requests="60", hold="1", path="/")
        locust.click("button[type=submit]")
        locust.get_by_role("tab", name="Target").click()
        live.wait_for_selector("#chart[data-drawn]")
        first = live.evaluate("+document.querySelector('#chart').dataset.points")
        until(live, f"+document.querySelector('#chart').dataset.points > {first}")
        until(live, "document.querySelectorAll('#chart .scatterlayer .trace').length > 4")
        locust.wait_for_selector("td:has-text('accept queue')")
        seen["tab"] = locust.inner_text("table")
        live.wait_for_selector("#verdict:not([hidden])", timeout=150_000)
        live.wait_for_selector("#verdict-links a")
        until(locust, "document.querySelector('#floodmark-words').textContent.includes('handles 8')")
        seen["long_tasks_ms"] = live.evaluate("longTasks")
        seen["points"] = live.evaluate("+document.querySelector('#chart').dataset.points")
        seen["run"] = live.evaluate("fetch('state.json').then((answer) => answer.json()).then((page) => page.run)")
    wait_until(lambda: hand.stats()["state"] == "stopped", "Locust to stop the test")
    return seen


def fill(page, **fields):
    for name, value in fields.items():
        page.locator(f"input[name={name}]").fill(value)


def test_the_start_form_says_why_fields_are_grey_and_why_a_plan_is_refused(burst):
    assert "a burst load has no users; its size is Requests" in burst["hint"]
    assert "--requests 'none': give a number" in burst["refusal"]


def test_the_targets_tab_has_places_listeners_threads_and_the_agent(burst):
    for words in ("in service", "accept queue", "Listener", "Threads", "Agent"):
        assert words in burst["tab"]
    assert re.search(r"Agent\s.*(watching|ready)", burst["tab"])


def test_a_page_that_has_drawn_all_of_a_burst_was_sent_little(hand, burst):
    size = len(fetch(f"http://127.0.0.1:{hand.web}/floodmark/live.json"))
    assert 0 < burst["points"] <= 600
    assert size < MOST_BYTES
    # Measured, not judged: a busy machine makes any task long.
    print(f"{size:,} bytes; long tasks (ms): {[round(task) for task in burst['long_tasks_ms']]}")  # noqa: T201


@pytest.fixture(scope="module")
def page(burst, browser):  # noqa: ARG001 - there is a verdict to be looked at
    """One window for all that is looked at afterwards: the chart library is read once."""
    with looking(browser) as found:
        yield found


def test_the_verdict_leads_to_the_report_and_the_list_to_the_run(hand, burst, page):
    page.goto(f"http://127.0.0.1:{hand.web}/floodmark/")
    page.locator("#sentence", has_text="handles 8 requests at once").wait_for()
    found = json.loads((hand.cwd / "master/runs" / burst["run"] / "verdict.json").read_text())["outcomes"]
    assert page.locator("#figures dd").all_inner_texts() == [
        str(sum(found.values())),
        str(found.get("waiting", 0)),
        str(found["answered"]),
        "0",
    ]
    page.get_by_role("link", name="Report").first.click()
    page.wait_for_url("**/files/report.html")
    assert "handles 8 requests at once" in page.inner_text("body").replace("\N{NO-BREAK SPACE}", " ")
    page.goto(f"http://127.0.0.1:{hand.web}/floodmark/")
    assert page.locator("#live-link").is_hidden()
    page.get_by_role("link", name=burst["run"]).click()
    page.wait_for_selector("#chart[data-drawn]")
    assert "a finished run" in page.inner_text("#kind")
    assert "The ceiling is 8 at once" in page.text_content("#chart-text")
    assert page.locator("#chart .annotation-text", has_text="ceiling 8").count() == 1
    page.click("#live-link")
    page.wait_for_url("**/floodmark/")


def test_the_page_is_for_readers_with_a_keyboard_and_with_a_screen_reader(hand, page):
    page.goto(f"http://127.0.0.1:{hand.web}/floodmark/")
    page.wait_for_selector("#chart[data-drawn]")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.locator("h1").count() == 1
    page.locator("summary").press("Enter")
    page.wait_for_selector("#chart-table td")
    assert page.evaluate("[...document.querySelectorAll('table')].every((table) => table.caption?.textContent)")
    heads = "[...document.querySelectorAll('tbody tr > :first-child')]"
    assert page.evaluate(f"{heads}.every((cell) => cell.tagName === 'TH' || cell.colSpan > 1)")
    assert page.get_attribute("#phase", "aria-live") == "polite"
    assert "At most:" in page.text_content("#" + page.get_attribute("#chart", "aria-describedby"))


def test_it_follows_the_systems_colours_and_locusts_own_choice_and_fits_a_phone(hand, page):
    page.set_viewport_size({"width": 380, "height": 800})
    page.emulate_media(color_scheme="dark")
    page.goto(f"http://127.0.0.1:{hand.web}/floodmark/")
    page.wait_for_selector("#chart[data-drawn]")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(18, 22, 28)"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Beside the lines there is no room for their names: they are in the panel's title.
    assert page.locator("#chart .annotation-text", has_text="Latency of answers: half, 99 %, longest").count() == 1
    ink = "getComputedStyle([...document.querySelectorAll('#chart .annotation-text')].at(-1)).fill"
    dark = page.evaluate(ink)
    page.evaluate("localStorage.theme = 'light'")
    until(page, f"{paper} === 'rgb(246, 247, 249)'")
    until(page, f"{ink} !== '{dark}'")
    page.evaluate("localStorage.removeItem('theme')")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def an_hour(page, nasty):
    """The page's data as that of the longest load, with names that are no friend's."""
    points, intervals = range(600), range(300)
    curves = page["curves"]
    curves["end_s"] = 3_600.0
    curves["places"] = {
        "times_s": [6.0 * point for point in points],
        "places": {place: [point % 97 for point in points] for place in curves["places"]["places"]},
        **{name: list(points) for name in curves["places"] if name not in {"times_s", "places"}},
    }
    curves["rates"] = {"width_s": 16.0} | {
        name: [16.0 * number for number in intervals] for name in curves["rates"] if name != "width_s"
    }
    for table in page["tables"]:
        table["rows"] = [[nasty for _ in table["columns"]] for _ in range(40)]
    page["phase"]["words"] = page["target"] = page["plan"] = page["verdict"]["sentence"] = nasty
    return page


def test_the_longest_load_is_drawn_from_few_points_and_names_are_shown_as_text(hand, page):
    nasty = "<img src=x onerror=\"document.title='broken'\">"
    home = f"http://127.0.0.1:{hand.web}/floodmark"
    made = an_hour(json.loads(fetch(f"{home}/live.json")), nasty)
    with instead(page, made):
        page.goto(f"{home}/")
        page.wait_for_selector("#chart[data-points='600']")
        assert page.locator("main img").count() == 0
        assert page.inner_text("h1") == nasty
        nodes = page.evaluate("document.querySelectorAll('*').length")
        assert nodes < MOST_NODES
        print(f"{nodes} nodes; long tasks (ms): {[round(task) for task in page.evaluate('longTasks')]}")  # noqa: T201


@contextmanager
def instead(page, made):
    """The page is told `made` of the run under way."""
    page.route("**/live.json", lambda route: route.fulfill(json=made))
    try:
        yield
    finally:
        page.unroute("**/live.json")


def test_without_the_chart_library_the_page_says_what_to_install_and_shows_the_rest(hand, page):
    home = f"http://127.0.0.1:{hand.web}/floodmark"
    with instead(page, json.loads(fetch(f"{home}/live.json")) | {"library": None}):
        page.goto(f"{home}/")
        page.locator("#chart-missing", has_text="pip install 'floodmark[web]'").wait_for()
        assert page.locator("#table-places tbody tr").count() == 6
        page.locator("summary").click()
        page.wait_for_selector("#chart-table tbody tr:nth-child(4)")


def test_where_nothing_is_heard_of_the_target_the_chart_has_a_gap_and_says_so(hand, page):
    home = f"http://127.0.0.1:{hand.web}/floodmark"
    made = json.loads(fetch(f"{home}/live.json"))
    places, half = made["curves"]["places"], len(made["curves"]["places"]["times_s"]) // 2
    for values in places["places"].values():
        values[half:] = [None] * (len(values) - half)
    made["curves"]["end_s"] = 8.0
    with instead(page, made):
        page.goto(f"{home}/")
        page.locator("#chart .shape-label", has_text="nothing heard").wait_for()
        assert "At the end: not known, nothing is heard of the target." in page.text_content("#chart-text")
        assert {words[-1] for words in page.locator("#legend li").all_inner_texts()} == {"\N{EN DASH}"}


def test_nothing_outside_of_the_runs_is_handed_out_and_no_other_site_may_read(hand, burst):
    home = f"http://127.0.0.1:{hand.web}/floodmark"
    for path in (
        f"runs/{burst['run']}/files/..%2f..%2fprinted.txt",
        f"runs/{burst['run']}/files/../../../printed.txt",
        "runs/..%2f/files/printed.txt",
        "runs/../files/printed.txt",
        "static/..%2f..%2finstall.py",
        "static/page.html",
        "runs/nobody/view.json",
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{home}/{path}", timeout=10)  # noqa: S310 - our own loopback
        assert refused.value.code == 404, path
        refused.value.close()
    with urllib.request.urlopen(f"{home}/live.json", timeout=10) as answer:  # noqa: S310 - our own loopback
        assert answer.headers["Access-Control-Allow-Origin"] == f"http://127.0.0.1:{hand.web}"
        tag = answer.headers["ETag"]
    again = urllib.request.Request(f"{home}/live.json", headers={"If-None-Match": tag})  # noqa: S310 - as above
    with pytest.raises(urllib.error.HTTPError) as same:
        urllib.request.urlopen(again, timeout=10)  # noqa: S310 - as above
    assert same.value.code == 304
    same.value.close()
    assert json.loads(fetch(f"{home}/runs.json"))["runs"][0]["name"] == burst["run"]


@pytest.mark.usefixtures("burst")
def test_a_field_that_the_form_does_not_show_cannot_be_set_by_it(hand):
    said = hand.swarm(requests=4, hold=1, path="/", run_folder="elsewhere")
    assert not said["success"]
    assert "run_folder: the start form has no such field" in said["message"]


def test_a_users_own_locustfile_has_the_page_after_one_line_behind_login_and_base_path(browser, tmp_path):
    web, bus = free_port("127.0.0.1"), free_port("127.0.0.1")
    with ExitStack() as stack:
        target = stack.enter_context(own_server("pool_server.py", "4", "0.02", cwd=tmp_path))

        def start(name, *words):
            (tmp_path / name).mkdir()
            return stack.enter_context(started(*words, cwd=tmp_path / name))

        file = (*LOCUST, str(HERE / "watch_locustfile.py"))
        bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(bus))
        ui = ("--web-host", "127.0.0.1", "--web-port", str(web), "--web-base-path", "/load", "--web-login")
        start("master", *file, "--master", *bind, *ui, "--host", f"http://127.0.0.1:{target}")
        start("worker", *file, "--worker", "--master-host", "127.0.0.1", "--master-port", str(bus))
        start("agent", sys.executable, "-m", "floodmark_agent", "--master", f"127.0.0.1:{bus}", "--port", str(target))
        home = f"http://127.0.0.1:{web}/load"
        wait_until(lambda: answers(f"{home}/login"), "the web UI")
        for path in (
            "floodmark/",
            "floodmark/live.json",
            "floodmark/state.json",
            "floodmark/runs.json",
            "floodmark/plotly.min.js",
            "floodmark/static/page.js",
        ):
            assert "authArgs" in fetch(f"{home}/{path}"), path
        with looking(browser) as page:
            page.goto(f"{home}/floodmark/")
            page.wait_for_url("**/load/login**")
            fill(page, username="somebody", password="open")  # noqa: S106 - the test's own
            page.click("button[type=submit]")
            page.wait_for_selector("#floodmark-words")
            assert page.locator("#floodmark-hint").is_hidden()
            fill(page, userCount="5", spawnRate="5")
            page.locator("button[type=submit]:not([disabled])").click()
            page.get_by_role("tab", name="Target").click()
            page.wait_for_selector("td:has-text('with the server')", timeout=30_000)
            page.click("#floodmark-page")
            page.wait_for_url("**/load/floodmark/")
            page.wait_for_selector("#chart[data-drawn]")
            page.wait_for_selector("#table-agents td:has-text('watching')")
            until(page, "document.querySelector('#figures').textContent.includes('requests')")


def answers(url):
    try:
        return fetch(url)
    except OSError:
        return None
