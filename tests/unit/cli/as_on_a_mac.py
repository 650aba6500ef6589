"""Floodmark's commands as on a Mac: what only Linux has is taken away, then they are run, one after another.

    python as_on_a_mac.py '[["floodmark", "keys", "folder"], ["floodmark", "doctor"]]'

prints a JSON list with exit code, stdout and stderr of each; an exit code of null is a traceback.
"""

import contextlib
import errno
import fcntl
import io
import json
import os
import platform
import resource
import select
import signal
import socket
import sys
import time
import traceback

# These are built for the system that they are on, and choose their parts by its name when they are imported.
import urllib.request  # noqa: F401
import zoneinfo  # noqa: F401

import paramiko  # noqa: F401
import psutil  # noqa: F401
import zmq  # noqa: F401

LINUX_ONLY = {
    os: "eventfd getrandom getresgid getresuid memfd_create pidfd_open pipe2 posix_fadvise posix_fallocate"
    " sched_getaffinity sched_getparam sched_getscheduler sched_setaffinity sched_setscheduler setns splice unshare"
    " waitid O_DIRECT O_NOATIME O_PATH O_TMPFILE",
    select: "epoll",
    signal: "pidfd_send_signal sigtimedwait sigwaitinfo SIGPWR SIGPOLL SIGRTMAX SIGRTMIN SIGSTKFLT",
    socket: "AF_ALG AF_CAN AF_NETLINK AF_PACKET AF_VSOCK IP_BIND_ADDRESS_NO_PORT IP_TRANSPARENT MSG_CONFIRM"
    " MSG_ERRQUEUE MSG_MORE SO_BINDTODEVICE SO_DOMAIN SO_INCOMING_CPU SO_MARK SO_PEERCRED SO_PEERSEC SO_PRIORITY"
    " SO_PROTOCOL SOCK_CLOEXEC SOCK_NONBLOCK TCP_CONGESTION TCP_CORK TCP_DEFER_ACCEPT TCP_INFO TCP_KEEPIDLE TCP_LINGER2"
    " TCP_QUICKACK TCP_SYNCNT TCP_USER_TIMEOUT TCP_WINDOW_CLAMP",
    resource: "prlimit RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME RLIMIT_SIGPENDING",
    time: "CLOCK_BOOTTIME CLOCK_TAI",
    fcntl: "F_ADD_SEALS F_GET_SEALS F_GETPIPE_SZ F_SETPIPE_SZ F_NOTIFY F_SETLEASE",
}
KERNELS_FILES = ("/proc", "/sys", "/run/systemd")


def become_a_mac():
    """Takes everything away that a Mac has not, for this process and for good."""
    for module, names in LINUX_ONLY.items():
        wanted = [*names.split(), *(name for name in vars(module) if name.startswith(("EPOLL", "NETLINK_", "EFD_")))]
        for name in wanted:
            if hasattr(module, name):
                delattr(module, name)
    sys.platform = "darwin"
    os.uname = lambda: os.uname_result(("Darwin", "mac.local", "23.6.0", "Darwin Kernel Version 23.6.0", "arm64"))
    platform._uname_cache = None
    sys.addaudithook(hide)
    for name in ("stat", "lstat", "readlink", "access", "statvfs"):
        setattr(os, name, hiding(getattr(os, name)))


def hide(event, arguments):
    if event in {"open", "os.listdir", "os.scandir", "os.chdir"} and is_the_kernels(arguments[0]):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(arguments[0]))


def hiding(call):
    def looked(path, *words, **more):
        if is_the_kernels(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return call(path, *words, **more)

    return looked


def is_the_kernels(path):
    text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    return any(text == root or text.startswith(f"{root}/") for root in KERNELS_FILES)


def said(words):
    """Exit code, stdout and stderr of one command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = code_of(words)
    return code, out.getvalue(), err.getvalue()


def code_of(words):
    sys.argv = words
    try:
        if words[0] == "floodmark-agent":
            from floodmark_agent.cli import main  # noqa: PLC0415 - as on a Mac, so not before it is one

            return main(words[1:])
        from floodmark.cli.main import main  # noqa: PLC0415 - likewise

        main()
    except SystemExit as end:
        return end.code or 0
    except BaseException:  # noqa: BLE001 - that is what is looked for
        traceback.print_exc()
        return None
    return 0


if __name__ == "__main__":
    commands = json.loads(sys.argv[1])
    become_a_mac()
    sys.stdout.write(json.dumps([said(words) for words in commands]))
