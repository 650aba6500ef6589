"""Which server of the zoo the target is, by its command lines and by who ran its requests, and what is known of it.

A command line says what was asked for; a configuration file or the environment may say otherwise. So what is known is
held against what was measured, and not told where it does not fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from floodmark.analysis.document import KnownServer, Unit
from floodmark.analysis.estimates import agree
from floodmark.core.command_line import CommandLine
from floodmark.core.run_folder import Manifest
from floodmark.core.target import ExpectSpec, TargetSpec

ELSEWHERE = "a configuration file or the environment may say otherwise"
FIRST_BOUND = "something else bounds it first, such as a lock, a pool of connections, or a handler that blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A server that was recognised. `tells` is what is known of it, as far as it fits what was measured."""

    server: KnownServer
    tells: ExpectSpec = field(default_factory=ExpectSpec)

    @property
    def advice(self) -> tuple[str, ...]:
        """What it is, why it does what was measured, and which option moves it."""
        head = f"{self.server.words} {self.tells.why}" if self.tells.why else self.server.words
        return (head, self.tells.knob) if self.tells.knob else (head,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run found of the server. `at_once` None: no ceiling was seen, but `peak` requests in service.

    `is_count` False: it is a steady load's, which counts neither.
    """

    at_once: int | None
    unit: Unit | None
    peak: int = 0
    is_count: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A target whose patterns fit a command line, and how many at once that line then means.

    `place` is its place among those that are known: the first is asked first.
    """

    spec: TargetSpec
    place: int
    line: CommandLine
    given: int | None
    per_process: int | None
    processes: int
    total: int | None
    agrees: bool | None

    @property
    def rank(self) -> tuple[int, int, bool, int]:
        """The lowest is the best: most patterns, then agreement, then those without a bound, then the first known."""
        recognise = self.spec.recognise
        agreement = {True: 0, None: 1, False: 2}[self.agrees]
        return (-len(recognise.command), agreement, recognise.is_bounded, self.place)

    def fits(self, unit: Unit | None) -> bool:
        """What ran the requests is what runs them in this server, as far as that was seen."""
        return unit is None or not self.spec.recognise.units or unit.value in self.spec.recognise.units


def recognise(manifest: Manifest, measured: Measured, known: Sequence[TargetSpec]) -> Recognised | None:
    """The server behind a run's command lines; None where nobody knows it, or the target's own file says what it is.

    Of `known` that fit alike, the first counts.
    """
    if manifest.expect.why or manifest.expect.ceiling is not None:
        return None
    tried = (_candidate(spec, place, manifest.commands, measured) for place, spec in enumerate(known))
    candidates = [found for found in tried if found is not None]
    fitting = sorted((one for one in candidates if one.fits(measured.unit)), key=lambda one: one.rank)
    if fitting:
        return _of_fitting(fitting, measured)
    if candidates:
        return _unlike(min(candidates, key=lambda one: one.rank), measured)
    return _by_title(manifest.commands, known)


def _candidate(spec: TargetSpec, place: int, lines: Sequence[CommandLine], measured: Measured) -> _Candidate | None:
    said = spec.recognise
    # That an option was not given can only be read from a whole line.
    line = next((line for line in lines if said.matches(line.words) and (line.is_whole or not said.unless)), None)
    if line is None or said.title_in(line.words):
        return None
    given = said.number_in(line.words)
    per_process = max(0, given - said.less) if given is not None else None
    if given is None and line.is_whole:
        per_process = said.default_in(line.words)
    processes = said.processes_in(line.words) or _processes_seen(line, lines, per_process, measured.at_once)
    total = None if per_process is None else per_process * processes
    return _Candidate(
        spec=spec,
        place=place,
        line=line,
        given=given,
        per_process=per_process,
        processes=processes,
        total=total,
        agrees=_agrees(measured, total, is_bounded=said.is_bounded),
    )


def _processes_seen(line: CommandLine, lines: Sequence[CommandLine], each: int | None, at_once: int | None) -> int:
    """One, unless the line is silent, more were seen, and these explain the number: WEB_CONCURRENCY does that."""
    spawned = sum(len(other.pids) for other in lines if "multiprocessing.spawn import" in other.words)
    seen = spawned or len(line.pids) - 1
    explain = each is not None and at_once is not None and agree(each * seen, at_once)
    return seen if seen > 1 and explain else 1


def _agrees(measured: Measured, total: int | None, *, is_bounded: bool) -> bool | None:
    """None where it cannot be told."""
    at_once = measured.at_once
    if not is_bounded:
        return at_once is None
    if at_once is None and total is not None and _is_beyond(measured.peak, total):
        return False
    return None if at_once is None or total is None else agree(at_once, total)


def _is_beyond(peak: int, total: int) -> bool:
    """More than the number allows, and not by what a peak may be wrong."""
    return peak > total and not agree(peak, total)


def _of_fitting(fitting: Sequence[_Candidate], measured: Measured) -> Recognised:
    best = fitting[0]
    patterns = len(best.spec.recognise.command)
    units = {one.spec.recognise.units for one in fitting if len(one.spec.recognise.command) == patterns}
    if measured.unit is None and len(units) > 1:
        # Two kinds of handlers look alike on the command line, and who ran the requests was not seen.
        words = f"This is {best.spec.recognise.server}, by its command line."
        return Recognised(server=_server(best, words, number=None, agrees=None))
    if best.spec.recognise.is_of_framework and best.agrees is not True:
        return _of_framework(best, measured)
    words = f"This is {best.spec.recognise.server}{_number_words(best)}{_held_against(best, measured)}."
    # An option that was given is the server's own, whatever else bounds it.
    fits = best.agrees is not False or best.given is not None
    tells = best.spec.expect if fits else ExpectSpec()
    return Recognised(server=_server(best, words, number=best.total, agrees=best.agrees), tells=tells)


def _of_framework(found: _Candidate, measured: Measured) -> Recognised:
    """The application may be of another framework, which does without what is known: only the number could tell.

    Of a steady load the number in service is known elsewhere, and what is known is told where that is the number.
    """
    words = f"This is {found.spec.recognise.server}, by its command line."
    if measured.is_count:
        return Recognised(server=_server(found, words, number=None, agrees=None))
    return Recognised(server=_server(found, words, number=found.total, agrees=None), tells=found.spec.expect)


def _server(found: _Candidate, words: str, *, number: int | None, agrees: bool | None) -> KnownServer:
    return KnownServer(
        target=found.spec.name, server=found.spec.recognise.server, number=number, agrees=agrees, words=words
    )


def _number_words(found: _Candidate) -> str:
    """``, with --threads 25 on its command line, in each of 2 processes``."""
    option, words = found.spec.recognise.option, ", by its command line"
    if found.given is not None:
        words = f", with {option} {found.given:,} on its command line"
    elif option and found.spec.recognise.number and found.per_process is not None:
        words += f", where {option} is not set; its default is {found.per_process:,}"
    elif option and found.per_process is not None:
        words += f"; {option} is {found.per_process:,} unless the application sets it"
    if found.per_process is None or found.processes == 1:
        return words
    return f"{words}, in {'each of ' if option else ''}{found.processes:,} processes"


def _held_against(found: _Candidate, measured: Measured) -> str:
    """The end of the sentence: whether that is the number that was measured."""
    at_once, total = measured.at_once, found.total
    if not found.spec.recognise.is_bounded:
        return "" if at_once is None else f"; nothing there bounds it, and {_measured(at_once)}: {FIRST_BOUND}"
    if total is None:
        return ""
    said = found.spec.recognise
    says_all = found.processes > 1 or said.less > 0 or (measured.is_count and not said.option)
    makes = f": {total:,} at once" if says_all else ""
    return f"{makes}{_comparison(measured, total)}" if measured.is_count else makes


def _comparison(measured: Measured, total: int) -> str:
    at_once = measured.at_once
    if at_once is None and _is_beyond(measured.peak, total):
        return f"; at least {measured.peak:,} were in service: {ELSEWHERE}"
    if at_once is None:
        most = f"up to {measured.peak:,} were in service, and " if agree(measured.peak, total) else ""
        return f"; {most}no ceiling was seen"
    if at_once == total:
        return ", which is the number that was measured"
    if agree(at_once, total):
        return f", which agrees with the {at_once:,} that {'was' if at_once == 1 else 'were'} measured"
    return f"; {_measured(at_once)}: {FIRST_BOUND if at_once < total else ELSEWHERE}"


def _measured(at_once: int) -> str:
    return f"{at_once:,} {'was' if at_once == 1 else 'were'} measured"


def _unlike(found: _Candidate, measured: Measured) -> Recognised:
    """The command line says one thing, and what ran the requests another."""
    unit = measured.unit.value.replace("-", " ") if measured.unit else ""
    article = "an" if unit.startswith("e") else "a"
    words = (
        f"By its command line this is {found.spec.recognise.server}, but {article} {unit} ran each request, which does"
        f" not fit what is known of it: {ELSEWHERE}."
    )
    return Recognised(server=_server(found, words, number=None, agrees=False))


def _by_title(lines: Sequence[CommandLine], known: Sequence[TargetSpec]) -> Recognised | None:
    for spec in known:
        for line in lines:
            if name := spec.recognise.title_in(line.words):
                words = f"This is {name}, by the title of its process, which does not say its options."
                return Recognised(
                    server=KnownServer(target=spec.name, server=name, number=None, agrees=None, words=words)
                )
    return None
