"""Certificates of a testbed: one authority, P-256 keys, a month of life."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = datetime.timedelta(days=30)


def _write_secret(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True)
class Certificate:
    """Paths of a certificate and of its key."""

    cert: Path
    key: Path


class Authority:
    """The cluster's certificate authority, kept in one folder."""

    def __init__(self, directory: Path) -> None:
        """Open the authority in `directory` (see `create`)."""
        self.directory = directory
        self.cert = directory / "ca.crt"
        self.key = directory / "ca.key"
        self._certificate = x509.load_pem_x509_certificate(self.cert.read_bytes())
        loaded = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded

    @classmethod
    def create(cls, directory: Path) -> Authority:
        """Make a new authority and the key pair that signs service account tokens (sa.key, sa.pub)."""
        directory.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "testbed-ca")])
        now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + _LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_secret(directory / "ca.key", _pem(key))
        (directory / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        account = ec.generate_private_key(ec.SECP256R1())
        _write_secret(directory / "sa.key", _pem(account))
        (directory / "sa.pub").write_bytes(
            account.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        return cls(directory)

    def issue(
        self,
        name: str,
        common_name: str,
        organizations: Sequence[str] = (),
        dns_names: Sequence[str] = (),
        ip_addresses: Sequence[str] = (),
    ) -> Certificate:
        """Issue a certificate for client and server use as NAME.crt and NAME.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in organizations]
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(attributes))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + _LIFE - datetime.timedelta(hours=1))
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        names: list[x509.GeneralName] = [x509.DNSName(text) for text in dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ip_addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        issued = Certificate(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        issued.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_secret(issued.key, _pem(key))
        return issued

    def kubeconfig(self, path: Path, server: str, certificate: Certificate) -> Path:
        """Write a kubeconfig with embedded credentials for `server` (a URL); returns `path`."""

        def encoded(source: Path) -> str:
            return base64.b64encode(source.read_bytes()).decode()

        cluster = {"server": server, "certificate-authority-data": encoded(self.cert)}
        user = {
            "client-certificate-data": encoded(certificate.cert),
            "client-key-data": encoded(certificate.key),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
            "current-context": "testbed",
        }
        # JSON is YAML: every kubeconfig reader takes it.
        _write_secret(path, json.dumps(content, indent=1).encode())
        return path
