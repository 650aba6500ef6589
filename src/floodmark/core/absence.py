"""A time in which nothing was heard of the agent, and how that is said. No I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """From when until when, on the master's clock. `until_s` None: it did not come back.

    `restarted`: another process came in its place, and what the one before had not sent is gone. `left`: it said
    goodbye, and has sent what it could. `rested`: it had given up waiting, and was told to watch again. `rebooted`: its
    host was started again in that time, and with the agent everything else there had ended.
    """

    agent: str
    from_s: float
    until_s: float | None = None
    restarted: bool = False
    left: bool = False
    rested: bool = False
    rebooted: bool = False

    def words(self, fired_s: float | None) -> str:
        """One sentence, with times as seconds after the release at `fired_s`."""
        since = _moment(self.from_s, fired_s)
        if self.rebooted:
            end = "on" if self.until_s is None else f"until {_moment(self.until_s, fired_s)}"
            return f"the host of agent {self.agent} was restarted: nothing was measured from {since} {end}"
        if self.until_s is None:
            return f"agent {self.agent} {'left' if self.left else 'was lost'} {since}, and did not come back"
        until = _moment(self.until_s, fired_s)
        if self.restarted:
            return f"agent {self.agent} was restarted: nothing was measured from {since} until {until}"
        if self.rested:
            gave_up = "gave up waiting meanwhile, and measured nothing from then on until it was back"
            return f"agent {self.agent} was not heard from {since} until {until}: it {gave_up}"
        return f"agent {self.agent} was not heard from {since} until {until}, went on measuring, and sent it later"


def _moment(at_s: float, fired_s: float | None) -> str:
    if fired_s is None:
        return "before the release"
    return f"{abs(at_s - fired_s):.1f} s {'after' if at_s >= fired_s else 'before'} the release"
