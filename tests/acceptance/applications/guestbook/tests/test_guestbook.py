import pytest
from app import create_app


@pytest.fixture
def client():
    return create_app().test_client()


def test_what_is_written_is_read(client):
    assert client.post("/", json={"text": "first"}).status_code == 201
    assert "first" in client.get("/").get_json()["entries"]


def test_the_database_is_there(client):
    assert client.get("/healthz").status_code == 200
