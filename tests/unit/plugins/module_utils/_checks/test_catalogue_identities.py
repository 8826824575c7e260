"""The catalogue of identities: every entry can happen, and says all it has to say."""

from __future__ import annotations

import json
import subprocess

import pytest
from snapshots.provoked_identities import PROVOKED
from snapshots.small_clusters import context

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import catalogue_identities, identities
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE


def test_every_entry_is_provoked() -> None:
    """None is forgotten, none is made up."""
    assert set(PROVOKED) == {kind.id for kind in catalogue_identities.KINDS}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_finding_has_everything_an_operator_needs(identifier: str) -> None:
    """Fact, evidence, meaning, why it matters, how to verify, and what mends it; not more than ten names."""
    made = context(**PROVOKED[identifier])
    found = [one.to_dict() for one in identities.check(made) if one.id == identifier]
    assert found
    for one in found:
        assert all(one[key] for key in ("title", "summary", "meaning", "why", "verify", "evidence"))
        kind = CATALOGUE[identifier]
        assert kind.playbook or "because" in kind.remedy or one["severity"] == "info"
        assert all(len(value) <= 10 for value in one["evidence"].values() if isinstance(value, list))
        json.dumps(one)


@pytest.mark.parametrize("identifier", PROVOKED)
def test_the_section_is_json(identifier: str) -> None:
    """Whatever is wrong."""
    section = identities.section(context(**PROVOKED[identifier]))
    assert section is not None and section["gc"]["verdict"] in ("healthy", "off", "broken", "slow", "unknown")
    json.dumps(section, allow_nan=False)


@pytest.mark.parametrize("identifier", PROVOKED)
def test_commands_to_verify_are_commands(identifier: str) -> None:
    """A shell can read them."""
    subprocess.run(["bash", "-n", "-c", CATALOGUE[identifier].verify], check=True)
