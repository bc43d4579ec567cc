"""A certificate that users cannot be shown is told before anything is built, one that ends soon beforehand."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from delivery.errors import Misconfigured
from delivery.ports.tls import read_certificate, without_certificate
from tests.support.authority import self_signed

WHERE = "headway.yaml: environments.production.target.tls[0]"
SHOP, OTHER = self_signed("shop.example.com", "*.shop.example.com"), self_signed("other.example.com")


def halves(pem):
    certificate, mark, key = pem.partition("-----BEGIN PRIVATE KEY")
    return certificate, mark + key


def read(pem):
    return read_certificate(WHERE, pem, datetime.now(UTC))


def locked(pem):
    key = load_pem_private_key(halves(pem)[1].encode(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary"))
    return halves(pem)[0] + sealed.decode()


def test_a_certificate_with_its_key_is_taken_in_whatever_order_its_file_has():
    certificate, key = halves(SHOP)
    authority = halves(OTHER)[0]

    found = [read(certificate + key), read(key + certificate), read(authority + key + certificate)]

    assert [one.names for one in found] == [("shop.example.com", "*.shop.example.com")] * 3
    assert [one.pem.get_secret_value().startswith(certificate) for one in found] == [True] * 3
    assert found[0].file == found[1].file != found[2].file


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        ("", "holds no certificate that can be read; allowed: PEM"),
        (halves(SHOP)[0], "holds no private key that can be read"),
        (halves(SHOP)[0] + halves(OTHER)[1], "the private key is not that of the certificate for shop.example.com"),
        (self_signed("old.org", lives=timedelta(days=-2), since=timedelta(days=9)), "certificate for old.org ended at"),
        (self_signed("new.org", since=timedelta(days=-2)), "the certificate for new.org begins at"),
        (locked(SHOP), "the private key has a password"),
    ],
    ids=["empty", "no key", "another's key", "expired", "not yet", "locked"],
)
def test_a_certificate_that_cannot_be_shown_is_told_with_its_key(pem, said):
    with pytest.raises(Misconfigured) as refusal:
        read(pem)

    assert str(refusal.value).startswith(WHERE)
    assert said in str(refusal.value)
    assert "PRIVATE KEY" not in str(refusal.value)


def test_a_certificate_that_ends_soon_is_warned_of():
    soon, later = read(self_signed("shop.org", lives=timedelta(days=13))), read(SHOP)

    assert soon.warning(datetime.now(UTC)).startswith(f"{WHERE}: the certificate for shop.org ends at 2")
    assert later.warning(datetime.now(UTC)) == ""


def test_a_host_without_a_certificate_is_told():
    hosts = ["shop.example.com", "api.shop.example.com", "a.b.shop.example.com", "other.example.com"]

    assert without_certificate(hosts, [read(SHOP)]) == ["a.b.shop.example.com", "other.example.com"]


def test_a_private_key_is_never_shown():
    assert halves(SHOP)[1].splitlines()[1] not in repr(read(SHOP))
