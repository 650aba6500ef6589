"""A lab: several hosts on one machine, brought up, looked at and taken away. How each thing is made is elsewhere."""

import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path

from floodmark.core.errors import LabError
from floodmark_deploy.lab_boot import answers, boot, hang_up, last_words
from floodmark_deploy.lab_files import write_files
from floodmark_deploy.lab_ledger import FILE_NAME, Ledger
from floodmark_deploy.lab_locks import folder_lock, name_lock
from floodmark_deploy.lab_needs import prove_lab_can_be
from floodmark_deploy.lab_network import free_network, make_bridge, make_cable
from floodmark_deploy.lab_plan import DEFAULT_FOLDER, DEFAULT_NAME, LabHost, LabPlan
from floodmark_deploy.lab_things import NAMESPACES, Kind, Thing, inhabitants, is_there, left_on_the_machine, take_away
from floodmark_deploy.lab_tree import make_tree, trees_folder

PLAN_FILE = "plan.json"

BOOT_TIMEOUT_S = 120.0
"""A host is there within 2 to 10 seconds; many at once on a busy machine take longer."""

BOOT_PAUSE_S = 0.2


class HostState(StrEnum):
    """What the machine says of a host; never what a file says."""

    READY = "ready"
    SILENT = "silent"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """`SILENT`: something of it runs, and one cannot log in."""

    host: LabHost
    state: HostState


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """`plan` None: the folder knows of no lab. `things` are on the machine, whatever the folder says."""

    name: str
    plan: LabPlan | None
    hosts: tuple[HostStatus, ...]
    things: tuple[Thing, ...]

    @property
    def whole(self) -> bool:
        """True where every host lets one log in."""
        return bool(self.hosts) and all(status.state is HostState.READY for status in self.hosts)

    @property
    def nothing(self) -> bool:
        """True where nothing of it is left."""
        return self.plan is None and not self.things


