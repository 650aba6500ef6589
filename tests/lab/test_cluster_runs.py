"""Loads on a cluster that stands: the local command's options and output on other hosts, over an encrypted bus.

And loads whose hosts and processes go in the middle: nothing hangs, the result says why, and the next one works. All on
one cluster, since an installation on four hosts costs as much as ten loads.
"""

import json
import signal
import subprocess
import urllib.request

import pytest
import zmq
from over_ssh import OverSsh, failed_checks, verdict_of, wait_until, was_too_busy

BURST = ("--requests", "60", "--hold", "1")
LOAD = ("--requests", "160", "--hold", "3")


@pytest.fixture(scope="module")
def cluster(one_lab):
    """Up; afterwards the hosts are bare."""
    cluster = OverSsh(one_lab)
    cluster("up")
    yield cluster
    cluster("down")


def at(one_lab, name):
    return next(str(host.address) for host in one_lab.plan.hosts if host.name == name)


def far(cluster, *words):
    return cluster.run("run", *words, "--cluster", str(cluster.hosts_toml), check=False)


def pids(one_lab, cluster):
    units = {"master": "master", "worker-1": "worker-1", "worker-2": "worker-1", "target-1": "agent"}
    asked = "systemctl show --property=MainPID --value"
    return {host: one_lab.ssh(host, f"{asked} {cluster.unit(name)}") for host, name in units.items()}


def test_up_again_starts_nothing_anew(one_lab, cluster):
    before = pids(one_lab, cluster)
    assert "2 of 2" in cluster("up").stdout
    assert pids(one_lab, cluster) == before
    status = json.loads(cluster("status", "--json").stdout)
    assert status["whole"]
    assert {row["role"] for row in status["services"]} == {"master", "worker", "target", "agent"}


@pytest.mark.alone
def test_ten_thousand_requests_from_two_hosts_have_the_local_verdict(cluster, tmp_path):
    out = tmp_path / "run"
    done = far(cluster, "fastapi-uvicorn-sync", "--requests", "10000", "--hold", "5", "--out", str(out))
    verdict = verdict_of(out)
    found = verdict["verdict"]["in_service"]
    # All hosts share this machine's cores: where it was too busy, the run says so and claims nothing.
    assert (done.returncode, found["ceiling"]) == (0, 40) or (found["ceiling"] is None and found["peak"] <= 40)
    hits = [json.loads(line) for line in (out / "hits.jsonl").read_text().splitlines()[1:]]
    assert len({hit[0] for hit in hits}) == len(hits)
    assert {hit[1] for hit in hits} == {"worker-1", "worker-2"}
    assert sum(verdict["outcomes"].values()) == 10_000
    manifest = json.loads((out / "run.json").read_text())
    assert (manifest["target"], manifest["expect"]["ceiling"]) == ("fastapi-uvicorn-sync", 40)


def test_fewer_workers_for_one_run_and_all_again_after_it_without_a_new_master(one_lab, cluster, tmp_path):
    before = pids(one_lab, cluster)
    _, out = cluster.run_that_counts("fastapi-uvicorn-sync", *BURST, "--workers", "1", out=tmp_path)
    assert {json.loads(line)[1] for line in (out / "hits.jsonl").read_text().splitlines()[1:]} == {"worker-1"}
    assert pids(one_lab, cluster)["master"] == before["master"]
    assert cluster.whole()


def test_every_process_on_the_bus_has_the_keys_of_its_role_and_nobody_else_can_read_them(one_lab, cluster):
    roles = {"master": "master", "worker-1": "worker", "worker-2": "worker", "target-1": "agent"}
    found = pids(one_lab, cluster)
    for host, role in roles.items():
        listed = one_lab.ssh(host, f"find {cluster.home}/keys -type f -printf '%f %m\\n'; stat -c %a {cluster.home}")
        assert listed.splitlines() == [f"{role}.toml 600", "700"]
        environment = one_lab.ssh(host, f"sudo cat /proc/{found[host]}/environ").split("\0")
        assert f"FLOODMARK_KEYS={cluster.home}/keys" in environment
        assert not any("PLAIN_BUS" in word for word in environment)


def test_a_stranger_in_the_hosts_network_is_refused_and_named_and_the_run_goes_on(one_lab, cluster, tmp_path):
    """One without keys, and one with keys of its own: this machine is in the network of the bus, too."""
    bus = f"tcp://{at(one_lab, 'master')}:5557"
    with zmq.Context() as context:
        sockets = []
        for keyed in (False, True):
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            if keyed:
                socket.curve_serverkey, _ = zmq.curve_keypair()
                socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            socket.connect(bus)
            socket.send(b"let me in")
            sockets.append(socket)
        _, out = cluster.run_that_counts("fastapi-uvicorn-sync", *BURST, out=tmp_path)
        assert not any(socket.poll(0) for socket in sockets)
        for socket in sockets:
            socket.close()
    manifest = json.loads((out / "run.json").read_text())
    assert any(str(one_lab.plan.gateway) in words for words in manifest["strangers"]), manifest["strangers"]
    assert (
        f"A stranger on the bus: {one_lab.plan.gateway}" in cluster("logs", "--host", "master", "--lines", "500").stdout
    )


