"""Which keys this process' end of the bus has, and where a bus without keys may listen. It opens no socket.

Locust makes its sockets in its runners' constructors, of host and port alone: what the command line says is noted here
as soon as it is read.
"""

import logging
import os
from pathlib import Path
from typing import Any

from floodmark.core.bus_keys import KEYS_VARIABLE, WORKER, MasterKeys, NodeKeys, read_master_keys, read_node_keys
from floodmark.core.errors import UsageError
from floodmark.core.loopback import is_loopback

logger = logging.getLogger(__name__)

PLAIN_VARIABLE = "FLOODMARK_PLAIN_BUS"
EVERYWHERE = "*"
"""Locust's default for --master-bind-host."""
LOOPBACK = "127.0.0.1"
REMEDY = "give master, workers and agents keys (`floodmark keys FOLDER` makes them)"


class BusSettings:
    """Keys and permission, from the command line or else from the environment."""

    def __init__(self) -> None:
        self._place = os.environ.get(KEYS_VARIABLE, "")
        self._plain = os.environ.get(PLAIN_VARIABLE, "")

    def take_keys(self, place: str) -> str:
        """Notes ``--floodmark-keys`` and hands it back: the type of that option."""
        self._place = place
        return place

    def take_plain(self, answer: str) -> str:
        """Notes ``--floodmark-plain-bus``, likewise."""
        self._plain = answer
        return answer

    def master_keys(self) -> MasterKeys | None:
        """None: a plain bus. Raises `UsageError`."""
        return read_master_keys(Path(self._place)) if self._place else None

    def worker_keys(self) -> NodeKeys | None:
        """None: a plain bus. Raises `UsageError`."""
        return read_node_keys(Path(self._place), WORKER) if self._place else None

    def warn_of_plain(self, master: str) -> None:
        """Says what it means that this worker goes to a master on another host without keys."""
        if not (self._place or is_loopback(master)):
            logger.warning(
                "The way to the master at %s has no keys: whoever is on it can read along and order it about; %s",
                master,
                REMEDY,
            )

    def host_to_bind(self, host: str, *, has_keys: bool) -> str:
        """Where the master listens. Without keys, everywhere becomes loopback, unless a plain bus is asked for.

        Raises `UsageError` for any other address that is no loopback's.
        """
        answer = self._plain.strip().lower() or "no"
        if answer not in ("yes", "no"):
            raise UsageError(f"--floodmark-plain-bus {self._plain!r}: give yes or no")
        if has_keys or is_loopback(host):
            return host
        if answer == "yes":
            where = "every interface" if host == EVERYWHERE else host
            logger.warning(
                "The bus listens on %s, with neither login nor encryption: whoever reaches it can read and steer this"
                " run; %s",
                where,
                REMEDY,
            )
            return host
        if host == EVERYWHERE:
            logger.info(
                "The bus has no keys, so it listens on %s only: for other hosts, %s, or allow it with"
                " --floodmark-plain-bus yes",
                LOOPBACK,
                REMEDY,
            )
            return LOOPBACK
        raise UsageError(
            f"--master-bind-host {host}: a bus without keys is for loopback; {REMEDY}, or allow it with"
            " --floodmark-plain-bus yes"
        )


def add_bus_options(parser: Any, settings: BusSettings) -> None:
    """Adds the two options to Locust's parser, for masters and workers alike; neither is in the start form."""
    group = parser.add_argument_group("Floodmark bus", "who may join, and whether anyone else can read along")
    actions = (
        group.add_argument(
            "--floodmark-keys",
            env_var=KEYS_VARIABLE,
            type=settings.take_keys,
            default="",
            help="A folder of keys, or this node's file of it: see `floodmark keys`",
        ),
        group.add_argument(
            "--floodmark-plain-bus",
            env_var=PLAIN_VARIABLE,
            type=settings.take_plain,
            default="no",
            help="yes: a master without keys may listen beyond loopback",
        ),
    )
    for action in actions:
        # What Locust's own parser.add_argument notes on an action; an argument group does not pass through it.
        action.include_in_web_ui = False
        action.is_secret = action.is_required = action.is_multiple = False


SETTINGS = BusSettings()
"""The process'."""
