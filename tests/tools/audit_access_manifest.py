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


class _Indented(yaml.SafeDumper):
    """Items of lists stand deeper than their key, as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def manifest() -> str:
    """The whole file."""
    whole = {"apiVersion": "v1", "kind": "List", "items": manifests(AccessOptions())}
    return HEAD + yaml.dump(whole, Dumper=_Indented, explicit_start=True, sort_keys=False, width=120)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(manifest(), encoding="utf-8")