def test_several_targets_get_a_verdict_each_and_a_table_and_the_workers_stay(cluster, tmp_path):
    targets = ["flask-waitress", "fastapi-uvicorn-sync", "go-net-http"]
    for number in range(3):  # as `run_that_counts`
        out = tmp_path / str(number)
        done = cluster("run", *targets, *BURST, "--out", str(out), check=False)
        if not any(was_too_busy(out / name) for name in targets[:2]):
            break
    assert all(verdict_of(out / name)["validity"]["ok"] for name in targets[:2])
    assert done.returncode == 1, done.stdout + done.stderr  # the hosts have no Go
    rows = done.stdout.splitlines()[-3:]
    assert [row.split()[0] for row in rows] == targets
    assert "4 " in rows[0]
    assert "40 " in rows[1]
    assert " of 60" in rows[0]
    assert "failed" in rows[2]
    assert "floodmark: target-1: cannot run it: go-net-http needs the executable 'go'" in done.stderr
    for name in targets[:2]:
        assert verdict_of(out / name)["target"] == name
    assert cluster.whole()


def test_a_server_of_ones_own_on_a_clusters_host_is_flooded_from_an_address_that_is_given(one_lab, cluster, tmp_path):
    server = (
        "import http.server, socketserver, time\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        " def do_GET(self): time.sleep(0.3); self.send_response(200); self.end_headers(); self.wfile.write(b'mine')\n"
        " def log_message(self, *_): pass\n"
        "class S(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads, request_queue_size = True, 128\n"
        "S(('0.0.0.0', 9000), H).serve_forever()"
    )
    one_lab.ssh("target-1", "sudo systemd-run --quiet --unit=own python3 -c", f'"{server}"')
    try:
        sources = f"{at(one_lab, 'worker-1')},{at(one_lab, 'worker-2')}"
        words = ("--url", f"http://{at(one_lab, 'target-1')}:9000/x", "--requests", "20", "--source", sources)
        done, out = cluster.run_that_counts(*words, "--expect-text", "mine", out=tmp_path)
        assert "the hold is 0.3" in done.stderr
        verdict = verdict_of(out)
        assert verdict["outcomes"]["answered"] == 20
        assert verdict["validity"]["ok"]
    finally:
        one_lab.ssh("target-1", "sudo systemctl stop own")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nosuch-target",), "nosuch-target"),
        (("fastapi-uvicorn-sync", "--workers", "3"), "--workers 3: the hosts of hosts.toml have 2"),
        (("--url", "http://192.0.2.1/"), "192.0.2.1 is no host of hosts.toml with the role agent"),
        (("fastapi-uvicorn-sync-backlog-16-cookies",), "hosts of a cluster keep their own kernel settings"),
    ],
)
def test_what_a_cluster_cannot_do_is_refused_with_the_reason_before_anybody_is_asked(cluster, words, said):
    done = far(cluster, *words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "looking at" not in done.stderr


def test_ctrl_c_cuts_the_load_and_keeps_what_was_measured_and_two_commands_never_meet(cluster, tmp_path):
    out, before = tmp_path / "run", cluster.run_folders()
    words = ("run", "fastapi-uvicorn-sync", "--cluster", str(cluster.hosts_toml), "--profile", "closed")
    with cluster.started(*words, "--duration", "300", "--out", str(out)) as process:
        cluster.begins(process, before)
        second = cluster("up", check=False)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert second.returncode == 1
    assert "floodmark: master: another floodmark command is at work with this cluster" in second.stderr
    assert f"what was measured is in {out}" in said[1]
    assert verdict_of(out)["status"] == "interrupted"
    assert "interrupted" in said[0]
    wait_until(cluster.whole, "the cluster is whole")


def test_a_search_has_its_bursts_judged_with_the_targets_name(cluster, tmp_path):
    search = ("--profile", "search", "--requests", "64", "--hold", "0.5")
    _, out = cluster.run_that_counts("flask-waitress", *search, out=tmp_path)
    verdict = verdict_of(out)
    assert verdict["verdict"]["in_service"]["ceiling"] == 4
    bursts = [json.loads(path.read_text()) for path in out.glob("steps/*/run.json")]
    assert {burst["target"] for burst in bursts} == {"flask-waitress"}


def test_the_web_ui_comes_to_this_machine_and_names_the_workers(cluster):
    with cluster.started("cluster", "ui", str(cluster.hosts_toml), "--port", "0") as process:
        url = process.stdout.readline().split()[0]
        with urllib.request.urlopen(f"{url}/stats/requests", timeout=20) as answer:  # noqa: S310 - the URL is the one just printed
            assert len(json.load(answer)["workers"]) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


class Lost:
    """What the user has of a run that lost somebody: exit code, lines, verdict, manifest."""

    def __init__(self, cluster, folder, breaks):
        before = cluster.run_folders()
        words = ("run", "fastapi-uvicorn-sync", "--cluster", str(cluster.hosts_toml), *LOAD, "--out", str(folder))
        with cluster.started(*words) as process:
            cluster.begins(process, before)
            breaks()
            self.stdout, self.stderr = process.communicate(timeout=180)
        assert "Traceback" not in self.stderr
        self.code = process.returncode
        self.manifest = json.loads((folder / "run.json").read_text())
        self.problems = "; ".join(self.manifest["problems"])
        if not (folder / "verdict.json").exists():
            cluster.run("report", str(folder), check=False)
        self.checks = failed_checks(verdict_of(folder))


def kill(cluster, host, unit):
    cluster.lab.ssh(host, f"sudo systemctl kill --signal=SIGKILL {cluster.unit(unit)}")


def cable(one_lab, name, state):
    host = next(host for host in one_lab.plan.hosts if host.name == name)
    subprocess.run(["ip", "link", "set", one_lab.plan.veth(host), state], check=True, timeout=20)


def next_one_works(cluster, folder):
    cluster.run_that_counts("fastapi-uvicorn-sync", "--requests", "50", "--hold", "1", out=folder)


def test_a_worker_that_is_killed_is_named_and_the_run_does_not_count(cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: kill(cluster, "worker-2", "worker-1"))
    assert lost.code == 3, lost.stderr
    assert "worker-" in lost.problems
    assert "worker-" in lost.checks
    assert "worker-" in lost.stdout
    next_one_works(cluster, tmp_path / "next")


def test_a_worker_whose_network_is_cut_is_named_and_the_run_does_not_count(one_lab, cluster, tmp_path):
    try:
        lost = Lost(cluster, tmp_path / "lost", lambda: cable(one_lab, "worker-2", "down"))
    finally:
        cable(one_lab, "worker-2", "up")
    assert lost.code == 3, lost.stderr
    assert "worker-" in lost.problems
    assert "worker-" in lost.checks
    wait_until(cluster.whole, "the cluster is whole again", 120)


def test_an_agent_that_is_killed_is_a_gap_that_the_result_tells(cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: kill(cluster, "target-1", "agent"))
    assert lost.code == 3, lost.stderr
    assert lost.manifest["absences"], lost.manifest
    assert "agent" in lost.checks
    next_one_works(cluster, tmp_path / "next")


def test_a_master_that_is_killed_is_said_and_what_it_had_recorded_is_here(cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: kill(cluster, "master", "master"))
    assert lost.code == 1, lost.stderr
    assert "floodmark: master: Locust's master was lost in the middle of the run" in lost.stderr
    assert lost.manifest["status"] == "failed"
    assert "master was lost in the middle of the run" in lost.checks
    assert (tmp_path / "lost/pulses.jsonl").stat().st_size
    next_one_works(cluster, tmp_path / "next")


def test_a_target_host_that_reboots_is_said_and_the_next_run_starts_it_again(one_lab, cluster, tmp_path):
    lost = Lost(cluster, tmp_path / "lost", lambda: one_lab.ssh("target-1", "sudo reboot", check=False))
    assert lost.code == 3, lost.stderr
    assert "agent" in lost.checks
    wait_until(lambda: one_lab.ssh("target-1", "echo back", check=False) == "back", "the host is back")
    found = cluster("status", check=False)
    assert found.returncode == 1
    assert found.stdout.count("does not run") == 2
    next_one_works(cluster, tmp_path / "next")
    assert cluster.whole()


def test_down_after_a_run_that_was_killed_leaves_no_process_and_no_file(one_lab, cluster, tmp_path):
    before = cluster.run_folders()
    words = ("run", "fastapi-uvicorn-sync", "--cluster", str(cluster.hosts_toml), "--requests", "400", "--hold", "3")
    with cluster.started(*words, "--out", str(tmp_path / "run")) as process:
        cluster.begins(process, before)
        process.send_signal(signal.SIGKILL)
    assert cluster("down").stdout == "taken down: 5 services\n"
    for host in one_lab.plan.hosts:
        asked = "sudo find / -xdev -iname '*floodmark*' -not -path '/etc/ssh/*' -not -path '/proc/*'; ps -eo args"
        assert "floodmark" not in one_lab.ssh(host.name, f"{asked} | grep -v find; systemctl list-units --all")
