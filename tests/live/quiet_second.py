"""A second of a steady load in which nothing happened, to be changed into another."""

from floodmark.core.second import Second

QUIET_SECOND = Second(
    worker="worker-1",
    second=0,
    planned=0,
    released=0,
    opened=0,
    answered=0,
    in_flight=0,
    open_connections=0,
    received_bytes=0,
    latency="",
    transfer="",
    late="",
    connect="",
    loop_lag_max_s=0.0,
    cpu_share=0.0,
    time_wait=None,
)
