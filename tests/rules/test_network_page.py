"""The page on who talks to whom says what the code, the playbooks and the picture say."""

import re
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from floodmark_deploy.hosts_file import ClusterSpec
from floodmark_deploy.ssh_settings import SSH_PORT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/network.md").read_text(encoding="utf-8")
ROLES = ROOT / "ansible" / "roles"
DEFAULTS = yaml.safe_load((ROLES / "floodmark/defaults/main.yml").read_text(encoding="utf-8"))
BUS, WEB, SERVER = 5557, 8089, 8000
CLUSTER = ("192.0.2.10", "192.0.2.11", "192.0.2.20")


def rows_of(heading):
    table = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def let_in(host):
    """The ports that the page has a firewall let in on a host."""
    return {int(port) for name, _, port in rows_of("What a firewall must let in") if name == host}


def rules(host):
    """The playbooks' rules for a host, and the ports that they let others in at."""
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - it makes no page
    environment.tests["search"] = lambda value, part: part in value  # Ansible's own
    file = ROLES / "firewall/templates/floodmark.nft.j2"
    template = environment.from_string(file.read_text(encoding="utf-8"))
    names = {"floodmark_master": ["master"], "floodmark_workers": ["worker"], "floodmark_targets": ["target"]}
    text = template.render(
        inventory_hostname=host,
        groups=names,
        firewall_cluster=list(CLUSTER),
        floodmark_bus_port=DEFAULTS["floodmark_bus_port"],
        floodmark_web_port=DEFAULTS["floodmark_web_port"],
        floodmark_web_from=["192.0.2.99"],
        floodmark_targets=DEFAULTS["floodmark_targets"],
    )
    accepted = re.findall(r"tcp dport \{ ([\d, ]+) \} ip saddr \{ ([^}]+) \} accept", text)
    dropped = re.findall(r"tcp dport \{ ([\d, ]+) \} drop", text)
    return {int(ports): addresses for ports, addresses in accepted}, {int(ports) for ports in dropped}


def test_the_ports_are_the_defaults_of_hosts_toml_and_of_the_playbooks():
    spec = ClusterSpec()
    assert (spec.bus_port, spec.web_port, spec.port, SSH_PORT) == (BUS, WEB, SERVER, 22)
    assert (DEFAULTS["floodmark_bus_port"], DEFAULTS["floodmark_web_port"]) == (BUS, WEB)
    assert [target["port"] for target in DEFAULTS["floodmark_targets"]] == [SERVER]
    found = {(row[0], row[2]) for row in rows_of("Connections")}
    assert {("workers", "5557"), ("agent", "5557"), ("workers", "8000"), ("you", "22")} <= found
    assert ("you, within SSH", "8089") in found


def test_every_key_that_sets_a_port_is_one_that_there_is():
    words = " ".join(row[3] for row in rows_of("Connections"))
    keys = re.findall(r"`([a-z_]+)`", words)
    assert set(keys) == {"bus_port", "floodmark_bus_port", "web_port", "floodmark_web_port", "port", "floodmark_port"}
    assert all(key in DEFAULTS or hasattr(ClusterSpec(), key) for key in keys)


@pytest.mark.parametrize("host", ["master", "worker", "target"])
def test_the_firewall_of_the_playbooks_lets_in_what_the_page_says(host):
    accepted, dropped = rules(host)
    assert set(accepted) == let_in(host) - {SSH_PORT}
    assert dropped == set(accepted)  # SSH is left as it is, and whoever is not named is kept out
    assert SSH_PORT in let_in(host)
    assert all(set(addresses.split(", ")) == set(CLUSTER) for port, addresses in accepted.items() if port != WEB)


def test_the_picture_has_the_same_ports():
    picture = (ROOT / "docs/images/network.svg").read_text(encoding="utf-8")
    texts = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture))
    assert {int(port) for port in re.findall(r"\b(?:22|\d{4})\b", texts)} == {22, BUS, WEB, SERVER}
