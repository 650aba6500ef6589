"""Runs of two or more settings, side by side: verdicts in, a `CompareDocument` out. Pure."""
