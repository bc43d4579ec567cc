"""What is carried through the environments, and what is asked of a run that carries it."""
