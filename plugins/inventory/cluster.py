# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster
short_description: The Nodes of a cluster as hosts, grouped by what an audit finds
version_added: 0.1.0
author:
  - podnet.upkeep contributors (@podnet-upkeep)
description:
  - Audits a cluster, or a snapshot of one, and makes a host of each Node. It never writes to the cluster.
  - Groups of each Node are C(role_NAME) for its roles (C(role_none) without any), C(node_pool_NAME) for the pool of machines
    that its provider names, C(pool_CIDR) for each cluster CIDR that one of its pod CIDRs lies in, C(ipam_MODEL),
    C(severity_LEVEL) of its worst finding, and C(finding_ID) for each of its findings.
  - The group C(drifted) has the Nodes with a finding that P(podnet.upkeep.reassign_pod_cidrs#role) mends. It is always there.
  - Characters that Ansible does not take in names of groups become underscores.
  - What could not be read is in C(podnet_cluster.unknown) of every host; a Node is in no group for what is not known of it.
  - The file has to be named C(podnet.yml) or C(NAME.podnet.yml), or to end in C(.yaml).
  - Options that are texts may be templates.
extends_documentation_fragment:
  - podnet.upkeep.auth_of_inventory
  - podnet.upkeep.allocator
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
notes:
  - With a cache, groups are as old as the cache is. Look at C(podnet_cluster.taken_at) before a repair relies on them; the
    repair looks again at each Node all the same.
  - Variables of a host are C(podnet_node_name), C(podnet_labels), C(podnet_taints), C(podnet_addresses), C(podnet_pod_cidrs),
    C(podnet_provider_id), C(podnet_provider), C(podnet_ready), C(podnet_unschedulable), C(podnet_severity),
    C(podnet_ipam_model), C(podnet_pools), C(podnet_roles), C(podnet_node_pool), C(podnet_drifted), C(podnet_findings),
    C(podnet_finding_ids), C(podnet_cluster), and C(ansible_host) where the Node has an address that is wanted.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [podnet.upkeep.cluster]
  source:
    description: Where the state of the cluster comes from.
    type: str
    choices:
      live: The API of a cluster.
      snapshot: A file or folder; no cluster and no Kubernetes library is needed.
    default: live
  snapshot:
    description:
      - Path of a snapshot, as O(podnet.upkeep.audit_info#module:snapshot). Required for O(source=snapshot).
      - A relative path is looked for beside the inventory file.
    type: str
  scope:
    description: How much of a live cluster is read.
    type: str
    choices:
      all: Everything that the audit judges, so that there is a group for each finding of a Node.
      node_cidrs: Only what pod CIDRs need. Faster in large clusters, and enough for the group C(drifted).
    default: all
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  address_types:
    description: Types of addresses for C(ansible_host), the first that a Node has. Without any, C(ansible_host) is not set.
    type: list
    elements: str
    default: [InternalIP, ExternalIP, Hostname]
  address_family:
    description: The family of the address for C(ansible_host). Names of hosts are of every family.
    type: str
    choices:
      any: The first one of the type.
      ipv4: Only IPv4.
      ipv6: Only IPv6.
    default: any
seealso:
  - module: podnet.upkeep.audit_info
"""

EXAMPLES = r"""
# production.podnet.yml: the cluster of a kubeconfig
plugin: podnet.upkeep.cluster
kubeconfig: /etc/kubernetes/admin.conf

# customer.podnet.yml: a sysdump beside this file
# plugin: podnet.upkeep.cluster
# source: snapshot
# snapshot: cilium-sysdump.zip

# rack.podnet.yml: groups by a label, IPv6, and a cache
# plugin: podnet.upkeep.cluster
# address_family: ipv6
# keyed_groups:
#   - key: podnet_labels['topology.kubernetes.io/zone']
#     prefix: zone
# groups:
#   tainted: podnet_taints | length > 0
# compose:
#   ansible_user: "'core'"
# cache: true
# cache_plugin: ansible.builtin.jsonfile
# cache_connection: /var/tmp/podnet-inventory
# cache_timeout: 300
"""

import os
import typing as t

from ansible.errors import AnsibleParserError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import NODE_CIDR_RESOURCES, RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.plugin_utils.node_inventory import (
    DRIFTED,
    address_of,
    check_types,
    groups_of,
    picture,
    variables_of,
)

_SUFFIXES = ("podnet.yml", "podnet.yaml")
_ADDRESS_TYPES = ("InternalIP", "ExternalIP", "Hostname", "InternalDNS", "ExternalDNS")
_PATHS = ("kubeconfig", "ca_cert", "client_cert", "client_key", "snapshot")
_TEXTS = (*_PATHS, "context", "host", "api_key", "proxy", "tls_server_name", "impersonate_user", "cilium_namespace")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """The Nodes of a cluster."""

    NAME = "podnet.upkeep.cluster"

    def verify_file(self, path: str) -> bool:
        """Whether the name of the file is one of ours."""
        name = os.path.basename(path)
        ours = any(name == suffix or name.endswith(f".{suffix}") for suffix in _SUFFIXES)
        return ours and bool(super().verify_file(path))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Fill the inventory. Raises AnsibleParserError with one sentence."""
        super().parse(inventory, loader, path)
        self._read_config_data(path)
        self.load_cache_plugin()
        try:
            options = self._options_of(path)
            check_types(options["address_types"], _ADDRESS_TYPES)
            seen = self._seen(options, path, cache)
        except UpkeepError as error:
            raise AnsibleParserError(f"{path}: {error}") from None
        self._fill(seen, options)

    # -- options ---------------------------------------------------------------------------------------------------

    def _options_of(self, path: str) -> dict[str, t.Any]:
        options: dict[str, t.Any] = dict(self.get_options())
        for name in _TEXTS:
            value = options.get(name)
            if isinstance(value, str) and self.templar.is_template(value):
                options[name] = self.templar.template(value)
        folder = os.path.dirname(os.path.abspath(path))
        for name in _PATHS:
            if options.get(name):
                options[name] = os.path.join(folder, os.path.expanduser(os.path.expandvars(options[name])))
        if options["source"] == "snapshot" and not options["snapshot"]:
            raise InputError("source: snapshot needs the option snapshot; give the path of a snapshot.")
        spec = allocator_argument_spec()
        checked = ArgumentSpecValidator(spec).validate({"allocator": options.get("allocator")})
        if checked.error_messages:
            raise InputError(f"allocator: {checked.error_messages[0].rstrip('.')}; look at the plugin's documentation.")
        options["allocator"] = checked.validated_parameters["allocator"]
        return options

    # -- the cluster -----------------------------------------------------------------------------------------------

    def _seen(self, options: dict[str, t.Any], path: str, cache: bool) -> dict[str, t.Any]:
        key = self.get_cache_key(path)
        if cache and self.get_option("cache"):
            try:
                return t.cast("dict[str, t.Any]", self._cache[key])
            except KeyError:
                pass  # nothing there, or too old
        settings = audit_settings(options)
        state = self._state(options)
        if "nodes" in state.unknown:
            raise InputError(f"The Nodes cannot be read, so there are no hosts: {state.unknown['nodes']}.")
        seen = picture(Context(state, settings))
        if self.get_option("cache"):
            self._cache[key] = seen
        return seen

    def _state(self, options: dict[str, t.Any]) -> ClusterState:
        if options["source"] == "snapshot":
            return snapshot.load(options["snapshot"])
        resources = tuple(RESOURCES) if options["scope"] == "all" else NODE_CIDR_RESOURCES
        wanted = live.LiveOptions(resources=resources, cilium_namespace=options["cilium_namespace"])
        return live.collect(KubeClient.from_options(options), wanted)

    # -- the inventory ---------------------------------------------------------------------------------------------

    def _fill(self, seen: dict[str, t.Any], options: dict[str, t.Any]) -> None:
        self.inventory.add_group(DRIFTED)
        strict = options["strict"]
        for row in seen["nodes"]:
            host = self.inventory.add_host(row["name"])
            for group in groups_of(row):
                name = self.inventory.add_group(self._sanitize_group_name(group))
                self.inventory.add_child(name, host)
            variables = variables_of(row, seen["cluster"])
            if address := address_of(row, options["address_types"], options["address_family"]):
                variables["ansible_host"] = address
            for key, value in variables.items():
                self.inventory.set_variable(host, key, value)
            self._set_composite_vars(options["compose"], variables, host, strict=strict)
            self._add_host_to_composed_groups(options["groups"], variables, host, strict=strict)
            self._add_host_to_keyed_groups(options["keyed_groups"], variables, host, strict=strict)
