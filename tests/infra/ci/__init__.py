"""What other people's CI is given: read by their linters, and run by their programs."""
