"""The server of several benchmarks: nginx, one process on one core. Also what is installed where it is missing."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _common import raise_open_files

BODY = "hello, world!"
SAME, VARIED = "/", "/varied"
"""Paths: answers that are the same until the Date changes, and answers of which no two are the same."""

LISTEN_TIMEOUT_S = 10.0
INSTALL_TIMEOUT_S = 600.0

CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port} backlog=4096; default_type text/plain;
        location = /varied {{ add_header X-Request-Id $request_id; return 200 "{body}"; }}
        location / {{ return 200 "{body}"; }}
    }}
}}
"""


def need(program: str, *packages: str) -> None:
    """Installs a program where it is missing, from the package of its name or from these; exits where that fails."""
    if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*sudo, "apt-get", "install", "-y", "-q", "--no-install-recommends", *(packages or (program,))]
    print(f"installing {program}: {' '.join(command)}", flush=True)
    try:
        done = subprocess.run(  # noqa: S603 - the command above
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
        problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = [str(error)]
    if problem or not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        sys.exit(f"{program} is needed and could not be installed ({' '.join(problem)}): apt-get install {program}")


@contextmanager
def nginx(core: int) -> Iterator[tuple[int, int]]:
    """One process of nginx on a core: its port and process id."""
    raise_open_files()
    with tempfile.TemporaryDirectory() as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=port, body=BODY))
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"
        process = subprocess.Popen([program, "-c", str(configuration)], stderr=subprocess.DEVNULL)  # noqa: S603 - nginx
        try:
            os.sched_setaffinity(process.pid, {core})
            _wait_until_it_listens(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + LISTEN_TIMEOUT_S
    while True:
        with socket.socket() as trial:
            if not trial.connect_ex(("127.0.0.1", port)):
                return
        if process.poll() is not None or time.monotonic() > deadline_s:
            sys.exit(f"nginx does not listen on port {port} (exit code {process.poll()})")
        time.sleep(0.05)


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
