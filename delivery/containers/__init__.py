"""Everything that speaks to a Docker engine, local or remote."""
