"""`floodmark cluster` with a lab's hosts.toml as a user runs it, and what a test breaks on the hosts."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import validity

from floodmark.core.errors import InvalidRunError

FLOODMARK = [sys.executable, "-m", "floodmark"]

COMES_AND_GOES = (
    "sshd|sudo|systemd|\\(sd-pam\\)|agetty|dbus-daemon|ps -eo|grep"  # processes
    "|user|session|timer|tmpfiles|hostnamed|localed|timedated|getty|apt|dpkg|e2scrub|logrotate"  # units
)
"""What Debian starts and ends by itself while one logs in and out."""

SEEN = f"""
processes=$(ps -eo args --no-headers)  # first alone: the filters after it must not see themselves
echo "$processes" | grep -Ev '{COMES_AND_GOES}' | sed 's/^/process /'
systemctl list-units --all --plain --no-legend | awk '{{print "unit " $1}}' | grep -Ev '{COMES_AND_GOES}'
sudo find / /run /tmp /dev/shm /var/tmp -xdev \\( -path /proc -o -path /sys -o -path /run/systemd -o -path /run/user \\
    -o -path /run/udev -o -path /run/log -o -path /var/log/journal -o -path /var/lib/systemd -o -path /run/sudo \\) \\
    -prune -o -printf 'file %p\\n'
true
"""


def wait_until(true, what, timeout_s=60):
    deadline_s = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < deadline_s, what() if callable(what) else what
        time.sleep(0.2)
    return found


class OverSsh:
    """The command line, and the lab's hosts beneath it."""

    def __init__(self, lab):
        self.lab = lab
        self.name = lab.plan.name
        self.hosts_toml = lab.plan.hosts_toml
        self.home = f"/var/lib/floodmark-{self.name}"

    def unit(self, name):
        return f"floodmark-{self.name}-{name}"

    def run(self, *words, check=True, timeout_s=400):
        """`floodmark WORDS` to its end; never a traceback."""
        done = subprocess.run(
            [*FLOODMARK, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env={**os.environ, "COLUMNS": "200"},  # a table's row is a line
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def run_that_counts(self, *words, out):
        """`floodmark run WORDS` with the cluster, and its folder.

        All hosts share this machine's cores: a run that says that they were too busy is made again, as a user would.
        """
        for number in range(3):
            folder = out / str(number)
            done = self.run("run", *words, "--cluster", str(self.hosts_toml), "--out", str(folder), check=False)
            if done.returncode != InvalidRunError.exit_code or not was_too_busy(folder):
                break
        assert done.returncode == 0, done.stdout + done.stderr
        return done, folder

    def __call__(self, word, *words, hosts=None, check=True):
        """`floodmark cluster WORD HOSTS WORDS`."""
        return self.run("cluster", word, str(hosts or self.hosts_toml), *words, check=check)

    @contextmanager
    def started(self, *words):
        """A command that goes on; ended with SIGKILL at the latest."""
        with subprocess.Popen(
            [*FLOODMARK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)

    def refusal(self, hosts=None):
        """The lines that `up` refuses with."""
        done = self("up", hosts=hosts, check=False)
        assert done.returncode in {1, 2}, done.stderr
        return [line.removeprefix("floodmark: ") for line in done.stderr.splitlines() if not line.endswith(" ...")]

    def hosts_file(self, folder, config=None, old="", new=""):
        """The lab's hosts.toml with another ssh_config, or another word."""
        (folder / "ssh_config").write_text(config or self.lab.plan.ssh_config.read_text())
        path = folder / "hosts.toml"
        path.write_text(self.hosts_toml.read_text().replace(old, new))
        return path

    def seen(self):
        """Every process, unit and file of every host that does not come and go by itself."""
        return {host.name: set(self.lab.ssh(host.name, SEEN).splitlines()) for host in self.lab.plan.hosts}

    def left(self, before):
        """What is there now, and was not before."""
        return {name: sorted(now - before[name]) for name, now in self.seen().items() if now - before[name]}

    def whole(self):
        return self("status", check=False).returncode == 0

    def run_folders(self):
        """On the master: the runs that have begun."""
        return set(self.lab.ssh("master", f"ls {self.home}/state/runs 2>/dev/null || true").split())

    def begins(self, process, before):
        """Returns when a load of the command is on; fails where it ends first."""

        def fired():
            assert process.poll() is None, process.communicate()
            new = self.run_folders() - before
            asked = [f"grep -s '\"fired_s\": [0-9]' {self.home}/state/runs/{name}/run.json" for name in new]
            return any(self.lab.ssh("master", f"{words} || true") for words in asked)

        wait_until(fired, "a load begins", 150)


@contextmanager
def broken(lab, host, breaks, mends):
    """What is broken is mended, whatever happens."""
    try:
        lab.ssh(host, breaks)
        yield
    finally:
        lab.ssh(host, mends)


def verdict_of(folder):
    return json.loads((folder / "verdict.json").read_text())


def was_too_busy(folder):
    """The run does not count, and how busy this machine was is all that speaks against it."""
    failed = validity.failed_checks(verdict_of(folder))
    return bool(failed) and failed <= {*validity.OF_SPEED, "clocks aligned"}


def failed_checks(verdict):
    """What the verdict says against itself, as one text."""
    return "; ".join(check["words"] for check in verdict["validity"]["checks"] if not check["ok"])
