# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The end of validity and the name of an X.509 certificate, read without a cryptography library.

Only what is needed of RFC 5280 is understood: Certificate -> TBSCertificate -> validity -> notAfter, and subject, in DER.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _INTEGER, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x02, 0xA0, 0x17, 0x18
_LONG_FORM = 0x80
_COMMON_NAME = bytes.fromhex("0603550403")  # the object identifier 2.5.4.3


class CertificateError(ValueError):
    """The text holds no certificate that can be read."""


def not_after(text: str) -> datetime.datetime:
    """When the first certificate in a PEM text expires (UTC); keys in the same text are ignored.

    Raises CertificateError when there is none.
    """
    body, position = _validity_of(text)
    try:
        validity = _content(body, position, _SEQUENCE)
        return _time(validity, _after(validity, 0))
    except (IndexError, UnicodeDecodeError) as error:
        raise CertificateError("its certificate is damaged") from error


def common_name(text: str) -> str:
    """The common name of the first certificate in a PEM text; empty when its subject has none.

    Raises CertificateError when there is no certificate.
    """
    body, position = _validity_of(text)
    try:
        subject = _content(body, _after(body, position), _SEQUENCE)
        found = subject.find(_COMMON_NAME)
        if found < 0:
            return ""
        _tag, start, end = _header(subject, found + len(_COMMON_NAME))
        return subject[start:end].decode("utf-8")
    except (IndexError, UnicodeDecodeError) as error:
        raise CertificateError("its certificate is damaged") from error


def _validity_of(text: str) -> tuple[bytes, int]:
    """TBSCertificate, and where its validity begins."""
    found = _PEM.search(text)
    if found is None:
        raise CertificateError("there is no PEM certificate in it")
    try:
        der = base64.b64decode("".join(found.group(1).split()), validate=True)
        certificate = _content(der, 0, _SEQUENCE)
        body = _content(certificate, 0, _SEQUENCE)
        position = _after(body, 0) if body[0] == _VERSION else 0
        position = _after(body, position)  # serial number
        position = _after(body, position)  # signature algorithm
        return body, _after(body, position)  # issuer
    except (binascii.Error, IndexError) as error:
        raise CertificateError("its certificate is damaged") from error


def _header(data: bytes, position: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the element at ``position``."""
    tag, length = data[position], data[position + 1]
    start = position + 2
    if length & _LONG_FORM:
        size = length & ~_LONG_FORM
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > len(data):
        raise IndexError("element is longer than its container")
    return tag, start, start + length


def _content(data: bytes, position: int, expected: int) -> bytes:
    tag, start, end = _header(data, position)
    if tag != expected:
        raise CertificateError("its certificate is damaged")
    return data[start:end]


def _after(data: bytes, position: int) -> int:
    return _header(data, position)[2]


def _time(data: bytes, position: int) -> datetime.datetime:
    tag, start, end = _header(data, position)
    text = data[start:end].decode("ascii")
    if tag == _UTC_TIME:  # two digits for the year; 50 and later are of the last century (RFC 5280, 4.1.2.5.1)
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise CertificateError("its certificate is damaged")
    try:
        return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise CertificateError("its certificate is damaged") from error
