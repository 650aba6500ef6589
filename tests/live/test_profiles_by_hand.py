"""The profiles as a user runs them by hand: `locust -f locustfiles/... --headless --processes 2`, on real servers."""

import csv
import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest
from command import manifest, own_server, run_folder, started
from validity import OF_SPEED

from floodmark.core.codec import from_plain, from_row
from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import RunFolder
from floodmark.core.second import Second
from floodmark.engine.ports import has_port_ranges
from floodmark.report.build import build_report
from floodmark_deploy.port import free_port

pytestmark = pytest.mark.live

LOCUSTFILES = Path(__file__).parents[2] / "locustfiles"
LOCUST = (sys.executable, "-m", "locust", "-f")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


ROUNDING_S = 1e-4
"""Of planned times, which are kept in microseconds, and of their medians."""


def folder_in(cwd, name):
    path = cwd / name
    path.mkdir()
    return path


def by_hand(kind, *words, port, cwd, scheme="http", agent=False, codes=(0,)):  # noqa: PLR0913 - all by name
    """Runs a profile to its end, master and two workers in one command, without a verdict; its run folder."""
    bus = str(free_port("127.0.0.1"))
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", bus, "--master-port", bus)
    where = ("--host", f"{scheme}://localhost:{port}", "--path", "/?id={id}", "--expect-agents", str(int(agent)))
    command = (*LOCUST, str(LOCUSTFILES / f"{kind}.py"), "--headless", "--only-summary", "--processes", "2")
    with ExitStack() as stack:
        if agent:
            watch = ("--master", f"127.0.0.1:{bus}", "--port", str(port))
            stack.enter_context(started(sys.executable, "-m", "floodmark_agent", *watch, cwd=folder_in(cwd, "agent")))
        load = folder_in(cwd, "load")
        locust = stack.enter_context(started(*command, *bind, *where, "--judge", "no", *words, cwd=load))
        assert locust.wait(timeout=90) in codes, printed(load)
    return run_folder(load)


def printed(folder):
    return (folder / "printed.txt").read_text()


def hits_in(folder):
    _, *rows = map(json.loads, (folder / "hits.jsonl").read_text().splitlines())
    return [from_row(Hit, row, "hits.jsonl") for row in rows]


def seconds_in(folder):
    lines = (folder / "seconds.jsonl").read_text().splitlines()
    return [from_plain(Second, json.loads(line), "seconds.jsonl") for line in lines]


def clock_bound_s(folder):
    """How far two workers' plans may be apart: each knows the master's clock to half a round trip."""
    bounds_s = {}
    for reading in RunFolder(folder).read().clocks:
        bounds_s[reading.node] = max(reading.bound_s, bounds_s.get(reading.node, 0.0))
    assert max(bounds_s.values()) < 0.05
    return bounds_s["worker-1"] + bounds_s["worker-2"] + ROUNDING_S


def outcomes_in(folder):
    found = {}
    for report in map(json.loads, (folder / "workers.jsonl").read_text().splitlines()):
        for name, count in report["outcomes"].items():
            found[name] = found.get(name, 0) + count
    return found


def test_a_closed_load_is_in_locusts_csv_as_it_is_in_the_seconds(tmp_path):
    with own_server("keep_server.py", "0.01", "-", host="127.0.0.1", cwd=tmp_path) as port:
        words = ("--connections", "20", "--duration", "2", "--csv", "table")
        folder = by_hand("closed", *words, port=port, cwd=tmp_path)
    seconds = seconds_in(folder)
    answered = sum(second.answered for second in seconds)
    assert answered > 100
    lines = (tmp_path / "load" / "table_stats.csv").read_text().splitlines()
    rows = {row["Name"]: row for row in csv.DictReader(lines)}
    for row in (rows["/?id={id}"], rows["Aggregated"]):
        assert (int(row["Request Count"]), int(row["Failure Count"])) == (answered, 0)
        least_ms, most_ms = float(row["Min Response Time"]), float(row["Max Response Time"])
        # Least and most are exact; a percentile is one of Locust's whole milliseconds.
        assert 10 <= least_ms <= most_ms
        assert round(least_ms) <= float(row["50%"]) <= round(most_ms)
    assert outcomes_in(folder) == {"answered": answered, "waiting": 20}
    assert sum(second.opened for second in seconds) == 20
    assert sum(second.released for second in seconds) == answered + 20
    assert {(second.worker, second.second) for second in seconds} == {
        (f"worker-{worker}", second) for worker in (1, 2) for second in (0, 1)
    }
    assert len({hit.id for hit in hits_in(folder)}) == len(hits_in(folder)) > 20


def test_arrivals_split_one_plan_over_workers_and_over_source_addresses(tmp_path):
    with own_server("keep_server.py", "0.2", "-", cwd=tmp_path) as port:
        words = ("--rate", "100", "--duration", "2", "--timeout", "1", "--source", "127.0.0.2-127.0.0.4")
        folder = by_hand("arrivals", *words, port=port, cwd=tmp_path)
    assert manifest(folder)["sources"] == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert sum(outcomes_in(folder).values()) == 200
    assert sum(second.planned for second in seconds_in(folder)) == 200
    hits = sorted(hits_in(folder), key=lambda hit: hit.id)
    assert len({hit.id for hit in hits}) == len(hits) >= 100
    assert {(hit.worker, hit.id % 2) for hit in hits} == {("worker-1", 1), ("worker-2", 0)}
    # One host has one clock: each request is planned a hundredth of a second after the one before, whoever sends it.
    begun_s = {
        worker: median(hit.planned_s - hit.id / 100 for hit in hits if hit.worker == worker)
        for worker in ("worker-1", "worker-2")
    }
    assert begun_s["worker-2"] == pytest.approx(begun_s["worker-1"], abs=clock_bound_s(folder))
    assert {"127.0.0.2", "127.0.0.3", "127.0.0.4"} <= set(printed(tmp_path).splitlines())


