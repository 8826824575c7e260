# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: security_labels
short_description: The labels that make the security identity of a pod
description:
  - Computes what Cilium would write under C(security-labels) of the pod's CiliumIdentity, so that a change of the key
    C(labels) of C(cilium-config) can be tried before it is made. Pods with equal labels share an identity.
  - Pods with host network have no identity of their own, and those that equal a well-known set have a reserved one.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
positional: namespace
options:
  _input:
    description: Labels of the pod.
    type: dict
    required: true
  namespace:
    description: Namespace of the pod.
    type: str
    required: true
  namespace_labels:
    description: Labels of the namespace. Kubernetes sets C(kubernetes.io/metadata.name) on every one.
    type: dict
    default: {}
  service_account:
    description: Service account of the pod. Kubernetes sets V(default) where none is named.
    type: str
    default: default
  labels:
    description: The key C(labels) of C(cilium-config), patterns with blanks between them.
    type: str
    default: ""
  version:
    description: Version of Cilium, which decides about the default patterns.
    type: str
    default: "1.18"
  cluster_name:
    description: The key C(cluster-name) of C(cilium-config).
    type: str
    default: default
  named_ports:
    description:
      - Named ports of the pod's containers, each a list of name, protocol and number.
      - Cilium 1.20 and later make a label from them.
    type: list
    elements: list
    default: []
seealso:
  - module: podnet.upkeep.cilium_label_filter_info
"""

EXAMPLES = r"""
- name: Does the label of the run still make an identity with this filter
  ansible.builtin.debug:
    msg: >-
      {{ {'app': 'report', 'job-name': 'report-29384'}
         | podnet.upkeep.security_labels('batch', labels='k8s:!job-name') }}
  # => {'k8s:app': 'report', 'k8s:io.cilium.k8s.policy.cluster': 'default', ...}
"""

RETURN = r"""
_value:
  description: The labels, each key with its source.
  type: dict
"""

import typing as t
from collections.abc import Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import parse_version
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import (
    LabelFilter,
    LabelFilterError,
    LabelFilterNotJudgedError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import SecurityLabels
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import plain, text, text_mapping, texts


def security_labels(
    value: t.Any,
    namespace: t.Any,
    namespace_labels: t.Any = None,
    service_account: t.Any = "default",
    labels: t.Any = "",
    version: t.Any = "1.18",
    cluster_name: t.Any = "default",
    named_ports: t.Any = (),
) -> dict[str, str]:
    """Security labels of one pod. Raises AnsibleFilterError with one sentence."""
    try:
        where = text(namespace, "namespace", "shop")
        found_version = parse_version(text(str(version), "version", "1.18"))
        if found_version is None:
            raise InputError(f"version is '{version}'; give a version of Cilium such as 1.18 or v1.18.4")
        made = SecurityLabels(
            {where: text_mapping(namespace_labels, "namespace_labels")},
            LabelFilter(found_version, text(labels, "labels", "k8s:!job-name")),
            text(cluster_name, "cluster_name", "default"),
            found_version,
        ).of(
            {
                "metadata": {"namespace": where, "labels": text_mapping(value, "the pod's labels")},
                "spec": {
                    "serviceAccountName": text(service_account, "service_account", "default"),
                    "namedPorts": _ports(named_ports),
                },
            }
        )
    except (InputError, LabelFilterError, LabelFilterNotJudgedError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.security_labels: {error}") from None
    return dict(sorted((made or {}).items()))


def _ports(value: t.Any) -> list[list[t.Any]]:
    wanted = "give a list of lists of name, protocol and number, such as [['http', 'TCP', 8080]]"
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InputError(f"named_ports is no list; {wanted}")
    found = plain(value)
    for one in found:
        if not isinstance(one, list) or len(one) != 3:
            raise InputError(f"named_ports has the item {one!r}; {wanted}")
        texts(one[:2], "an item of named_ports", "http")
    return list(found)


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"security_labels": security_labels}
