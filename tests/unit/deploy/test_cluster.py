"""The commands of a cluster: what a profile says goes to the master, option by option."""

from pathlib import Path

import pytest

from floodmark.core.address import Address
from floodmark.core.asked import DEFAULTS, FLAGS, Asked, profile_of
from floodmark.core.profile import PROFILE_KINDS
from floodmark.core.request_spec import RequestSpec
from floodmark_deploy.cluster import ClusterPlan, agent_command, master_command, worker_command


def plan_of(kind: str, asked: Asked | None = None, **changes: object) -> ClusterPlan:
    values: dict[str, object] = {
        "folder": Path("run"),
        "marker": "m",
        "bus_port": 5557,
        "workers": 2,
        "address": Address(host="::1", port=8443, path="/x", scheme="https"),
        "request": RequestSpec(path="/x?{id}", matches="-a", contains="b"),
        "profile": profile_of(kind, asked or Asked()),
        "beat_s": 0.05,
        "target_pid": None,
    }
    return ClusterPlan(**(values | changes))  # type: ignore[arg-type] # a test's shorthand


def options_of(plan: ClusterPlan) -> dict[str, str]:
    words = (word.partition("=") for word in master_command(plan).argv)
    return {flag: value for flag, is_given, value in words if is_given}


@pytest.mark.parametrize("kind", PROFILE_KINDS)
def test_each_kind_runs_its_own_locustfile_with_all_its_options_and_no_others(kind: str) -> None:
    plan = plan_of(kind)
    options = options_of(plan)
    assert {flag for flag in options if flag in FLAGS.values()} == {FLAGS[name] for name in DEFAULTS[kind]}
    for name, default in DEFAULTS[kind].items():
        value = options[FLAGS[name]]
        assert (float(value) if value else None) == default
    for command in (master_command(plan), worker_command(plan, 1)):
        locustfile = Path(command.argv[command.argv.index("-f") + 1])
        assert locustfile.name == f"{kind}.py"
        assert locustfile.is_file()


def test_the_master_is_told_where_to_send_what_from_where_and_which_answer_counts() -> None:
    options = options_of(plan_of("closed", source="127.0.0.2-127.0.0.9", verify=False))
    expected = {
        "--host": "https://[::1]:8443",
        "--path": "/x?{id}",
        "--expect-status": "200",
        "--expect-text": "b",
        "--expect-match": "-a",
        "--source": "127.0.0.2-127.0.0.9",
        "--verify": "no",
    }
    assert options.items() >= expected.items()
    assert options_of(plan_of("closed"))["--verify"] == "yes"


def test_the_largest_burst_of_a_search_is_its_number_of_requests() -> None:
    options = options_of(plan_of("search", Asked(first=4, requests=70, hold_s=0.5)))
    assert (options["--first"], options["--requests"], options["--hold"], options["--timeout"]) == (
        "4",
        "70",
        "0.5",
        "",
    )


def test_the_bus_listens_on_loopback_and_there_is_no_web_ui() -> None:
    options = options_of(plan_of("burst"))
    assert options["--master-bind-host"] == "127.0.0.1"
    assert not any(flag.startswith("--web") for flag in options)
    assert "--headless" in master_command(plan_of("burst")).argv


def test_master_workers_and_agent_have_the_keys_of_the_run() -> None:
    plan = plan_of("burst", keys=Path("/keys"))
    assert options_of(plan)["--floodmark-keys"] == "/keys"
    assert "--floodmark-keys=/keys" in worker_command(plan, 1).argv
    words = agent_command(plan).argv
    assert words[words.index("--keys") + 1] == "/keys"
    plain = plan_of("burst")
    for command in (master_command(plain), worker_command(plain, 1), agent_command(plain)):
        assert not any("keys" in word for word in command.argv)


def test_the_agent_has_its_own_cpu_budget_whatever_the_load_unless_the_user_says_another() -> None:
    flood = plan_of("burst", Asked(requests=10_000))
    assert "--cpu-budget" not in agent_command(flood).argv
    words = agent_command(plan_of("burst", cpu_budget_percent=7.5)).argv
    assert words[words.index("--cpu-budget") + 1] == "7.5"
