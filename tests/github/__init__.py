"""GitHub, as the one that tests/support/github.py is."""
