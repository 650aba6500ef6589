"""What the command line refuses before anything is started, in words of one kind. It starts nothing."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from floodmark.campaign.local import prove_local
from floodmark.core.address import Address, parse_url
from floodmark.core.asked_file import prove_file
from floodmark.core.errors import UsageError
from floodmark.core.request_spec import RequestSpec
from floodmark.core.target import TargetSpec, read_target
from floodmark_deploy.zoo import find_target

_NUMBERS = {"Input should be a valid number": "give a number", "Input should be a valid integer": "give a whole number"}
"""The option parser's words for a value that is none, and everybody else's here."""


def usage_words(error: Exception) -> str | None:
    """One line for an error of the option parser's, where it is one; its help, where nothing was asked.

    Typer brings a parser of its own and does not export its errors: what they have in common is `format_message`.
    """
    if not hasattr(error, "format_message"):
        return None
    words = str(error.format_message())
    if type(error).__name__ == "NoArgsIsHelpError":
        return words
    flags = getattr(getattr(error, "param", None), "opts", None)
    if flags and (ours := number_words(words)) != words:
        return f"floodmark: {flags[0]}: {ours}"
    return f"floodmark: {' '.join(words.split())}"


def number_words(words: str) -> str:
    """What the option parser says of a value, in our words where it is none of the numbers that are wanted."""
    return next((ours for theirs, ours in _NUMBERS.items() if theirs in words), words)


def what_to_run(
    target: str, url: str, target_file: Path | None, *, elsewhere: bool = False
) -> tuple[TargetSpec | None, Address | None]:
    """The target to start, or the address of a server that runs already: here, unless it is `elsewhere`.

    Raises `UsageError`.
    """
    given = [words for words in (target, url, target_file) if words]
    if len(given) != 1:
        raise UsageError("say what to run, once: a TARGET of the zoo, or --url, or --target-file")
    if url:
        address = parse_url(url)
        if not elsewhere:
            prove_local(address)
        return None, address
    return (read_target(target_file) if target_file else find_target(target)), None


def expecting(request: RequestSpec, **given: Any) -> RequestSpec:
    """The request with the answer that the user wants, where they say: a field of it and None, or its value."""
    flags = {"status": "--expect-status", "contains": "--expect-text", "matches": "--expect-match"}
    for name, value in given.items():
        try:
            request = request if value is None else replace(request, **{name: value})
        except ValueError as error:
            raise UsageError(f"{flags[name]} {str(error).removeprefix(name).strip()}") from None
    return request


def prove_insecure(address: Address | None, *, insecure: bool) -> None:
    """Refuses an option that would do nothing: a target that is started here speaks plain HTTP."""
    if insecure and not (address and address.is_secure):
        where = address.url if address else "a target that Floodmark starts"
        raise UsageError(f"--insecure: {where} is asked over http, without a certificate; leave it out")


def prove_numbers(*, workers: int | None, port: int, beat: float, cpu_budget: float | None = None) -> None:
    """Refuses numbers that cannot be meant before anything is started; the load's own are the profile's to refuse."""
    for flag, value, low, high in (
        ("--workers", workers, 1, 64),
        ("--port", port, 0, 65535),
        ("--beat", beat, 0.005, 5),
        ("--cpu-budget", cpu_budget, 0.1, 100),
    ):
        if value is not None and not low <= value <= high:
            raise UsageError(f"{flag} {value:g}: give a number from {low:g} to {high:g}")


def run_elsewhere(command: Sequence[str]) -> str:
    """The same command on other hosts, to be copied; the hosts' file is the user's to write."""
    return shlex.join([*command, "--cluster", "hosts.toml"])


def prove_writable(flag: str, path: Path | str | None) -> None:
    """Refuses a file that could not be written at the end; none, and ``-``, are no files."""
    if path and path != "-":
        prove_file(flag, path)
