"""What every room may use: records, errors, the bus's words, clocks, the run folder. Standard library only."""
