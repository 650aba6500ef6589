"""A run on a cluster as this machine plans it: what it asks of the cluster, what it refuses, what it adds."""

from dataclasses import replace
from pathlib import Path

import pytest

from floodmark.campaign.far_plan import far_shape
from floodmark.campaign.plan import RunPlan
from floodmark.campaign.planned import planned_manifest, told
from floodmark.core.address import parse_url
from floodmark.core.asked import Asked
from floodmark.core.errors import UsageError
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import HoldProbe, RunStatus
from floodmark.core.target import read_target
from floodmark_deploy.hosts_file import read_hosts
from floodmark_deploy.zoo import find_target

HOSTS = """
[cluster]
profile = "closed"
[[hosts]]
name = "m"
roles = ["master", "worker"]
workers = 2
[[hosts]]
name = "web"
address = "192.0.2.1"
roles = ["target", "agent"]
"""


def plan(spec=None, url="", **changes):
    address = parse_url(url) if url else None
    request = spec.request if spec else RequestSpec(path=address.path)
    return replace(
        RunPlan(
            name=spec.name if spec else address.authority,
            spec=spec,
            address=address,
            request=request,
            kind="burst",
            asked=Asked(requests=10, hold_s=1.0),
            workers=2,
            port=0,
            beat_s=0.05,
            folder=Path("run"),
            command=("floodmark", "run"),
        ),
        **changes,
    )


@pytest.fixture
def file(tmp_path):
    (tmp_path / "hosts.toml").write_text(HOSTS)
    return read_hosts(tmp_path / "hosts.toml")


def test_a_target_goes_where_the_file_says_with_the_runs_own_profile(file):
    shape, address = far_shape(file, plan(find_target("flask-waitress"), workers=1, cpu_budget_percent=5.0))
    assert (shape.target, shape.host, shape.port, shape.profile) == ("flask-waitress", "web", 8_000, "burst")
    assert (shape.workers, shape.cpu_budget_percent) == ((1,), 5.0)
    assert address.url == "http://192.0.2.1:8000/?id={id}&hold={hold}"
    assert far_shape(file, plan(find_target("flask-waitress"), port=9_000))[1].port == 9_000


@pytest.mark.parametrize("url", ["http://192.0.2.1:9000/a?b=c", "https://web:9000/a?b=c"])
def test_a_server_of_ones_own_is_found_on_its_host_and_none_is_started(file, url):
    shape, address = far_shape(file, plan(url=url))
    assert (shape.target, shape.host, shape.port) == ("", "web", 9_000)
    assert address.url == url


def test_a_server_whose_kernel_nobody_would_read_is_refused(file):
    with pytest.raises(UsageError, match=r"192\.0\.2\.7 is no host .* with the role agent.*: 192\.0\.2\.1"):
        far_shape(file, plan(url="http://192.0.2.7/"))


def test_a_target_whose_files_are_here_is_refused_with_the_way_out(file, tmp_path):
    (tmp_path / "target.toml").write_text('[start]\ncommand = ["sleep", "1"]\n')
    with pytest.raises(UsageError, match=r"are on this machine and not on the cluster's hosts: .* give --url"):
        far_shape(file, plan(read_target(tmp_path)))


def test_a_target_that_sets_the_kernel_is_refused(file):
    with pytest.raises(UsageError, match=r"sets net\.ipv4\.tcp_syncookies, .*, and hosts of a cluster keep"):
        far_shape(file, plan(find_target("fastapi-uvicorn-sync-backlog-16-no-cookies")))


def test_without_a_host_for_it_no_target_can_run(tmp_path):
    (tmp_path / "hosts.toml").write_text(HOSTS.replace('"target", "agent"', '"agent"'))
    with pytest.raises(UsageError, match=r"no host of hosts\.toml has the role target"):
        far_shape(read_hosts(tmp_path / "hosts.toml"), plan(find_target("flask-waitress")))


def test_what_the_master_was_not_told_is_filled_in_and_what_it_measured_is_kept():
    spec = find_target("fastapi-uvicorn-sync")
    mine = replace(planned_manifest(plan(spec), "mine"), probe=HoldProbe(took_s=(1.0,)), thresholds=("p95<1",))
    theirs = replace(
        mine,
        run_id="theirs",
        status=RunStatus.COMPLETE,
        target="192.0.2.1:8000",
        summary="",
        expect=type(mine.expect)(),
        probe=HoldProbe(),
        thresholds=(),
        fired_s=5.0,
        workers=7,
        agent="web:8000",
        problems=("worker-1 was lost",),
        command=("locust",),
    )
    full = told(theirs, mine)
    assert (full.run_id, full.status, full.fired_s, full.workers) == ("theirs", RunStatus.COMPLETE, 5.0, 7)
    assert (full.agent, full.problems) == ("web:8000", ("worker-1 was lost",))
    assert (full.target, full.summary, full.expect, full.probe) == (spec.name, spec.summary, spec.expect, mine.probe)
    assert (full.thresholds, full.command) == (("p95<1",), mine.command)
