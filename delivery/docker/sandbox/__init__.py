"""Containers, networks and volumes that live and die together."""
