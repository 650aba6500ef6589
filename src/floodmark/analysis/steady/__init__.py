"""What a recording of a closed loop or of an arrival rate means: its seconds, and a sample of its hits. Pure."""
