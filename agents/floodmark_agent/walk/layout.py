"""Where the running kernel keeps what a walk reads: a record, made from the kernel's types. It reads no socket."""

from dataclasses import dataclass

from floodmark.core.errors import WireError
from floodmark_agent.walk.btf import Btf

KERNEL_TYPES = "/sys/kernel/btf/vmlinux"
_CAST = "bpf_rdonly_cast"
"""A function of the kernel that programs may call (kernel/bpf/helpers.c, Linux 6.2): it reads no memory, and has the
verifier guard each load behind it: one from an address that is not there gives 0."""
_SOCKET = ("inet_conn", "icsk_inet", "sk")
_STRUCTS = (
    *("timespec64", "sock_common", "tcp_sock", "inet_timewait_sock", "task_struct", "nsproxy", "net"),
    *("inet_hashinfo", "inet_ehash_bucket"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Ids of types in the kernel's BTF, and offsets in bytes from the begin of their struct."""

    cast: int
    """The function that makes an address readable as a struct."""
    word: int
    """A struct whose first 8 bytes are a plain number."""
    sock_common: int
    tcp_sock: int
    time_wait: int

    node: int
    """Of struct sock_common, as the four that follow; every entry of the table begins with one."""
    port: int
    state: int
    net: int
    substate: int
    """Of struct inet_timewait_sock."""

    socket: int
    """Of struct tcp_sock, as the four that follow."""
    received: int
    taken: int
    written: int
    acknowledged: int

    task_proxy: int
    proxy_net: int
    net_tables: int
    table: int
    mask: int


def layout_of(types: bytes) -> Layout:
    """From the content of `KERNEL_TYPES`. Raises `WireError` where this kernel does not have it all, as expected."""
    btf = Btf(types, (_CAST, *_STRUCTS))
    _prove_begins(btf)
    return Layout(
        cast=btf.function(_CAST),
        word=btf.struct("timespec64"),
        sock_common=btf.struct("sock_common"),
        tcp_sock=btf.struct("tcp_sock"),
        time_wait=btf.struct("inet_timewait_sock"),
        node=btf.offset("sock_common", "skc_nulls_node", "next", size_bytes=8),
        port=btf.offset("sock_common", "skc_num", size_bytes=2),
        state=btf.offset("sock_common", "skc_state", size_bytes=1),
        net=btf.offset("sock_common", "skc_net", size_bytes=8),
        substate=btf.offset("inet_timewait_sock", "tw_substate", size_bytes=1),
        socket=btf.offset("tcp_sock", *_SOCKET, "sk_socket", size_bytes=8),
        received=btf.offset("tcp_sock", "rcv_nxt", size_bytes=4),
        taken=btf.offset("tcp_sock", "copied_seq", size_bytes=4),
        written=btf.offset("tcp_sock", "write_seq", size_bytes=4),
        acknowledged=btf.offset("tcp_sock", "snd_una", size_bytes=4),
        task_proxy=btf.offset("task_struct", "nsproxy", size_bytes=8),
        proxy_net=btf.offset("nsproxy", "net_ns", size_bytes=8),
        net_tables=btf.offset("net", "ipv4", "tcp_death_row", "hashinfo", size_bytes=8),
        table=btf.offset("inet_hashinfo", "ehash", size_bytes=8),
        mask=btf.offset("inet_hashinfo", "ehash_mask", size_bytes=4),
    )


def _prove_begins(btf: Btf) -> None:
    """What the program takes to begin with the other does; a place of the table is one pointer."""
    common = btf.size_of("sock_common")
    begins = {
        "timespec64.tv_sec": btf.offset("timespec64", "tv_sec", size_bytes=8),
        "tcp_sock's sock_common": btf.offset("tcp_sock", *_SOCKET, "__sk_common", size_bytes=common),
        "inet_timewait_sock's sock_common": btf.offset("inet_timewait_sock", "__tw_common", size_bytes=common),
        "inet_ehash_bucket's pointer": btf.offset("inet_ehash_bucket", "chain", "first", size_bytes=8),
    }
    for name, offset in begins.items():
        if offset:
            raise WireError(f"BTF: {name} stands at {offset}, not at the begin")
    if btf.size_of("inet_ehash_bucket") != 8:  # noqa: PLR2004  bytes of a pointer
        raise WireError(f"BTF: inet_ehash_bucket has {btf.size_of('inet_ehash_bucket')} bytes, not 8")
