"""Certificates: who they name, who signed them, and what a kubeconfig holds."""

from __future__ import annotations

import base64
import ipaddress
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from testbed.pki import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return a new authority."""
    return Authority.create(tmp_path / "pki")


def test_certificate_names_subject_and_addresses(authority: Authority) -> None:
    """Organizations become groups; names and addresses are what a client checks."""
    issued = authority.issue("x", "system:node:h1", ("system:nodes",), ("localhost",), ("127.0.0.1", "fd00::1"))
    certificate = x509.load_pem_x509_certificate(issued.cert.read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=system:node:h1,O=system:nodes"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("fd00::1"),
    ]
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.cert.read_bytes()))


def test_keys_are_for_their_owner_only(authority: Authority) -> None:
    """Nobody else on the machine may read them."""
    keys = [authority.issue("x", "x").key, authority.key, authority.directory / "sa.key"]
    assert {oct(key.stat().st_mode & 0o777) for key in keys} == {"0o600"}


def test_reopened_authority_signs_the_same(authority: Authority) -> None:
    """An attaching process can issue further certificates."""
    issued = Authority(authority.directory).issue("x", "x")
    certificate = x509.load_pem_x509_certificate(issued.cert.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.cert.read_bytes()))


def test_kubeconfig_embeds_its_credentials(authority: Authority, tmp_path: Path) -> None:
    """It works from anywhere, and is for its owner only."""
    issued = authority.issue("x", "x")
    path = authority.kubeconfig(tmp_path / "x.conf", "https://127.0.0.1:1", issued)
    content = json.loads(path.read_text(encoding="utf-8"))
    user = content["users"][0]["user"]
    assert base64.b64decode(user["client-certificate-data"]) == issued.cert.read_bytes()
    assert content["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert path.stat().st_mode & 0o777 == 0o600
