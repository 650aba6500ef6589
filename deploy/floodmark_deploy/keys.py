"""Makes the keys of a cluster's bus. What is in the files is ``floodmark.core.bus_keys``'."""

from pathlib import Path

from floodmark.core.bus_keys import ROLES, KeyPair, write_keys
from floodmark.core.errors import ClusterError


def make_keys(folder: Path) -> tuple[Path, ...]:
    """Makes fresh keys and returns the three files that hold them, by role. They cost under a millisecond.

    Raises `UsageError` as `write_keys` does, and `ClusterError` where this ZeroMQ has no CURVE.
    """
    # Here, not above: the command line is there sooner without the library.
    import zmq  # noqa: PLC0415  the reason is above

    try:
        pairs = {role: KeyPair(*(key.decode() for key in zmq.curve_keypair())) for role in ROLES}
    except zmq.ZMQError as error:
        raise ClusterError(
            f"this ZeroMQ ({zmq.zmq_version()}) makes no CURVE keys: {error}; install pyzmq's wheel"
        ) from None
    return write_keys(folder, pairs)
