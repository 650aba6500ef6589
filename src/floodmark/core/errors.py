"""The one error tree. It holds no behaviour: who prints an error and exits with its code is ``floodmark.cli.main``."""


class FloodmarkError(Exception):
    """Something a user can mend: one line that names the value, the place and the remedy.

    Anything that is not a `FloodmarkError` is a bug and keeps its traceback.
    """

    exit_code = 1


class UsageError(FloodmarkError):
    """The words on the command line do not fit: an unknown target, a zero where a count is needed."""

    exit_code = 2


class PlanError(UsageError):
    """A file from outside (target.toml, a plan, a message) says something that cannot be meant."""


class ThresholdError(UsageError):
    """What a run is to meet cannot be read: it is no threshold, or its metric is none."""


class LimitError(FloodmarkError):
    """This machine cannot carry the plan: too few files, ports or processes. Found before any load is sent."""


class TargetError(FloodmarkError):
    """The server under test did not do its part: its port is taken, it died, it never became ready."""


class MissingRuntimeError(TargetError):
    """The target needs something that is not installed here."""


class ClusterError(FloodmarkError):
    """Master, worker or agent did not do its part: it died, it never answered, it answered nonsense."""


class LabError(FloodmarkError):
    """The lab on this machine cannot be made, or something of it cannot be taken away."""


class RunFolderError(FloodmarkError):
    """A run folder is missing, of another format, or not readable."""


class FolderInUseError(RunFolderError):
    """Another process writes into the folder."""


class WireError(FloodmarkError):
    """A message from the bus, or an answer from the kernel, is not what its format says."""


class InvalidRunError(FloodmarkError):
    """The run was measured to its end, and a check says that it must not be believed."""

    exit_code = 3


class MissedThresholdError(FloodmarkError):
    """The run counts, and missed what it was to meet."""

    exit_code = 99


class InterruptedRunError(FloodmarkError):
    """The user ended the run. What had been measured is in the run folder."""

    exit_code = 130
