"""What is seen in the terminal while a run goes on."""
