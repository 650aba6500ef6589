"""What the agent may spend of one core, and when a beat and a dump of all connections are worth it. It reads nothing.

Of the budget, 70 % are earned as time goes by; the rest is in hand, half a minute's worth of it, all there at first. So
no time of half a minute or more sees more spent than its budget, the idle loop included: what counts is the CPU time of
the whole process. What its start took is paid back, too, a tenth of what is earned at a time.

A dump may begin when the time since the one
before, times what is in hand, comes to its cost times 3 s while the target is at work, times 50 s while nothing about
it changes. What is saved in quiet times is thus there when a load is released.

A beat may begin when the same comes to its own cost times 3 s. Both thus draw on what is in hand in proportion to it,
whatever they cost: where both are dear and the target is at work, half of what is earned goes to dumps and half to
beats, and both come evenly, the more seldom the less there is. Neither starves the other.
"""

from collections.abc import Callable

WINDOW_S = 30.0
"""The budget holds over any time as long as this, or longer: a shorter run is over before it matters."""
EARNED_SHARE = 0.7
"""Of the budget; the rest is kept in hand, for a whole window."""
START_SHARE = 0.1
"""Of what is earned: so much of it pays back what the agent's own start took, until that is paid. A larger part would
leave too little for dumps on a host that is so busy that all of it takes twice its time."""
ACTIVE_S, QUIET_S = 3.0, 50.0
"""How long what is in hand would last at the pace of the moment, the target at work or quiet."""
BEAT_S = 3.0
"""The same for beats: with usual ones (0.4 ms) each of the grid is had until there are 24 ms in hand."""
BEATS_PART = ACTIVE_S / (ACTIVE_S + BEAT_S)
"""Of what is earned, for beats; the rest is for dumps."""
PLENTY_SHARE, PLENTY_EVERY_S = 0.25, 0.5
"""With this much of what can be in hand, a quiet target is counted this often too: requests that are held for some
seconds change nothing that is cheap to see, and are what the load is about."""
RESTED_COUNTS = 20
"""An agent has rested when what is in hand does for so many counts as dear as the dearest of its watches since
it had rested last: a load like that one is then counted some times in each of its holds."""
RESTED_SHARE = 0.9
"""Of what can be in hand: more is not waited for, since the last of it is never quite there."""
IDLE_KNOWN_S = 0.9
"""After so much rest it is known what the idle loop takes: the second hello, a second after the first, goes by it."""
AWAKE_S = 2.0
"""How long a target counts as at work after the last change: a tick of its CPU time is 10 ms, a hold takes seconds."""
SIGN_OF_LIFE_S = 1.0
"""Beats are this far apart at the most, where they can be paid at all: one in debt still shows that it is there."""
_USUAL_BEAT_S = 0.0005
_NEWEST_WEIGHT, _MOST_TIMES = 0.2, 4.0
"""How much the newest beat counts among those before, and up to how many times their cost: one that was dear (a first
listing of threads, a look for new processes) is not to make a gap."""


