"""A network of its own, as far as that can be seen without one: who may have it, and which names are settings."""

from pathlib import Path

import pytest

from floodmark.core.errors import MissingRuntimeError
from floodmark.core.target import LimitsSpec, StartSpec, TargetSpec
from floodmark_deploy import own_network as own_network_module
from floodmark_deploy import zoo
from floodmark_deploy.own_network import OWN_NETWORK, may_have_own_network, own_network, setting_path
from floodmark_deploy.target_process import prove_available

SPEC = TargetSpec(
    name="own",
    summary="",
    start=StartSpec(command=("sh",)),
    limits=LimitsSpec(sysctl={"net.ipv4.tcp_syncookies": "0"}),
)


def _proc(tmp_path: Path, powers: str) -> Path:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text(f"Name:\tpython\nCapPrm:\tffffffffffffffff\nCapEff:\t{powers}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("powers", "may"),
    [
        ("000001ffffffffff", True),
        ("0000000000201000", True),
        ("0000000000200000", False),
        ("0000000000001000", False),
        ("00000000a80425fb", False),
        ("0000000000000000", False),
    ],
    ids=["root", "the two", "SYS_ADMIN alone", "NET_ADMIN alone", "root in a container", "a user"],
)
def test_two_powers_are_what_a_network_of_its_own_takes(tmp_path: Path, powers: str, *, may: bool) -> None:
    assert may_have_own_network(_proc(tmp_path, powers)) is may


def test_a_settings_name_is_a_path() -> None:
    assert setting_path("net.ipv4.tcp_syncookies") == Path("/proc/sys/net/ipv4/tcp_syncookies")


def test_without_settings_nobody_moves() -> None:
    before = OWN_NETWORK.readlink()
    with own_network({}):
        assert OWN_NETWORK.readlink() == before


def test_one_who_may_not_make_a_network_is_told_so_and_not_that_he_may_not_go_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own_network_module, "_call", lambda *_: -1)
    with (
        pytest.raises(MissingRuntimeError, match="a network namespace cannot be made"),
        own_network({"net.ipv4.tcp_syncookies": "0"}),
    ):
        pass


def test_a_target_with_settings_is_not_available_to_one_without_the_powers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "may_have_own_network", lambda: False)
    words = "own needs the right 'to make a network namespace', which this process has not: run as root"
    with pytest.raises(MissingRuntimeError, match=words):
        prove_available(SPEC)
    monkeypatch.setattr(zoo, "may_have_own_network", lambda: True)
    prove_available(SPEC)
