"""What a campaign tells its view, here or on a cluster: phases, warnings, what a server is like alone. It asks none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from floodmark.campaign.plan import RunPlan
from floodmark.campaign.probe import measured_hold, prove_long_enough
from floodmark.core.address import Address
from floodmark.core.run_folder import HoldProbe, Manifest
from floodmark.report.live.run import LiveState


class View(Protocol):
    """Who watches a run while it goes on."""

    def update(self, state: LiveState) -> None:
        """Shows the newest state."""

    def warn(self, words: str) -> None:
        """Says something that stays to be read."""


class Teller:
    """All phases on one clock: seconds since the command began."""

    def __init__(self, view: View, clock: Callable[[], float]) -> None:
        """The command begins now."""
        self._view = view
        self._clock = clock
        self._began_s = clock()

    def say(self, words: str) -> None:
        """What goes on now."""
        self.show(LiveState(phase=words))

    def show(self, state: LiveState) -> None:
        """The newest state."""
        self._view.update(replace(state, elapsed_s=self._clock() - self._began_s))

    def warn(self, words: str) -> None:
        """A line that stays."""
        self._view.warn(f"floodmark: warning: {words}")

    def asking(self, plan: RunPlan) -> None:
        """Requests are sent one by one now."""
        self.say("measuring the hold, one request at a time" if plan.measures_hold else "asking it alone")

    def learned(self, plan: RunPlan, manifest: Manifest, found: HoldProbe, address: Address) -> Manifest:
        """The manifest with what the server is like alone, where that had to be measured with its hold.

        Raises `TargetError` for one that is too quick to see where requests wait.
        """
        if wrong := found.unexpected:
            self.warn(
                f"asked alone, {len(wrong)} of {len(wrong) + len(found.took_s)} requests were not answered as expected:"
                f" {'; '.join(dict.fromkeys(wrong))}"
            )
        manifest = replace(manifest, probe=found)
        if not plan.measures_hold:
            return manifest
        prove_long_enough(address, measured_hold(found))
        hold_s = round(measured_hold(found), 4)
        self.say(f"the hold is {hold_s:.3g} s, measured in {len(found.took_s)} requests")
        return replace(manifest, profile=plan.profile(hold_s))
