"""A verdict as pictures and text: run folder in, files out."""
