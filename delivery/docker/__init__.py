"""The Docker host as a place: everything that speaks to a Docker engine, local or remote."""

import docker

# Prefect puts a lazy stand-in for this package into place. Importing a submodule through it loads that submodule twice,
# and then no `except NotFound` matches any more; touching the package first makes the stand-in whole.
_client = docker.DockerClient
