"""Ansible on a lab's hosts, as a user runs it, and what a user does at the master after it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANSIBLE = Path(sys.executable).with_name("ansible-playbook")

AT_MASTER = Path(__file__).with_name("at_master.py")


class Played:
    """What a playbook did: the recap, host by host."""

    def __init__(self, done):
        self.text = done.stdout + done.stderr
        recap = re.findall(r"^(\S+) +: (ok=.*)$", self.text.partition("PLAY RECAP")[2], re.MULTILINE)
        self.hosts = {name: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", counts)} for name, counts in recap}

    def total(self, word):
        return sum(counts[word] for counts in self.hosts.values())


class Playbooks:
    """The playbooks with a lab's inventory. `settings` are variables of the cluster, which a test may change."""

    def __init__(self, lab, settings):
        self._lab = lab
        self.settings = settings
        self.is_bare = False

    def words(self, book, *words):
        """The command. Whatever it is, the hosts are not known to be bare after it."""
        self.is_bare = False
        return [
            *(str(ANSIBLE), "-i", str(self._lab.plan.inventory), "-e", json.dumps(self.settings)),
            *(str(ROOT / "ansible" / book), *words),
        ]

    def play(self, book, *words):
        """Plays to the end; no host may fail."""
        played = Played(
            subprocess.run(self.words(book, *words), capture_output=True, text=True, check=False, timeout=550, cwd=ROOT)
        )
        assert played.hosts, played.text
        self.is_bare = book == "teardown.yml"
        assert played.total("failed") == played.total("unreachable") == 0, played.text
        return played

    def load_words(self, load, workers=2, **form):
        """The command that starts a load at the master; it reads `at_master.py` on its stdin, and prints JSON."""
        server = f"{self._lab.plan.hosts[-1].address}:8000"
        form = {name: str(value) for name, value in form.items()}
        asked = json.dumps({"load": load, "workers": workers, "server": server, "form": form})
        return ["ssh", "-F", str(self._lab.plan.ssh_config), "master", "sudo", "python3", "-", shlex.quote(asked)]

    def load(self, load, workers=2, **form):
        """Starts a load at the master and returns what `at_master.py` says of it."""
        with AT_MASTER.open() as script:
            words = self.load_words(load, workers, **form)
            done = subprocess.run(words, stdin=script, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def burst(self, workers=2, **form):
        """A burst at one instant, each request held for 5 s unless `form` says otherwise."""
        return self.load("burst", workers, **{"within": 0, "hold": 5, **form})
