"""What acts for the local AWS: threads that make real what its records say, and tell the records what came of it."""
