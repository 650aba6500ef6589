"""A load in half a sentence, for the web UI. Words only."""

from floodmark.core.profile import ArrivalsProfile, BurstProfile, ClosedProfile, Profile


def plan_words(profile: Profile) -> str:
    """A load in half a sentence."""
    if isinstance(profile, BurstProfile):
        over = f"over {profile.within_s:g} s" if profile.within_s else "at one instant"
        return f"{profile.requests:,} requests {over}, each held {profile.hold_s:g} s"
    if isinstance(profile, ClosedProfile):
        return f"{profile.connections:,} connections for {profile.duration_s:g} s, each in a closed loop"
    if isinstance(profile, ArrivalsProfile):
        return f"{profile.rate:,g} requests per second for {profile.duration_s:g} s"
    return f"bursts from {profile.first:,} up to {profile.most:,} requests, each held {profile.hold_s:g} s"
