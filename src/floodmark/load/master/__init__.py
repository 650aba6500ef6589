"""The master's side of a run: agents, clocks, workers and the run folder. It sends no request."""
