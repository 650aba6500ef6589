"""Takes secrets out of a command line before it leaves the host: what stands where a secret would. Text in, text out.

It goes by names and by form, and rather hides too much: everything behind a name that sounds secret, to the end of the
word that the program was given, or the whole next word; and all before the @ of an address. A secret that is a word by
itself, with no such name before it, is not known to be one.
"""

import re
from collections.abc import Sequence

from floodmark.core.command_line import HIDDEN

_SOUNDS = (
    r"(?:passw|passphrase|pwd|secret|token|credential|private|auth|bearer|cookie|jwt|signature|salt|dsn"
    r"|api[-_.]?key|pass(?![a-z])|key(?![a-z]))"
)
# No name is longer. Bounds, here and below, keep a word without blanks, a blob of 16 kB, from taking quadratic time.
_MOST = 200
_REST = rf"[\w.-]{{0,{_MOST}}}"
# NAME=, NAME: (a header, YAML), "NAME": (JSON); or an option with a blank behind it, in a word that is a command
_NAMED = re.compile(
    rf"(?P<name>{_SOUNDS}{_REST}[\"'\])]{{0,3}}\s{{0,9}}[=:]|(?<![\w.-])-{_REST}?{_SOUNDS}{_REST}(?=\s))(?P<value>.*)",
    re.DOTALL | re.IGNORECASE,
)
# The value comes as the next word.
_OPTION = re.compile(
    rf"-{_REST}?{_SOUNDS}{_REST}|.*{_SOUNDS}{_REST}[\"']?[=:]\s*|bearer|basic", re.DOTALL | re.IGNORECASE
)
_SCHEME = re.compile(r"\b(bearer|basic)\s+\S.*", re.DOTALL | re.IGNORECASE)


def scrub(words: Sequence[str]) -> list[str]:
    """The words with `HIDDEN` in place of what may be secret."""
    scrubbed, hides_next = [], False
    for word in words:
        scrubbed.append(HIDDEN if hides_next and word else _scrub_word(word))
        hides_next = _wants_value(word) or (hides_next and not word)
    return scrubbed


def _wants_value(word: str) -> bool:
    return _OPTION.fullmatch(word[-2 * _MOST :]) is not None


def _scrub_word(word: str) -> str:
    """One word of the program's; one that is a command line itself (``sh -c``) has blanks in it."""
    word = _NAMED.sub(_hide_value, word)
    word = _SCHEME.sub(rf"\1 {HIDDEN}", word)
    return _hide_user(word)


def _hide_value(found: re.Match[str]) -> str:
    blank = "" if found["name"].endswith(("=", ":")) else " "
    return f"{found['name']}{blank}{HIDDEN}" if found["value"].strip() else found[0]


def _hide_user(word: str) -> str:
    """``://USER:PASSWORD@`` and ``USER:PASSWORD@``, up to the last @: a password may hold one, or a /, by mistake."""
    head, at, host = word.rpartition("@")
    if not at or ":" not in head:
        return word
    colon = head.index(":")
    is_url = head.startswith("://", colon)
    kept = head[: colon + 3] if is_url else head[: max(head.rfind(" ", 0, colon), head.rfind("=", 0, colon)) + 1]
    return f"{kept}{HIDDEN}@{host}"
