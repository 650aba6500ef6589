"""What is seen of a load while it is on: curves, trees, statistics, thresholds so far. It judges nothing for good."""
