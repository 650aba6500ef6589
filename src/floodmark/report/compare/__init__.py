"""A comparison as text and as a page. What changed is `floodmark.analysis.compare.runs`'s to say."""
