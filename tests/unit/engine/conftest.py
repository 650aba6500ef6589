"""The fixtures of bursts are those of the steady loads."""

from test_engine_burst import clock, deaf, silent

__all__ = ["clock", "deaf", "silent"]
