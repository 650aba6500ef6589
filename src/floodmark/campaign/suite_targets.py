"""The targets that a suite takes: those its patterns name, and what is wrong with any of them. Starts nothing."""

import fnmatch
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from floodmark.core.errors import PlanError, UsageError
from floodmark.core.target import TargetSpec, read_target
from floodmark_deploy.zoo import target_names, targets_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoo:
    """Targets in the order of their folders; `unreadable` has what is wrong with others, by their folder's name."""

    specs: tuple[TargetSpec, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)

    def chosen(self, patterns: Iterable[str]) -> "Zoo":
        """Those that any of the patterns (shell globs) names; without a pattern all.

        One that cannot be read is named by its folder. Raises `UsageError` for a pattern that names none, and for two
        targets of one name.
        """
        patterns = tuple(patterns)
        names = {*(spec.name for spec in self.specs), *self.unreadable}
        for pattern in patterns:
            if not fnmatch.filter(names, pattern):
                raise UsageError(f"no target is named by {pattern!r}; `floodmark targets` lists them")
        return self._where(lambda name: not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns))

    def named(self, names: Collection[str]) -> "Zoo":
        """Those with these names, as far as they are still there. Raises `UsageError` for two targets of one name."""
        return self._where(lambda name: name in names)

    @property
    def by_name(self) -> dict[str, TargetSpec]:
        """Each target that can be read, by its name."""
        return {spec.name: spec for spec in self.specs}

    def _where(self, wanted: Callable[[str], bool]) -> "Zoo":
        found = Zoo(
            specs=tuple(spec for spec in self.specs if wanted(spec.name)),
            unreadable={name: words for name, words in self.unreadable.items() if wanted(name)},
        )
        folders: dict[str, str] = {}
        for spec in found.specs:
            if (other := folders.setdefault(spec.name, spec.folder)) != spec.folder:
                raise UsageError(f"{other} and {spec.folder} are both named {spec.name!r}: give one another name")
        return found


def read_zoo(folder: Path | None = None) -> Zoo:
    """All targets of the zoo: one that cannot be read hides no other. Raises `UsageError` where there is no zoo."""
    folder = folder or targets_folder()
    specs, unreadable = [], {}
    for name in target_names(folder):
        try:
            specs.append(read_target(folder / name))
        except PlanError as error:
            unreadable[name] = str(error)
    return Zoo(specs=tuple(specs), unreadable=unreadable)
