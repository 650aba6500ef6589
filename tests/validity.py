"""Which checks a run failed, and which of them say nothing of what is right: for all tests that read a verdict."""

from typing import Any

OF_SPEED = {"released on time", "generator not overloaded", "agent's samples complete"}
"""Checks that say how busy this machine was; what is right does not depend on that."""


def failed_checks(found: dict[str, Any]) -> set[str]:
    """Names of a verdict's checks that were not passed."""
    return {check["name"] for check in found["validity"]["checks"] if check["ok"] is False}
