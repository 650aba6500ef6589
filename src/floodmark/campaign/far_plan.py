"""A run that is asked for on this machine, as a cluster on other hosts carries it out. Connects to nobody."""

from dataclasses import replace
from pathlib import Path

from floodmark.campaign.plan import RunPlan
from floodmark.core.address import Address
from floodmark.core.errors import UsageError
from floodmark_deploy.cluster_shape import ClusterShape, shape_of, spread
from floodmark_deploy.hosts_file import HostRole, HostsFile, HostSpec
from floodmark_deploy.zoo import shipped_folder


def far_shape(file: HostsFile, plan: RunPlan) -> tuple[ClusterShape, Address]:
    """What has to run on the cluster, and where the load goes. Raises `UsageError` for what cannot be done there."""
    server = _host_of(file, plan.address) if plan.address else _server_of(file, plan)
    port = plan.address.port if plan.address else plan.port or file.cluster.port
    shape = replace(
        shape_of(file),
        profile=plan.kind,
        target=plan.spec.name if plan.spec else "",
        host=server.name,
        port=port,
        workers=spread(file, plan.workers),
        beat_s=plan.beat_s,
        cpu_budget_percent=plan.cpu_budget_percent,
    )
    address = plan.address or Address(host=server.reached_at, port=port)
    return shape, replace(address, path=plan.request.path)


def _host_of(file: HostsFile, address: Address) -> HostSpec:
    """Whose a URL's server is: its kernel is read, so its host must have an agent."""
    for spec in file.of(HostRole.AGENT):
        if address.host in {spec.name, spec.reached_at}:
            return spec
    known = ", ".join(spec.reached_at for spec in file.of(HostRole.AGENT)) or "none"
    raise UsageError(
        f"--url {address.url}: {address.host} is no host of hosts.toml with the role agent, which reads the server's"
        f" kernel; those are: {known}"
    )


def _server_of(file: HostsFile, plan: RunPlan) -> HostSpec:
    spec = plan.spec
    if spec is None or not file.of(HostRole.TARGET):
        raise UsageError(
            f"{plan.name}: no host of hosts.toml has the role target, so nobody would run it; or give --url"
        )
    if not Path(spec.folder).resolve().is_relative_to(shipped_folder().resolve()):
        raise UsageError(
            f"{plan.name}: its files, and what it needs, are on this machine and not on the cluster's hosts: start it"
            " on its host and give --url"
        )
    if spec.limits.sysctl:
        raise UsageError(
            f"{plan.name}: its file sets {', '.join(spec.limits.sysctl)}, and hosts of a cluster keep their own kernel"
            " settings: run it without --cluster, or set them on the host and give --url"
        )
    return file.of(HostRole.TARGET)[0]
