"""From what the Docker SDK raises to Headway's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from docker.errors import APIError, DockerException

from delivery.docker.engine.client import engine_gone
from delivery.docker.engine.disk import refused
from delivery.errors import Rejected


@contextmanager
def reported(doing: str) -> Iterator[None]:
    """Raise Transient when the engine stops answering inside, and Rejected, naming what was done, when it refuses."""
    try:
        yield
    except APIError as error:
        raise refused(doing, str(error.explanation or error)) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise engine_gone(error) from error
    except DockerException as error:
        raise Rejected(f"{doing}: {error}") from error
