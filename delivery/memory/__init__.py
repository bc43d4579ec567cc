"""A place in memory: it behaves as it is told, for tests of everything above it."""
