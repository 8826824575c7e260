"""Versions of Cilium: tags as registries have them, and in which version a fix is."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import (
    image_release,
    image_version,
    is_fixed,
    parse_release,
    parse_version,
    version_text,
)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("quay.io/cilium/cilium:v1.18.4@sha256:0f", (1, 18, 4)),
        ("quay.io/cilium/cilium:v1.18.4", (1, 18, 4)),
        ("localhost:5000/cilium/cilium:1.19", (1, 19, 0)),
        ("gcr.io/gke/cilium:v1.14.2-gke.28", (1, 14, 2)),
        ("quay.io/cilium/cilium:v1.19.0-rc.1", (1, 19, -1)),
        ("quay.io/cilium/cilium:v1.18.0-cee.1", (1, 18, 0)),
        ("localhost:5000/cilium/cilium", None),
        ("quay.io/cilium/cilium@sha256:0123", None),
        ("quay.io/cilium/cilium:latest", None),
        ("", None),
    ],
)
def test_images(image: str, version: tuple[int, int, int] | None) -> None:
    """The tag counts, not the port of a registry and not the digest."""
    assert image_version(image) == version


def test_texts() -> None:
    """What people read."""
    assert image_release("quay.io/cilium/cilium:v1.18.4@sha256:0f") == "v1.18.4"
    assert image_release("quay.io/cilium/cilium@sha256:0f") == "sha256:0f"
    assert image_release("cilium") == "cilium"
    assert version_text((1, 18, 4)) == "1.18.4" and version_text((1, 19, -1)) == "1.19.0 (pre-release)"
    assert parse_release("1.18") == (1, 18)
    with pytest.raises(ValueError, match="'banana' is not a release"):
        parse_release("banana")
    assert parse_version("1.18.4.5") is None


@pytest.mark.parametrize(
    ("version", "fixed"),
    [
        ((1, 16, 19), False),
        ((1, 17, 14), False),
        ((1, 17, 15), True),
        ((1, 18, 8), False),
        ((1, 18, 9), True),
        ((1, 19, -1), False),
        ((1, 19, 3), True),
        ((1, 20, 0), True),
        ((2, 0, 0), True),
    ],
)
def test_a_fix_in_several_releases(version: tuple[int, int, int], fixed: bool) -> None:
    """Within a release the patch decides; a release of no fix of its own lacks it unless it is newer."""
    assert is_fixed(version, [(1, 19, 3), (1, 17, 15), (1, 18, 9)]) is fixed


def test_without_any_fix() -> None:
    """No version is known to be free of it."""
    assert not is_fixed((9, 9, 9), [])
