"""The platform as the command line uses it: found, brought up, and spoken to."""

import logging
import os

from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator


def orchestrator() -> Orchestrator:
    """Return the platform's Prefect, with this process's environment set so that Prefect's client uses it.

    What the user has set of Prefect's own variables stays as it is. Must be called before Prefect is imported.
    """
    found = Orchestrator(Home.current())
    os.environ.update(found.environment())
    # At the end of a command it warns that it still sends what it is about to send.
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)
    return found


def reached() -> Orchestrator:
    """Return the platform's Prefect as a machine sees it on which nothing of the platform runs.

    There PREFECT_API_URL names the server. Misconfigured when it cannot be used, or there is none.
    """
    found = orchestrator()
    if found.elsewhere:
        found.elsewhere.check()
        return found
    return running()


def running() -> Orchestrator:
    """Return the platform's Prefect; Misconfigured when it is not up, or its server elsewhere cannot be used."""
    found = orchestrator()
    found.check()
    if not found.answers():
        raise Misconfigured("the platform", "it is not up", next_step="headway up")
    return found