class Budget:
    """CPU seconds in hand. `cpu_clock` is the CPU time of the process, all of its threads."""

    def __init__(
        self, share: float, *, clock: Callable[[], float], cpu_clock: Callable[[], float], spent_s: float = 0.0
    ) -> None:
        """`share` of one core: 0.02 is 2 %. `spent_s`: what the process has used by now; its start is paid for."""
        self.share = share
        self._clock = clock
        self.cpu_clock = cpu_clock
        self.earned_per_s = EARNED_SHARE * share
        self.most_s = (1 - EARNED_SHARE) * share * WINDOW_S
        self._saved_s = self.most_s
        self._dearest_s = 0.0
        self._rest_began: tuple[float, float] | None = None
        self._owed_s, self._paid_per_s = spent_s, START_SHARE * self.earned_per_s
        self._at_s, self._used_s = clock(), cpu_clock()

    def in_hand_s(self) -> float:
        """What may be spent; negative where more has been than was there."""
        now_s, used_s = self._clock(), self.cpu_clock()
        earned_s = self.earned_per_s * (now_s - self._at_s)
        paid_s = min(self._paid_per_s * (now_s - self._at_s), self._owed_s)
        self._owed_s -= paid_s
        # Debts are forgotten beyond a window's worth: they could not be paid back in time to matter.
        saved_s = max(self._saved_s + earned_s - paid_s - (used_s - self._used_s), -self.most_s)
        self._saved_s = min(saved_s, self.most_s)
        self._at_s, self._used_s = now_s, used_s
        return self._saved_s

    def begin_rest(self) -> None:
        """From now on nothing is sampled: what is used is the idle loop's."""
        self._rest_began = self._clock(), self.cpu_clock()

    def note_count(self, cost_s: float) -> None:
        """The connections have been counted once, for so much CPU time."""
        self._dearest_s = max(self._dearest_s, cost_s)

    def rest_s(self) -> float:
        """How long to rest until enough is in hand for a load like the last one; 0: there is, or never will be.

        Once there is, that load counts no more.
        """
        lacking_s = min(RESTED_COUNTS * self._dearest_s, RESTED_SHARE * self.most_s) - self.in_hand_s()
        if lacking_s <= 0:
            self._dearest_s = 0.0
            return 0.0
        left_per_s = self.earned_per_s - self._idle_per_s() - (self._paid_per_s if self._owed_s else 0.0)
        return lacking_s / left_per_s if left_per_s > 0 else 0.0

    def _idle_per_s(self) -> float:
        if self._rest_began is None:
            return 0.0
        began_s, used_s = self._rest_began
        rested_s = self._clock() - began_s
        return (self.cpu_clock() - used_s) / rested_s if rested_s >= IDLE_KNOWN_S else 0.0


class DumpPace:
    """When to have a beat of one target, and when to dump its connections with it. The first time both at once."""

    def __init__(self, budget: Budget, *, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._cost_s = self._beat_cost_s = 0.0
        self._dumped_s: float | None = None
        self._looked_s: float | None = None
        self._signature: object = None
        self._awake_until_s = clock()
        self._is_marked = False

    def beat_is_due(self) -> bool:
        """True where a beat of the grid is worth its cost now."""
        if self._looked_s is None or self._is_marked:
            return True
        since_s, cost_s = self._clock() - self._looked_s, self._beat_cost_s
        longest_s = max(SIGN_OF_LIFE_S, cost_s / (BEATS_PART * self._budget.earned_per_s))
        return since_s >= longest_s or since_s * self._budget.in_hand_s() >= cost_s * BEAT_S

    def note_beat(self, cost_s: float) -> None:
        """A beat has been had, for so much CPU time without a dump."""
        self._looked_s = self._clock()
        counted_s = min(cost_s, _MOST_TIMES * max(self._beat_cost_s, _USUAL_BEAT_S))
        self._beat_cost_s += _NEWEST_WEIGHT * (counted_s - self._beat_cost_s)

    def is_due(self, signature: object) -> bool:
        """True where a dump is worth its cost now. `signature` is what changes when the target does something."""
        now_s = self._clock()
        if signature != self._signature:
            self._signature = signature
            self._awake_until_s = now_s + AWAKE_S
        in_hand_s = self._budget.in_hand_s()
        if self._dumped_s is None or self._is_marked:
            return True
        since_s = now_s - self._dumped_s
        if since_s >= PLENTY_EVERY_S and in_hand_s >= PLENTY_SHARE * self._budget.most_s:
            return True
        lasts_s = ACTIVE_S if now_s <= self._awake_until_s else QUIET_S
        return since_s * in_hand_s >= self._cost_s * lasts_s

    def note(self, cost_s: float) -> None:
        """A dump has been made, for so much CPU time."""
        self._budget.note_count(cost_s)
        self._dumped_s, self._cost_s, self._is_marked = self._clock(), cost_s, False

    def mark(self) -> None:
        """Something begins now: the next dump is due at once, and the target counts as at work."""
        self._is_marked = True
        self._awake_until_s = self._clock() + AWAKE_S

    def cpu_s(self) -> float:
        """The CPU time that this process has used since its start."""
        return self._budget.cpu_clock()
