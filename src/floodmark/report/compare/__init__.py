"""A comparison as text, page and picture. What changed is `floodmark.analysis.compare.runs`'s to say."""
