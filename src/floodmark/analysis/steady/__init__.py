"""What a closed loop's or an arrival rate's recording means: seconds instead of single hits. Pure."""
