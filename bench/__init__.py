"""Measurements, run as modules from the repository's root (`python -m bench.delivery`): tables and JSON."""
