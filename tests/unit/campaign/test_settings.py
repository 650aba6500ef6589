"""What a target's file sets, as its run keeps it: knobs are told, secrets are not."""

import pytest

from floodmark.campaign.settings import settings_of
from floodmark.core.target import LimitsSpec, StartSpec, TargetSpec


def settings(env=None, limits=None, command=("serve", "--threads", "4")):
    return settings_of(
        TargetSpec(name="t", summary="", start=StartSpec(command=command, env=env or {}), limits=limits or LimitsSpec())
    )


def test_command_variables_and_limits_are_told_apart():
    found = settings({"THREADS": "4"}, LimitsSpec(nofile=256, sysctl={"net.ipv4.tcp_syncookies": "0"}))
    assert found == {
        "command": "serve --threads 4",
        "env THREADS": "4",
        "processes": "1",
        "nofile": "256",
        "sysctl net.ipv4.tcp_syncookies": "0",
    }


@pytest.mark.parametrize("value", ["200", "0.5", "true", "OFF"])
def test_a_number_or_a_switch_is_a_knob_however_its_name_sounds(value):
    assert settings({"ZOO_THREAD_TOKENS": value})["env ZOO_THREAD_TOKENS"] == value


def test_what_may_be_secret_is_hidden():
    found = settings({"API_KEY": "hunter2x", "DB": "postgres://me:pw@db/x"}, command=("serve", "--password", "hunter2"))
    assert "hunter2" not in str(found)
    assert ":pw@" not in str(found)
    assert found["env API_KEY"] == "***"
