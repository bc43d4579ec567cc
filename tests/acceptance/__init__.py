"""Long tests that `make test` leaves out."""
