"""The connection to a Docker engine, and what every use of it needs."""
