"""Floodmark's agent: it reads the kernel of the target's host and says what it saw. It imports floodmark.core only."""
