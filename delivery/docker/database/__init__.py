"""The database of an environment on a Docker host, and the proof of its backups."""
