"""A suite's rows as a live view, as tables and as one page. They are judged in `floodmark.analysis`."""
