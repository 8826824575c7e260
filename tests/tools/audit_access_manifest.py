"""Writes the manifest of the role audit_access (defaults, no features), so that it can be read and applied without Ansible."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import AccessOptions, manifests

HEAD = """\
# This file is written by tests/tools/audit_access_manifest.py from the permissions that the audit needs: change those.
# It is what the role audit_access creates with its defaults; kubectl apply -f does it without Ansible.
"""


def manifest() -> str:
    """The whole file."""
    documents = yaml.safe_dump_all(manifests(AccessOptions()), explicit_start=True, sort_keys=False, width=120)
    return HEAD + str(documents)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(manifest(), encoding="utf-8")
