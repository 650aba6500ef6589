"""The process that boots one host of a lab, and boots it again when it reboots. Standard library only, run by its path.

It lives in a mount namespace of its own, so that what it mounts is seen by nobody else and goes with it. It takes one
word, JSON: `cgroups` to put the host into, `mounts` to make first, `boot`: systemd-nspawn's words.
"""

import json
import os
import subprocess
import sys

REBOOT = 133
"""systemd-nspawn's exit code with --keep-unit when the host asked for a reboot (its manual page: --keep-unit)."""

MOUNT_TIMEOUT_S = 20.0


def main(text: str) -> int:
    """Returns when the host was shut down, with systemd-nspawn's exit code."""
    plan = json.loads(text)
    for words in plan["mounts"]:
        subprocess.run(words, check=True, timeout=MOUNT_TIMEOUT_S)  # noqa: S603 - the lab's own words
    while (code := _boot(plan["cgroups"], plan["boot"])) == REBOOT:
        _say("the host reboots")
    _say(f"systemd-nspawn ended with exit code {code}")
    return code


def _boot(cgroups: list[str], words: list[str]) -> int:
    """One life of the host, in its cgroups from the first moment on. This process stays outside: it must outlive it."""
    pid = os.fork()
    if pid == 0:
        try:
            for folder in cgroups:
                with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as file:  # noqa: PTH118, PTH123 - no pathlib: it starts in a tenth of the time
                    file.write("0")  # the writer itself (cgroups(7))
            os.execvp(words[0], words)  # noqa: S606 - the lab's own words
        except OSError as error:
            _say(f"{words[0]}: {error}")
        os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _say(line: str) -> None:
    sys.stdout.write(f"floodmark lab: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
