# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Versions of Cilium: reading them from tags and images, comparing them, and where a fix arrived.

A version is (major, minor, patch); a release is (major, minor). A pre-release (1.19.0-rc.1) counts as the version it
leads to, with patch -1: what 1.19.0 fixed may be missing from it.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable

Version: t.TypeAlias = tuple[int, int, int]
Release: t.TypeAlias = tuple[int, int]

_VERSION = re.compile(r"^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?P<rest>-[0-9A-Za-z.-]+)?$")
_PRE_RELEASE = re.compile(r"^-(pre|rc|alpha|beta|dev|snapshot)\b")


def parse_version(text: str) -> Version | None:
    """The version of a tag such as ``v1.18.4``, ``1.19`` or ``1.18.4-gke.1``; None when it is none."""
    match = _VERSION.match(text.strip())
    if match is None:
        return None
    patch = int(match[3] or 0)
    if match["rest"] and _PRE_RELEASE.match(match["rest"].lower()) and patch == 0:
        patch = -1
    return int(match[1]), int(match[2]), patch


def parse_release(text: str) -> Release:
    """Major and minor of a text such as ``1.18`` that is known to be one. Raises ValueError for anything else."""
    found = parse_version(text)
    if found is None:
        raise ValueError(f"'{text}' is not a release of Cilium such as 1.18")
    return found[:2]


def image_version(image: str) -> Version | None:
    """The version that the tag of an image tells; None for a digest only, ``latest`` and the like."""
    name = image.split("@", 1)[0]
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    return parse_version(tag) if tag else None


def image_release(image: str) -> str:
    """What tells images of agents apart for a person: the tag, else the digest, else the whole text."""
    name, _at, digest = image.partition("@")
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    return tag or digest or image


def version_text(version: Version) -> str:
    """``1.18.4``; a pre-release of 1.19.0 is ``1.19.0 (pre-release)``."""
    major, minor, patch = version
    return f"{major}.{minor}.0 (pre-release)" if patch < 0 else f"{major}.{minor}.{patch}"


def is_fixed(version: Version, fixes: Iterable[Version]) -> bool:
    """Whether a version has a fix that arrived in ``fixes``: one version for each release that got it.

    Within a release the patch decides; releases after the last that is named have it, all others do not.
    """
    known = sorted(fixes)
    for fix in known:
        if fix[:2] == version[:2]:
            return version >= fix
    return bool(known) and version[:2] > known[-1][:2]
