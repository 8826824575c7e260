"""Writes the golden snapshots of one small sick cluster with Cilium, in three layouts.

Run it again after a change: `PYTHONPATH=tests python tests/snapshots/make_sick_cilium.py`. The same bytes come out each time.
The sysdump of main was taken on a machine in India: its names have local time.
"""

from __future__ import annotations

import json
from pathlib import Path

from snapshots import sick_cilium, sysdump_layout
from snapshots.sick_cilium_objects import TAKEN_AT, VERSION

HERE = Path(__file__).parent
V1_15 = HERE / "sick-cilium-sysdump-v1.15.zip"
MAIN = HERE / "sick-cilium-sysdump-main.zip"
KUBECTL = HERE / "sick-cilium-kubectl"


def sysdumps() -> dict[Path, bytes]:
    """The two sysdumps."""
    return {
        V1_15: sysdump_layout.write("v1.15", "20261101-060000", TAKEN_AT),
        MAIN: sysdump_layout.write("main", "20261101-113000", TAKEN_AT),
    }


def kubectl_files() -> dict[Path, bytes]:
    """Output of kubectl: JSON and YAML, one kind and several, `kind: List` and lists of one kind, single objects."""
    found = sick_cilium.objects()

    def as_list(*resources: str) -> dict[str, object]:
        items = [one for resource in resources for one in found[resource]]
        return {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}

    def raw(resource: str) -> dict[str, object]:
        first = found[resource][0]
        items = [
            {key: value for key, value in one.items() if key not in ("apiVersion", "kind")} for one in found[resource]
        ]
        return {"kind": f"{first['kind']}List", "apiVersion": first["apiVersion"], "items": items}

    files = {
        "nodes.json": json.dumps(as_list("nodes"), indent=4),
        "all of the cluster.yaml": sysdump_layout.as_yaml(as_list("pods", "namespaces", "daemonsets", "deployments")),
        "leases.yml": sysdump_layout.as_yaml(as_list("leases", "nodeleases")),
        "config.yaml": "---\n".join(sysdump_layout.as_yaml(one) for one in found["configmaps"]),
        "cid": json.dumps(raw("ciliumidentities"), sort_keys=True),
        "cep.json": json.dumps(raw("ciliumendpoints")),
        "network/cilium.yaml": sysdump_layout.as_yaml(
            as_list("ciliumnodes", "ciliumnodeconfigs", "ciliumendpointslices")
        ),
        "network/policies.yaml": sysdump_layout.as_yaml(
            as_list("networkpolicies", "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies")
        ),
        "network/ciliumpodippools.json": json.dumps({"apiVersion": "v1", "items": [], "kind": "List"}),
        "others.yaml": sysdump_layout.as_yaml(as_list("csinodes", "apiservices", "clusterroles")),
        "events.json": "\n".join(json.dumps(one) for one in found["events"]),
        "version.json": json.dumps({"clientVersion": {}, "serverVersion": {"gitVersion": VERSION}}, indent=2),
        "README.txt": "Taken with kubectl get, kind by kind.\n",
    }
    return {KUBECTL / name: (text + "\n").encode() for name, text in files.items()}


if __name__ == "__main__":
    for path, data in {**sysdumps(), **kubectl_files()}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
