"""A row of bursts, each larger than the one before, until the server's ceiling is proven. Each burst is run by others.

docs/decisions/0012 says why it is a row of runs.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from floodmark.core.errors import ClusterError
from floodmark.core.goals import Goals
from floodmark.core.profile import BurstProfile, SearchProfile
from floodmark.core.run_folder import STEPS, RunStatus, SearchStep
from floodmark.load.master.judging import Found
from floodmark.load.master.manifest import step_manifest
from floodmark.load.master.run_log import RunLog
from floodmark.load.options import LoadOptions

logger = logging.getLogger(__name__)

LOST_SHARE = 0.02
"""Where more of a burst than this were not answered, the server does not take so many. One reset among thousands is no
such end."""


class Search:
    """One search; its own folder has the manifest only, each step's has a whole run."""

    def __init__(  # noqa: PLR0913 - all it needs of the conductor, by name
        self,
        log: RunLog,
        options: LoadOptions,
        *,
        run: Callable[[RunLog, LoadOptions], RunStatus],
        find: Callable[[str], Found],
        is_cut: Callable[[], bool],
        rest: Callable[[float], object],
    ) -> None:
        """`run` measures one burst into its log, `find` judges its folder, `is_cut` says that the user has enough.

        `rest` waits for so many seconds, or until the user has enough.
        """
        self._log = log
        self._options = options
        self._run = run
        self._find = find
        self._is_cut = is_cut
        self._rest = rest

    def go(self) -> None:
        """Goes through the bursts and stops at the first that decides. Raises what a burst's run raises."""
        profile = self._options.profile
        bursts = profile.bursts if isinstance(profile, SearchProfile) else ()
        for number, burst in enumerate(bursts, start=1):
            logger.info("Search: burst %d of up to %d, %s requests", number, len(bursts), f"{burst.requests:,}")
            try:
                found = self._step(number, burst)
            except ClusterError as error:
                raise ClusterError(f"burst {number} of up to {len(bursts)}: {error}") from error
            if found is None or self._is_cut():
                return
            if reason := _reason_to_stop(found, burst.requests, is_last=number == len(bursts)):
                logger.info("Search: %s", reason)
                return
            if not self._options.agents:
                # Nobody says when the server has done with what this burst has left behind: it is given the time.
                self._rest(burst.hold_s)

    def _step(self, number: int, burst: BurstProfile) -> Found | None:
        """Runs and judges one burst; None where it was cut."""
        step = SearchStep(folder=f"{STEPS}/{number:02}-{burst.requests}", requests=burst.requests)
        self._note(step)
        path = Path(self._log.path) / step.folder
        # What the search is to meet is judged on the whole.
        options = replace(self._options, profile=burst, folder=path, prepared=False, goals=Goals())
        log = RunLog(options, workers=self._log.manifest.workers)
        log.take_over(step_manifest(self._log.manifest, log.manifest))
        self._run(log, options)
        if self._is_cut():
            return None
        found = self._find(log.path)
        self._note(
            replace(
                step,
                judged=True,
                valid=found.valid,
                ceiling=found.ceiling,
                peak=found.peak,
                answered=found.answered,
            )
        )
        # What the report of the whole says of the load and of the target is the decisive step's: so far, this one's.
        done = log.manifest
        self._log.update(
            fired_s=done.fired_s,
            cut_s=done.cut_s,
            limits=done.limits,
            agent=done.agent,
            agent_notes=done.agent_notes,
            commands=done.commands,
        )
        return found

    def _note(self, step: SearchStep) -> None:
        """Lists a step in the search's manifest, or what has become of it."""
        others = tuple(known for known in self._log.manifest.steps if known.folder != step.folder)
        self._log.update(steps=(*others, step))


def _reason_to_stop(found: Found, requests: int, *, is_last: bool) -> str:
    """Why no larger burst is needed; empty where one is."""
    if not found.valid:
        return "this burst is not valid, and a larger one would not be, either"
    if found.ceiling is not None:
        return f"the ceiling is proven: {found.ceiling:,} at once"
    lost = requests - found.answered  # failed, or still waiting when the burst was over
    if lost > LOST_SHARE * requests:
        return f"{lost:,} of {requests:,} were not answered: this is as much as the server takes"
    return "this was the largest burst" if is_last else ""
