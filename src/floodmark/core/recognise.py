"""How a server is known by its command line: ``[recognise]`` of a ``target.toml``, checked. It looks at no process."""

import re
from dataclasses import dataclass

UNITS = ("thread", "process", "event-loop")
"""What may run one request, in the verdict's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniseSpec:
    """All of `command`, and none of `unless`, must be found in one command line; `units` are what may run its requests.

    All are regular expressions but `server`, `units` and `option`. They see the words of the command line with one
    blank between them, and one before the first and after the last. `number` has one group: the value of `option`, how
    many are in service at once in each process, or `less` more than that. `default` is how many are where it is not
    given; `default_unless` are options that make that another number. `processes` has one group, too: how many
    processes. Without `number` and `default` nothing bounds them. `title` has one: the program's name in the title that
    a process gave itself, which says no options. `examples` are command lines that must be recognised.
    """

    server: str = ""
    command: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    option: str = ""
    number: str = ""
    less: int = 0
    default: int | None = None
    default_unless: tuple[str, ...] = ()
    processes: str = ""
    title: str = ""
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what recognises nothing, or can never be right."""
        if self.command and not self.server:
            raise ValueError("server is empty: say what the verdict is to call it")
        if not self.command and any((self.server, self.unless, self.number, self.processes, self.title, self.examples)):
            raise ValueError("command is empty: give the patterns that the command line must have")
        self._prove_patterns()
        if self.default is not None and self.default < 1:
            raise ValueError(f"default {self.default}: give at least 1, or leave it out")
        if self.less < 0:
            raise ValueError(f"less {self.less}: give how many fewer than the option's number are served")
        if self.default_unless and self.default is None:
            raise ValueError("default_unless without a default: give both or none")
        if unknown := [unit for unit in self.units if unit not in UNITS]:
            raise ValueError(f"units {unknown[0]!r}: there are {', '.join(UNITS)}")
        if missed := [example for example in self.examples if not self.matches(example)]:
            raise ValueError(f"examples {missed[0]!r}: is not recognised by command and unless")

    @property
    def is_bounded(self) -> bool:
        """A number of its own bounds how many are in service at once."""
        return bool(self.number) or self.default is not None

    @property
    def is_of_framework(self) -> bool:
        """The number is the default of something that no command line shows: an application may do without it."""
        return self.default is not None and bool(self.option) and not self.number

    def matches(self, words: str) -> bool:
        """The command line is this server's."""
        line = _spaced(words)
        found = all(re.search(pattern, line) for pattern in self.command)
        return bool(self.command) and found and not any(re.search(pattern, line) for pattern in self.unless)

    def number_in(self, words: str) -> int | None:
        """The value of `option` in a command line; None where it is not given."""
        return _last_number(self.number, words)

    def default_in(self, words: str) -> int | None:
        """The value of `option` where a command line does not give it; None where other options decide on it."""
        return None if any(re.search(pattern, _spaced(words)) for pattern in self.default_unless) else self.default

    def processes_in(self, words: str) -> int | None:
        """How many processes a command line asks for; None where it does not say."""
        return _last_number(self.processes, words)

    def title_in(self, words: str) -> str:
        """The program's name, where a process has given itself a title in place of its command line; else empty."""
        found = re.search(self.title, _spaced(words)) if self.title else None
        return found[1] if found else ""

    def _prove_patterns(self) -> None:
        lists = (("command", self.command), ("unless", self.unless), ("default_unless", self.default_unless))
        several = [(name, pattern) for name, patterns in lists for pattern in patterns]
        single = [("number", self.number), ("processes", self.processes), ("title", self.title)]
        for name, pattern in (*several, *single):
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"{name} {pattern!r}: not a regular expression: {error}") from None
            if (name, pattern) in single and pattern and groups != 1:
                raise ValueError(f"{name} {pattern!r}: has {groups} groups; put the value into one, as in (\\d+)")


def _spaced(words: str) -> str:
    return f" {words} "


def _last_number(pattern: str, words: str) -> int | None:
    """Of an option that is given twice the last one counts, as argparse and click have it."""
    if not pattern:
        return None
    line, last, start = _spaced(words), None, 0
    # One match may begin with the blank that another ends with.
    while found := re.compile(pattern).search(line, start):
        last, start = found[1], found.start() + 1
    return int(last) if last and last.isdecimal() else None
