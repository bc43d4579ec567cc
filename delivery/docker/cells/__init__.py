"""Test cells on a Docker host, and suites against a running environment."""
