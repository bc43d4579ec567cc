"""Dockerfiles as text: what they say, and the same starting from other images; nothing is built here."""
