"""The platform of one machine: Docker, registry, Prefect server and worker."""
