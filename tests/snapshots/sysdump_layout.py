"""Writes sysdumps as cilium-cli does: names, YAML and zip of two versions.

v1.15: cilium-cli 0.15.20 (the whole list printed at once, metrics of the operator in a file called .yaml); main: the list
printed item by item. Both go through the typed structs of Go: what those do not know vanishes, times that are not set
are null, and items of lists have neither apiVersion nor kind.
Sources: cilium-cli v0.15.20 sysdump/{constants,writers,sysdump}.go; cilium/cilium main cilium-cli/sysdump, the same files.
"""

from __future__ import annotations

import copy
import datetime
import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from snapshots import sick_cilium

FILES = {
    "nodes": "k8s-nodes",
    "pods": "k8s-pods",
    "namespaces": "k8s-namespaces",
    "events": "k8s-events",
    "ciliumidentities": "ciliumidentities",
    "ciliumendpoints": "ciliumendpoints",
    "ciliumendpointslices": "ciliumendpointslices",
    "ciliumnodes": "ciliumnodes",
    "ciliumnodeconfigs": "ciliumnodeconfigs",
    "networkpolicies": "k8s-networkpolicies",
    "ciliumnetworkpolicies": "ciliumnetworkpolicies",
    "ciliumclusterwidenetworkpolicies": "ciliumclusterwidenetworkpolicies",
}
# lists that are read without Go's structs: their items keep apiVersion and kind
_UNSTRUCTURED = {"leases"}
_V1_15_DOES_NOT_KNOW = {"ciliumendpointslices": ("endpoints", "pod-uid"), "ciliumnodes": ("spec", "bootid")}


