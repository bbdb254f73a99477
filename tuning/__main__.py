"""`python -m tuning` is the command line where the program `antisample` is not on the path."""

from tuning.cli import main

main()
