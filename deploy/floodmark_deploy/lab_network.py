"""A lab's network: a bridge without a way out, and for each host a network namespace with a cable to it."""

import json
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network
from pathlib import Path

from floodmark.core.errors import LabError
from floodmark_deploy.lab_command import run
from floodmark_deploy.lab_ledger import Ledger
from floodmark_deploy.lab_plan import RANGE, SUBNET_BITS, LabHost, LabPlan
from floodmark_deploy.lab_things import Kind, Thing, rule_words

INSIDE = "eth0"
"""What the host calls its end of the cable."""

SETTINGS = Path("/proc/sys/net")


def free_network() -> IPv4Network:
    """The first /24 of `RANGE` that this machine has no address in and no route to. Raises `LabError` for none."""
    taken = tuple(
        networks_of(run(["ip", "-json", "-4", "address", "show"]), run(["ip", "-json", "-4", "route", "show"]))
    )
    for network in RANGE.subnets(new_prefix=SUBNET_BITS):
        if not any(network.overlaps(other) for other in taken):
            return network
    raise LabError(f"every /{SUBNET_BITS} of {RANGE} is in use on this machine: floodmark lab down --name ...")


def networks_of(addresses: str, routes: str) -> Iterable[IPv4Network]:
    """The networks in the JSON of ``ip -json address`` and ``ip -json route``; the default route is none of them."""
    for link in json.loads(addresses):
        for entry in link.get("addr_info", ()):
            yield _v4(f"{entry['local']}/{entry['prefixlen']}")
    for route in json.loads(routes):
        if route["dst"] != "default":
            yield _v4(route["dst"])


def _v4(text: str) -> IPv4Network:
    network = ip_network(text, strict=False)
    if not isinstance(network, IPv4Network):
        raise LabError(f"`ip -4` named {text!r}, which is no IPv4 network")
    return network


def make_bridge(plan: LabPlan, ledger: Ledger) -> None:
    """The bridge, with this machine's own address on it."""
    ledger.note(Thing(kind=Kind.INTERFACE, name=plan.bridge))
    run(["ip", "link", "add", plan.bridge, "type", "bridge"])
    ledger.note(Thing(kind=Kind.RULE, name=plan.bridge))
    run(["ip", "rule", "add", *rule_words(plan.bridge)])
    no_ipv6 = SETTINGS / "ipv6/conf" / plan.bridge / "disable_ipv6"
    if no_ipv6.exists():  # a kernel without IPv6 has none
        no_ipv6.write_text("1", encoding="ascii")
    run(["ip", "address", "add", f"{plan.gateway}/{plan.network.prefixlen}", "dev", plan.bridge])
    run(["ip", "link", "set", plan.bridge, "up"])


def make_cable(plan: LabPlan, host: LabHost, ledger: Ledger) -> None:
    """The host's namespace and its interface there. No default route: the bridge is all that it reaches."""
    namespace, veth = plan.namespace(host), plan.veth(host)
    ledger.note(Thing(kind=Kind.NAMESPACE, name=namespace))
    run(["ip", "netns", "add", namespace])
    ledger.note(Thing(kind=Kind.INTERFACE, name=veth))
    run(["ip", "link", "add", veth, "type", "veth", "peer", "name", INSIDE, "netns", namespace])
    run(["ip", "link", "set", veth, "master", plan.bridge, "up"])
    inside = ["ip", "-netns", namespace]
    run([*inside, "address", "add", f"{host.address}/{plan.network.prefixlen}", "dev", INSIDE])
    for name in ("lo", INSIDE):
        run([*inside, "link", "set", name, "up"])