class _Dumper(yaml.CSafeDumper):
    """Lists are not indented below their key, texts are not folded, and there are no aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def as_yaml(value: Any) -> str:
    """YAML as the YAML library of Kubernetes writes it."""
    return yaml.dump(value, Dumper=_Dumper, width=10**9)


def typed(resource: str, obj: Mapping[str, Any], version: str) -> dict[str, Any]:
    """An object after its way through the structs of this version."""
    found = copy.deepcopy({key: value for key, value in obj.items() if key not in ("apiVersion", "kind")})
    if version == "v1.15" and resource in _V1_15_DOES_NOT_KNOW:
        place, key = _V1_15_DOES_NOT_KNOW[resource]
        for one in found[place] if isinstance(found[place], list) else [found[place]]:
            one.pop(key, None)
    if resource == "nodes":
        found["status"].setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    if resource == "namespaces":
        found |= {"spec": {}, "status": {}}
    if resource in ("daemonsets", "deployments"):
        found["spec"]["template"].setdefault("metadata", {"creationTimestamp": None})
    if resource == "pods":
        found["spec"]["containers"][0].setdefault("resources", {})
    return found


def typed_list(resource: str, objects: Sequence[Mapping[str, Any]], version: str, by_hand: bool) -> str:
    """A list; `by_hand`: item by item, as main does with lists that are not empty."""
    api_version, kind = str(objects[0]["apiVersion"]), str(objects[0]["kind"])
    keep = resource in _UNSTRUCTURED
    items = [dict(one) if keep else typed(resource, one, version) for one in objects]
    if not by_hand:
        content = {
            "apiVersion": api_version,
            "items": items,
            "kind": f"{kind}List",
            "metadata": {"resourceVersion": "4711"},
        }
        return as_yaml(content)
    lines = [f"apiVersion: {api_version}\nitems:\n"]
    for item in items:
        # indentAsListItem: two spaces before every line but the first, also before empty ones
        lines += [f"{'  ' if number else '- '}{line}" for number, line in enumerate(as_yaml(item).splitlines(True))]
    return "".join(lines) + f'kind: {kind}List\nmetadata:\n  resourceVersion: "4711"\n'


def _files(version: str, stamp: str, quick: bool) -> dict[str, str]:
    found = sick_cilium.objects()
    by_hand = version == "main"
    files = {
        f"{stem}-{stamp}.yaml": typed_list(resource, found[resource], version, by_hand)
        for resource, stem in FILES.items()
    }
    cilium = [one for one in found["daemonsets"] if one["metadata"]["name"] == "cilium"]
    files[f"cilium-daemonset-{stamp}.yaml"] = typed_list("daemonsets", cilium, version, by_hand)
    files[f"k8s-leases-{stamp}.yaml"] = typed_list("leases", [*found["nodeleases"], *found["leases"]], version, by_hand)
    for resource, stem in (("configmaps", "cilium-configmap"), ("deployments", "cilium-operator-deployment")):
        one = found[resource][0]
        files[f"{stem}-{stamp}.yaml"] = as_yaml(
            {"apiVersion": one["apiVersion"], "kind": one["kind"], **typed(resource, one, version)}
        )
    files[f"k8s-version-{stamp}.txt"] = (
        'version.Info{Major:"1", Minor:"34", GitVersion:"v1.34.2", GitCommit:"abc", GitTreeState:"clean", Platform:"linux/amd64"}'
    )
    files[f"cilium-etcd-secrets-secret-{stamp}.yaml"] = "apiVersion: v1\ndata:\n  ca.crt: XXXXXX\nkind: Secret\n"
    files[f"k8s-services-{stamp}.yaml"] = "apiVersion: v1\nitems: []\nkind: ServiceList\nmetadata: {}\n"
    files[f"k8s-events-{stamp}.html"] = "<html></html>\n"
    files["cilium-sysdump.log"] = _log(version, quick)
    if version == "v1.15":
        files[f"ciliumpodippools-{stamp}.yaml"] = (
            'apiVersion: cilium.io/v2alpha1\nitems: []\nkind: CiliumPodIPPoolList\nmetadata:\n  resourceVersion: "4711"\n'
        )
    if not quick:
        files |= _answers(version, stamp)
    return files


def _log(version: str, quick: bool) -> str:
    number = "v0.15.20" if version == "v1.15" else "v0.19.7"
    lines = [
        f"\N{LEFT-POINTING MAGNIFYING GLASS} Collecting sysdump with cilium-cli version: {number}, args: [sysdump{' --quick' if quick else ''}]",
        "\N{LEFT-POINTING MAGNIFYING GLASS} Collect Kubernetes nodes",
    ]
    if version == "main":
        lines += [
            "\N{WARNING SIGN} The following tasks failed, the sysdump may be incomplete:",
            "\N{WARNING SIGN} [31] Collecting Cilium Pod IP Pools: failed to collect Cilium pod IP pools: "
            "the server could not find the requested resource (get ciliumpodippools.cilium.io)",
        ]
    return "\n".join(lines) + "\n"


def _answers(version: str, stamp: str) -> dict[str, str]:
    files = {}
    for (pod, container, previous), lines in sick_cilium.LOGS.items():
        files[f"logs-{pod}-{container}-{stamp}{'-prev' if previous else ''}.log"] = "\n".join(lines) + "\n"
    operator = sick_cilium.OPERATOR_POD
    metrics = f"metrics-{operator}-cilium-operator-{stamp}.txt"
    files[metrics if version == "main" else f"cilium-operator-pod-{operator}-metrics-{stamp}.yaml"] = (
        sick_cilium.METRICS
    )
    program = "cilium-dbg" if version == "main" else "cilium"
    bugtool = f"cilium-bugtool-{sick_cilium.AGENTS['worker-1']}-{stamp}/cmd"
    files[f"{bugtool}/cilium-debuginfo-20261101-060012.345+0000-UTC.json"] = json.dumps(sick_cilium.DEBUG_INFO)
    files[f"{bugtool}/{program}-status---verbose.md"] = "KVStore:  Disabled\n"
    return files


def write(version: str, stamp: str, taken_at: str, *, quick: bool = False, folder: str | None = None) -> bytes:
    """The zip file of a sysdump that started at `taken_at` (UTC); `stamp` is the time in its names (local)."""
    seconds = int(datetime.datetime.fromisoformat(taken_at).timestamp())
    local = datetime.datetime.strptime(stamp, "%Y%m%d-%H%M%S")
    folder = f"cilium-sysdump-{stamp}" if folder is None else folder
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number, (name, text) in enumerate(sorted(_files(version, stamp, quick).items())):
            info = zipfile.ZipInfo(f"{folder}/{name}" if folder else name, local.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o100600 << 16
            info.extra = struct.pack("<HHBi", 0x5455, 5, 1, seconds + number // 10)
            archive.writestr(info, text)
    return data.getvalue()
