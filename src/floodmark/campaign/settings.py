"""What a target's file sets, as a run keeps it: by this two runs of one target are told apart. Secrets stay out."""

import re
import shlex

from floodmark.core.target import TargetSpec
from floodmark_agent.scrub import scrub

PLAIN = re.compile(r"-?\d{1,6}(?:\.\d{1,6})?|true|false|yes|no|on|off|", re.IGNORECASE)
"""A number or a switch is a knob, however its name sounds: ``ZOO_THREAD_TOKENS`` has 40 of them."""


def settings_of(spec: TargetSpec) -> dict[str, str]:
    """Each setting by its name: ``command``, ``env NAME``, ``nofile``, ``nproc``, ``sysctl NAME``, ``processes``.

    Placeholders stand as they are in the file. What may be secret is hidden, as in the agent's command lines.
    """
    limits = spec.limits
    named = {
        "command": " ".join(_word(word) for word in scrub(spec.start.command)),
        **{f"env {name}": _value(name, value) for name, value in spec.start.env.items()},
        "processes": str(spec.start.processes),
        "nofile": "" if limits.nofile is None else str(limits.nofile),
        "nproc": "" if limits.nproc is None else str(limits.nproc),
        **{f"sysctl {name}": value for name, value in limits.sysctl.items()},
    }
    return {name: value for name, value in named.items() if value}


def _word(word: str) -> str:
    """As on a command line; a placeholder's braces need no quotes to be read."""
    return shlex.quote(word) if re.search(r"[\s'\"]", word) or not word else word


def _value(name: str, value: str) -> str:
    if PLAIN.fullmatch(value):
        return value
    return scrub([f"{name}={value}"])[0].partition("=")[2]
