"""The pictures of a run: a verdict in, a sheet out. All have one look, and the six places one colour each."""
