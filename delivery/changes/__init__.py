"""One change of an environment at a time, which survives the death of whoever carries it."""
