import os
import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest


@pytest.fixture(scope="session")
def api() -> Iterator[httpx.Client]:
    with httpx.Client(base_url=os.environ["BASE_URL"], timeout=10) as client:
        yield client


@pytest.fixture
def word() -> str:
    """A word that no other test uses."""
    return uuid.uuid4().hex


@pytest.fixture
def add(api: httpx.Client) -> Iterator[Callable[..., dict]]:
    """Adds tasks that are gone after the test."""
    added = []

    def add_task(title: str, **fields: object) -> dict:
        answer = api.post("/api/tasks", json={"title": title, **fields})
        assert answer.status_code == 201, answer.text
        added.append(answer.json()["id"])
        return answer.json()

    yield add_task
    for task_id in added:
        api.delete(f"/api/tasks/{task_id}")
