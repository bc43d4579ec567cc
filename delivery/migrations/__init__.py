"""Tools that bring a schema up to date: what each is started with, and what its output means."""
