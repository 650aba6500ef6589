"""What a recording means: records in, records out, no I/O and no clock."""
