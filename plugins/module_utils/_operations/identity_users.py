# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Who uses an identity, or may be about to: endpoints that name it, and pods whose security labels are its own.

An agent gets the identity of a pod first, and writes the CiliumEndpoint that names it later. In between only the pod
tells. So each pod that may run counts by its computed labels, but for one: a pod of its own uid whose CiliumEndpoint names
an identity with exactly these labels, on a Node whose agent works, has what it needs, and a duplicate is not needed for it.
In operator-managed mode that pod counts as well, because agents only look identities up there, any one of a group of
duplicates, and remove no marks. On a Node that is not Ready, that has no agent that is Ready, or that is gone, nothing that the
API says about pods and endpoints is certain: there each pod counts, also one that is said to be finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_pending import security_labels
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import number_of
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    TERMINAL_PHASES,
    Object,
    condition,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import (
    NAMESPACE,
    fingerprint,
)

Labels = Mapping[str, str]


class IdentityUsers:
    """The users of all identities of one picture."""

    def __init__(self, context: Context, *, endpoints_suffice: bool) -> None:
        """``endpoints_suffice``: whether a pod with a fitting endpoint needs no duplicate (not in operator-managed mode)."""
        self._context = context
        self._endpoints_suffice = endpoints_suffice
        self._named: dict[int, str] = {}
        # (namespace, name) of an endpoint -> (its identity, uid of its owner)
        self._endpoints: dict[tuple[str, str], tuple[int, str]] = {}
        self._read_endpoints()
        self._needed: dict[int, list[tuple[Labels, str]]] = {}
        #: Namespaces with pods whose labels cannot be told.
        self._undecided: dict[str, str] = {}
        self._read_pods()

    def of(self, identity: Object) -> str:
        """Who uses or may use it, in words; empty when nobody does."""
        named = self._named.get(number_of(identity))
        if named:
            return f"{named} names it"
        labels = identity.get("security-labels") or {}
        for known, reason in self._needed.get(fingerprint(labels), ()):
            if known == labels:
                return reason
        namespace = labels.get(NAMESPACE)
        if namespace is None:  # the label filter drops it: it may be of any
            return next(iter(self._undecided.values()), "")
        return self._undecided.get(namespace, "")

    def is_named(self, identity: Object) -> bool:
        """Whether a CiliumEndpoint or CiliumEndpointSlice names it."""
        return number_of(identity) in self._named

    # -- endpoints -----------------------------------------------------------------------------------------------

    def _read_endpoints(self) -> None:
        state = self._context.state
        for endpoint_slice in state.of("ciliumendpointslices"):
            for one in endpoint_slice.get("endpoints") or ():
                if isinstance(one.get("id"), int):
                    self._named[one["id"]] = f"CiliumEndpointSlice {name_of(endpoint_slice)}"
        for endpoint in state.of("ciliumendpoints"):
            metadata = endpoint["metadata"]
            number = ((endpoint.get("status") or {}).get("identity") or {}).get("id")
            if not isinstance(number, int):
                continue
            place = (str(metadata.get("namespace") or ""), str(metadata["name"]))
            self._named[number] = f"CiliumEndpoint {'/'.join(place)}"
            owners = [one.get("uid") for one in metadata.get("ownerReferences") or () if one.get("kind") == "Pod"]
            self._endpoints[place] = (number, str(owners[0]) if len(owners) == 1 else "")

    # -- pods ----------------------------------------------------------------------------------------------------

    def _read_pods(self) -> None:
        makers = security_labels(self._context)
        labels_of = {
            number_of(one): one.get("security-labels") or {} for one in self._context.state.of("ciliumidentities")
        }
        sound = set(sound_nodes(self._context))
        for pod in self._context.state.of("pods"):
            spec, status, metadata = pod.get("spec") or {}, pod.get("status") or {}, pod["metadata"]
            if spec.get("hostNetwork"):
                continue
            node = spec.get("nodeName")
            uncertain = bool(node) and node not in sound
            if status.get("phase") in TERMINAL_PHASES and not uncertain:
                continue
            namespace, name = str(metadata.get("namespace") or ""), str(metadata["name"])
            made = [maker.of(pod) for maker in makers]
            if not made or None in made:
                self._undecided.setdefault(
                    namespace, f"the security labels of pod {namespace}/{name} cannot be told, and it may need it"
                )
            known = [one for one in made if one is not None]
            if not uncertain and self._is_served(pod, known, labels_of):
                continue
            if uncertain:
                reason = f"pod {namespace}/{name} may use it on Node {node}, which is not Ready or has no agent that is Ready"
            else:
                reason = f"pod {namespace}/{name} needs it"
            for labels in known:
                self._add(labels, reason)

    def _is_served(self, pod: Object, made: Sequence[Labels], labels_of: Mapping[int, Labels]) -> bool:
        """Whether its endpoint is of this very pod and names an identity with exactly its labels."""
        if not self._endpoints_suffice:
            return False
        metadata = pod["metadata"]
        number, owner = self._endpoints.get((str(metadata.get("namespace") or ""), str(metadata["name"])), (0, ""))
        return bool(owner) and owner == metadata.get("uid") and labels_of.get(number) in made

    def _add(self, labels: Labels, reason: str) -> None:
        known = self._needed.setdefault(fingerprint(labels), [])
        if not any(one == labels for one, _reason in known):
            known.append((labels, reason))


def sound_nodes(context: Context) -> Iterator[str]:
    """Nodes that are Ready and have an agent of Cilium that is Ready: what their agent writes is what they do."""
    agents = {
        str(pod["spec"]["nodeName"])
        for pod in context.cilium.agents_by_node.values()
        if (pod.get("status") or {}).get("ready") and not pod["metadata"].get("deletionTimestamp")
    }
    for node in context.state.of("nodes"):
        if condition(node, "Ready") == "True" and name_of(node) in agents:
            yield name_of(node)
