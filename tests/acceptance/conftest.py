"""Long tests: `make acceptance` runs them, `make test` does not."""

collect_ignore = ["applications"]  # they are delivered, and bring tests of their own