class Lab:
    """The lab called `name`, kept in `folder`. Everything needs root. `say` is told what takes time."""

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        folder: Path = DEFAULT_FOLDER,
        *,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Looks at nothing yet. Raises `UsageError` for a name that cannot be one."""
        self._folder = folder.absolute()
        self._empty = LabPlan(name=name, folder=self._folder)
        self._say = say
        self._clock = clock
        self._sleep = sleep

    def up(self, wanted: LabPlan, network: IPv4Network | None = None) -> LabPlan:
        """The lab as it runs. `network` None: a free one is taken, and `wanted.network` does not count.

        Nothing is done where it runs already as wanted. What a killed `up` has left is taken away first; when this one
        fails, or is interrupted, nothing of it is left. Raises `LabError`.
        """
        prove_lab_can_be()
        with self._alone():
            if running := self._running(wanted, network):
                return running
            try:
                return self._make(dataclasses.replace(wanted, folder=self._folder), network)
            except BaseException:
                self._take_down()
                raise

    def down(self, *, trees: bool = False) -> tuple[Thing, ...]:
        """Takes everything away, and returns what there was; harmless when repeated. Raises `LabError`.

        With `trees` also what is kept for the next lab.
        """
        prove_lab_can_be()
        with self._alone():
            things = self._take_down()
            return things + (self._remove_trees() if trees else ())

    def status(self) -> LabStatus:
        """What is there, as the machine says. Changes nothing."""
        prove_lab_can_be()
        plan = self._read_plan()
        hosts = plan.hosts if plan else ()
        states = tuple(HostStatus(host=host, state=self._state(plan, host)) for host in hosts if plan)
        return LabStatus(name=self._empty.name, plan=plan, hosts=states, things=self._things())

    def _running(self, wanted: LabPlan, network: IPv4Network | None) -> LabPlan | None:
        """The plan of the lab that runs as wanted; None where there is room for one."""
        status = self.status()
        if status.plan is None and any(thing.kind is not Kind.FOLDER for thing in status.things):
            raise LabError(
                f"a lab called {status.name!r} is on this machine, and {self._folder} knows nothing of it:"
                f" floodmark lab down --name {status.name}, or up with another --name"
            )
        if not status.whole or status.plan is None:
            if not status.nothing:
                self._say("taking away what is left of an earlier lab")
                self._take_down()
            return None
        same = dataclasses.replace(wanted, folder=self._folder, network=network or status.plan.network)
        if same != status.plan:
            raise LabError(
                f"the lab {status.name!r} runs with {_size(status.plan)}, not {_size(same)}: floodmark lab down first"
            )
        return status.plan

    def _make(self, wanted: LabPlan, network: IPv4Network | None) -> LabPlan:
        """What all labs share is made with the folder's lock; the hosts then boot without it."""
        wanted.home.mkdir(parents=True, mode=0o700)
        ledger = Ledger(path=wanted.home / FILE_NAME)
        ledger.note(Thing(kind=Kind.FOLDER, name=str(wanted.home)))
        with self._all_labs_alone():
            tree = make_tree(wanted, self._say)
            plan = dataclasses.replace(wanted, network=network or free_network())
            make_bridge(plan, ledger)  # with its address: the network is taken now
        write_files(plan)
        _write_plan(plan)
        self._say(f"starting {len(plan.hosts)} hosts on {plan.network}")
        for host in plan.hosts:
            make_cable(plan, host, ledger)
            boot(plan, host, tree, ledger)
        self._wait(plan)
        return plan

    def _wait(self, plan: LabPlan) -> None:
        deadline_s = self._clock() + BOOT_TIMEOUT_S
        waiting = list(plan.hosts)
        while waiting := [host for host in waiting if not answers(plan, host)]:
            for host in waiting:
                if self._clock() > deadline_s or not is_there(Thing(kind=Kind.PROCESSES, name=plan.name)):
                    raise LabError(
                        f"{host.name}: nobody can log in within {BOOT_TIMEOUT_S:g} s; its last lines:"
                        f"{last_words(plan, host)}"
                    )
            self._sleep(BOOT_PAUSE_S)

    def _state(self, plan: LabPlan, host: LabHost) -> HostState:
        if not inhabitants(NAMESPACES / plan.namespace(host)):
            return HostState.GONE
        return HostState.READY if answers(plan, host) else HostState.SILENT

    def _things(self) -> tuple[Thing, ...]:
        """What the ledger names and what is marked, as far as it is there; each once, in the order of `Kind`."""
        lab = self._empty
        marked = left_on_the_machine(lab.name, lab.namespace_prefix, lab.bridge, lab.cgroup)
        home = Thing(kind=Kind.FOLDER, name=str(lab.home))
        noted = Ledger(path=lab.home / FILE_NAME).things()
        found = [thing for thing in dict.fromkeys((*noted, *marked, home)) if is_there(thing)]
        return tuple(sorted(found, key=lambda thing: list(Kind).index(thing.kind)))

    def _half_made_trees(self) -> tuple[Thing, ...]:
        """No lab's own: that of a killed `up`, or of one at work. A debootstrap carries its tree's path as its mark."""
        trees = sorted(trees_folder(self._folder).glob("*.partial"))
        found = (Thing(kind=kind, name=str(path)) for path in trees for kind in (Kind.PROCESSES, Kind.FOLDER))
        return tuple(thing for thing in found if is_there(thing))

    def _take_down(self) -> tuple[Thing, ...]:
        hang_up(self._empty)
        things = self._things()
        for thing in things:
            take_away(thing)
        if left := self._things():
            raise LabError(f"not taken away: {', '.join(map(str, left))}: run floodmark lab down again")
        return things + self._take_half_made_trees()

    def _take_half_made_trees(self) -> tuple[Thing, ...]:
        """Those that nobody is at any more: who makes one has the folder's lock."""
        if not self._half_made_trees():
            return ()
        with self._all_labs_alone():
            things = self._half_made_trees()
            for thing in things:
                take_away(thing)
        return things

    def _remove_trees(self) -> tuple[Thing, ...]:
        folder = Thing(kind=Kind.FOLDER, name=str(trees_folder(self._folder)))
        with self._all_labs_alone():
            for lab in self._folder.glob("labs/*"):
                raise LabError(
                    f"the trees are kept: the lab {lab.name!r} stands on them: floodmark lab down --name {lab.name}"
                )
            if not is_there(folder):
                return ()
            take_away(folder)
        return (folder,)

    def _read_plan(self) -> LabPlan | None:
        path = self._empty.home / PLAN_FILE
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            network = IPv4Network(plain.pop("network"))
            return LabPlan(**plain, folder=self._folder, network=network)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"{path}: cannot be read ({error}): floodmark lab down") from None

    def _alone(self) -> AbstractContextManager[None]:
        """One command at a time for a lab; others may be brought up and taken away meanwhile."""
        return name_lock(self._folder, self._empty.name, self._clock, self._sleep)

    def _all_labs_alone(self) -> AbstractContextManager[None]:
        """For what all labs of a folder share: the trees, and the choice of a network."""
        return folder_lock(self._folder, self._clock, self._sleep)


def _write_plan(plan: LabPlan) -> None:
    """Beside, then renamed: it is whole or not there."""
    plain = {
        "name": plan.name,
        "workers": plan.workers,
        "targets": plan.targets,
        "network": str(plan.network),
        "suite": plan.suite,
        "mirror": plan.mirror,
    }
    beside = plan.home / f"{PLAN_FILE}.new"
    beside.write_text(json.dumps(plain) + "\n", encoding="utf-8")
    beside.rename(plan.home / PLAN_FILE)


def _size(plan: LabPlan) -> str:
    return f"{plan.workers} workers and {plan.targets} targets on {plan.network} ({plan.suite})"
