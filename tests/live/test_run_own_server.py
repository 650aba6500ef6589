"""A server that Floodmark never saw: no header, no middleware, and still the right answer."""

import pytest
from command import SERVERS, living, manifest, own_server, run_folder, verdict

from floodmark_deploy.port import free_port

pytestmark = [pytest.mark.live, pytest.mark.alone]

HOLD_S = "1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_fixed_pool_of_threads_is_found_and_its_hold_measured(tmp_path, host):
    with own_server("pool_server.py", "8", HOLD_S, host=host, cwd=tmp_path) as port:
        where = f"[{host}]" if ":" in host else host
        found = verdict("--url", f"http://{where}:{port}/slow", "--requests", "300", cwd=tmp_path)
    assert found["profile"]["hold_s"] == pytest.approx(1, abs=0.2)
    assert found["verdict"]["in_service"]["ceiling"] == 8
    # Its accepting thread takes all connections, and only the pool's threads read: the others are accepted and unread.
    assert found["verdict"]["waiting"]["unread"]["peak"] == 292
    assert (found["verdict"]["model"]["unit"], found["verdict"]["model"]["reused"]) == ("thread", True)


def test_an_event_loop_is_found_and_no_ceiling_claimed(tmp_path):
    with own_server("loop_server.py", HOLD_S, cwd=tmp_path) as port:
        found = verdict("--url", f"http://127.0.0.1:{port}/", "--requests", "300", cwd=tmp_path)
    assert (found["verdict"]["in_service"]["peak"], found["verdict"]["in_service"]["ceiling"]) == (300, None)
    assert found["verdict"]["model"]["unit"] == "event-loop"


def test_a_hold_that_is_given_is_not_measured(tmp_path):
    with own_server("pool_server.py", "4", "1", cwd=tmp_path) as port:
        words = ("--url", f"http://127.0.0.1:{port}/", "--requests", "100", "--hold", "1")
        found = verdict(*words, cwd=tmp_path)
    assert found["verdict"]["in_service"]["ceiling"] == 4
    assert manifest(run_folder(tmp_path))["probe"]["took_s"] == []


def test_a_target_file_of_ones_own_is_started_measured_and_stopped(tmp_path):
    port = free_port("127.0.0.1")
    (tmp_path / "target.toml").write_text(
        f"""
name = "my-pool"
summary = "three threads"
[start]
command = ["{{python}}", "{SERVERS / "pool_server.py"}", "{{port}}", "3", "1", "{{host}}"]
port = {port}
[ready]
path = "/"
[request]
path = "/"
contains = "done"
"""
    )
    found = verdict("--target-file", str(tmp_path / "target.toml"), "--requests", "60", cwd=tmp_path)
    assert found["target"] == "my-pool"
    assert found["verdict"]["in_service"]["ceiling"] == 3
    assert living(run_folder(tmp_path).name) == []


def test_a_server_that_answers_badly_under_the_flood_has_its_failures_counted_by_side(tmp_path):
    (tmp_path / "target.toml").write_text(
        f"""
[start]
command = ["{{python}}", "{SERVERS / "moody_server.py"}", "{{port}}"]
[ready]
path = "/"
[request]
path = "/"
contains = "ok"
"""
    )
    words = ("--target-file", str(tmp_path / "target.toml"), "--requests", "100", "--hold", "0.5")
    found = verdict(*words, cwd=tmp_path)
    kinds = {failure["kind"]: (failure["side"], failure["count"]) for failure in found["verdict"]["failures"]}
    assert kinds["server_error"][0] == kinds["closed"][0] == "target"
    assert kinds["server_error"][1] + kinds["closed"][1] + found["outcomes"]["answered"] == 100
    assert all(30 <= count <= 36 for _, count in kinds.values())
