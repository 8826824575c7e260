"""The end of validity, compared with what the library cryptography reads from the same certificates."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.certificate import CertificateError, not_after

UTC = datetime.timezone.utc


def certificate(expires: datetime.datetime, name: str = "system:node:w1") -> str:
    """A self-signed certificate with its key before it, as kubelet-client-current.pem has them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(1990, 1, 1, tzinfo=UTC))
        .not_valid_after(expires)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + made.public_bytes(serialization.Encoding.PEM)).decode()


@pytest.mark.parametrize(
    "expires",
    [
        datetime.datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime.datetime(2026, 11, 21, 4, 30, 1, tzinfo=UTC),
        datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime.datetime(2050, 1, 1, tzinfo=UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_end_of_validity(expires: datetime.datetime) -> None:
    """Both forms of time that certificates use, on both sides of 2050."""
    assert not_after(certificate(expires)) == expires


def test_long_names() -> None:
    """Lengths of more than one byte are skipped rightly."""
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert not_after(certificate(expires, "x" * 60)) == expires


def test_no_certificate_and_damaged_ones() -> None:
    """Every prefix of a certificate is refused, never misread."""
    with pytest.raises(CertificateError, match="no PEM certificate"):
        not_after("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    with pytest.raises(CertificateError, match="damaged"):
        not_after("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----")
    whole = certificate(datetime.datetime(2030, 1, 1, tzinfo=UTC))
    head, body = whole.split("-----BEGIN CERTIFICATE-----")
    text = "".join(body.split("-----END")[0].split())
    for length in range(0, 200, 4):
        with pytest.raises(CertificateError):
            not_after(f"-----BEGIN CERTIFICATE-----\n{text[:length]}\n-----END CERTIFICATE-----")
    assert head.startswith("-----BEGIN PRIVATE KEY-----")
