"""`python -m floodmark`, where the script of that name is not on PATH."""

from floodmark.cli.main import main

main()
