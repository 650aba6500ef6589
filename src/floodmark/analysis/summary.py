"""A profile as the verdict repeats it. Nothing is judged here."""

import dataclasses

from floodmark.analysis.document import ProfileSummary
from floodmark.core.profile import Profile, SearchProfile


def summary_of(profile: Profile) -> ProfileSummary:
    """The profile's own fields; of a search, `requests` is its largest burst."""
    fields = {field.name for field in dataclasses.fields(ProfileSummary)}
    values = {name: getattr(profile, name) for name in fields if hasattr(profile, name)}
    if isinstance(profile, SearchProfile):
        values["requests"] = profile.most
    return ProfileSummary(**values)
