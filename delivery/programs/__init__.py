"""One file for each command-line program: how it is called and what its output means."""
