"""Runs side by side, of one setting or of several: verdicts in, a `CompareDocument` out. Pure."""
