"""What the Prefect server keeps: credentials, environments, stores, registries."""
