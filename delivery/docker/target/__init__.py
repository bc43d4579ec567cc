"""The Docker host as a target: router, slots, instances, and what outlives a release."""
