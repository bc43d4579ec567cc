"""`headway.yaml` as values: reading it, checking it, and what its parts mean."""
