"""What tests of builds share."""

import pytest

from delivery.docker.images import certificates
from tests.support.authority import Authority


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """A machine with an authority of its own, and nothing else of its own."""
    monkeypatch.setattr(certificates, "ANCHORS", (tmp_path / "anchors",))
    for variable in certificates.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "anchors").mkdir()
    pem = Authority().pem
    (tmp_path / "anchors" / "company.crt").write_bytes(pem)
    return pem
