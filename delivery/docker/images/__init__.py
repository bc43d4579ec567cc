"""Images on a Docker engine: had from elsewhere, built, scanned, pushed."""
