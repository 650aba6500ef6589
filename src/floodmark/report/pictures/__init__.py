"""The pictures of a run, and of several: a verdict in, a sheet out. All have one look and one colour for each place."""