def test_two_workers_release_ten_thousand_requests_at_one_instant_and_each_is_there_once(tmp_path):
    with own_server("keep_server.py", "3", "-", cwd=tmp_path) as port:
        words = ("--requests", "10000", "--hold", "3")
        folder = by_hand("burst", *words, port=port, cwd=tmp_path)
    hits = hits_in(folder)
    assert sorted(hit.id for hit in hits) == list(range(1, 10_001))
    assert len({hit.planned_s for hit in hits if hit.worker == "worker-1"}) == 1
    assert outcomes_in(folder).get("out_of_files") is None
    ports = {worker: {hit.local_port for hit in hits if hit.worker == worker} for worker in ("worker-1", "worker-2")}
    reports = [json.loads(line) for line in (folder / "workers.jsonl").read_text().splitlines()]
    assert sum(report["ports"] for report in reports) < 65_536
    if has_port_ranges():  # one half of the host's ports each
        assert max(ports["worker-1"]) < min(ports["worker-2"])


def test_a_search_goes_on_until_the_ceiling_is_proven(tmp_path):
    with own_server("pool_server.py", "6", "0.5", cwd=tmp_path) as port:
        words = ("--first", "4", "--requests", "1000", "--hold", "0.5")
        folder = by_hand("search", *words, port=port, cwd=tmp_path, agent=True)
    found = manifest(folder)
    steps = found["steps"]
    # Where the machine was too busy for a valid burst the search ends there.
    spoiled = [one["folder"] for one in steps if not one["valid"]]
    for name in spoiled:
        checks = build_report(RunFolder(folder / name)).document.validity.checks
        assert {check.name for check in checks if check.ok is False} <= OF_SPEED
    assert [one["folder"] for one in steps] == ["steps/01-4", "steps/02-16"][: 1 + steps[0]["valid"]]
    assert all(one["judged"] for one in steps)
    assert (steps[0]["ceiling"], steps[0]["peak"], steps[0]["answered"]) == (None, 4, 4)
    assert all(one["ceiling"] == 6 for one in steps[1:] if one["valid"])
    step = manifest(folder / steps[-1]["folder"])
    assert (found["status"], step["status"]) == ("complete", "complete")
    assert step["profile"]["requests"] == steps[-1]["requests"]
    assert found["fired_s"] == step["fired_s"]
    assert not (folder / "hits.jsonl").exists()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """One for localhost, signed by itself: no authority knows it."""
    folder = tmp_path_factory.mktemp("tls")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words = ["req", "-x509", *curve, "-days", "2", "-keyout", "k.pem", "-out", "c.pem"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", *words, *names], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "k.pem").read_text() + (folder / "c.pem").read_text())
    return str(both)


@needs_openssl
def test_a_ramp_over_tls_releases_each_request_at_its_time(certificate, tmp_path):
    with own_server("keep_server.py", "0.2", certificate, cwd=tmp_path) as port:
        words = ("--requests", "20", "--within", "1", "--hold", "0.2", "--verify", "no")
        folder = by_hand("ramp", *words, port=port, cwd=tmp_path, scheme="https")
    found = manifest(folder)
    assert (found["profile"]["kind"], found["verify"]) == ("ramp", False)
    hits = sorted(hits_in(folder), key=lambda hit: hit.id)
    assert [hit.id for hit in hits] == list(range(1, 21))
    assert hits[-1].planned_s - hits[0].planned_s == pytest.approx(0.95, abs=clock_bound_s(folder))
    assert all(hit.outcome is Outcome.ANSWERED and hit.released_s >= hit.planned_s for hit in hits)


@needs_openssl
def test_a_certificate_that_no_authority_knows_is_refused(certificate, tmp_path):
    with own_server("keep_server.py", "0.1", certificate, cwd=tmp_path) as port:
        folder = by_hand("burst", "--requests", "6", "--hold", "0.1", port=port, cwd=tmp_path, scheme="https")
    assert outcomes_in(folder) == {"tls_failed": 6}
    assert manifest(folder)["verify"] is True


def test_a_source_that_is_not_the_workers_own_is_refused_before_the_load(tmp_path):
    with own_server("keep_server.py", "0.1", "-", cwd=tmp_path) as port:
        words = ("--connections", "2", "--duration", "1", "--source", "192.0.2.1")
        folder = by_hand("closed", *words, port=port, cwd=tmp_path, codes=(2, 1))
    assert "--source 192.0.2.1" in printed(tmp_path / "load")
    assert manifest(folder)["status"] == "failed"


@pytest.mark.parametrize(
    "name", ["load_parts.py", "load_order_parts.py", "load_agent_parts.py", "load_agent_trouble_parts.py"]
)
def test_parts_of_the_load_room_keep_their_word(name, tmp_path):
    """Locust patches a whole process, so what needs no server is looked at in one of its own."""
    parts = Path(__file__).parent / name
    done = subprocess.run([sys.executable, str(parts)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all kept" in done.stdout
