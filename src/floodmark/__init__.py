"""Floodmark: how many requests a web server handles at once, where the others wait, and how it fails."""

__version__ = "0.1.0"
