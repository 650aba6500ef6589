"""The command line, a file for each family of commands. It joins the rooms; it measures and decides nothing itself."""
