#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kvstore_info
short_description: Health of the kvstore of Cilium, or of the API server's etcd
description:
  - Returns members, leader, versions, how far each has applied the log, size of the databases against quota and threshold,
    alarms, leases, locks that somebody keeps, identities that no Node uses, and the age of the operator's heartbeat.
  - Identities without users and locks are looked at twice, as the operator's own collectors do. What is unused, or held, both
    times and was not written in between is what the operator removes when its rounds come.
  - Never writes. What cannot be told is C(null), never zero. Keys are read page by page, and values only where they are needed.
  - A lock needs no deletion by hand. It belongs to a lease of 25 seconds, so it goes when its holder dies, and the operator
    removes it where a holder lives and never gives it back.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.etcd
options:
  contents:
    description: Look at what Cilium keeps in the store as well. It is never looked for in the etcd of the API server.
    type: bool
    default: true
  seconds_between_looks:
    description: How long to wait between the two looks. V(0) means one look, after which nothing is called stale.
    type: float
    default: 5.0
  cluster_id:
    description: The C(cluster-id) of this cluster, where cilium-config is not read. Identities of other clusters are left out.
    type: int
  etcdctl:
    description:
      - What etcdctl printed on a host, for a store that cannot be reached from here. Nothing is asked over the network then.
    type: dict
    suboptions:
      status:
        description: Output of C(etcdctl endpoint status --cluster -w json).
        type: str
        required: true
      members:
        description: Output of C(etcdctl member list -w json).
        type: str
        required: true
      alarms:
        description: Output of C(etcdctl alarm list -w json). Empty means that it could not be listed.
        type: str
        default: ""
requirements:
  - urllib3, which kubernetes brings
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38 (where Kubernetes is asked)
seealso:
  - module: podnet.upkeep.kvstore_maintenance
"""

EXAMPLES = r"""
- name: The kvstore of Cilium, with the certificates that its agents have
  podnet.upkeep.kvstore_info:
    store: cilium
    etcd_secret: cilium-etcd-secrets
  register: kvstore

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ kvstore.problems }}"

- name: An etcd, without Kubernetes
  podnet.upkeep.kvstore_info:
    endpoints: [https://10.0.0.1:2379]
    etcd_ca_cert: /etc/upkeep/etcd/ca.crt
    etcd_client_cert: /etc/upkeep/etcd/client.crt
    etcd_client_key: /etc/upkeep/etcd/client.key
    contents: false
  register: etcd

- name: Stop when a database is nearly full
  ansible.builtin.assert:
    that: etcd.database is not none and etcd.database.share < 0.8
"""

RETURN = r"""
used:
  description: Whether Cilium uses a kvstore; C(null) where cilium-config was not read.
  returned: success
  type: bool
  sample: true
store:
  description: Which store this is about, V(cilium) or V(apiserver).
  returned: success
  type: str
  sample: cilium
source:
  description: Where its endpoints come from, or why there are none.
  returned: success
  type: str
  sample: etcd-config of cilium-config
endpoints:
  description: Endpoints that were known at first.
  returned: success
  type: list
  elements: str
  sample: ["https://10.0.0.1:2379"]
reachable:
  description: Whether any member answered. Without it everything about the store is C(null).
  returned: success
  type: bool
  sample: true
quorum:
  description: Whether a majority of members answers and follows one leader.
  returned: success
  type: bool
  sample: true
leader:
  description: Name of the member that leads.
  returned: success
  type: str
  sample: etcd-0
revision:
  description: Newest revision of keys.
  returned: success
  type: int
  sample: 91823
members:
  description:
    - The members. C(behind) is how many entries of the log a member has still to apply; C(quota_bytes) is C(null) where
      nobody tells it.
  returned: success
  type: list
  elements: dict
  sample:
    - name: etcd-0
      id: 8e9e05c52164694d
      endpoint: https://10.0.0.1:2379
      error:
      leader: true
      learner: false
      version: 3.6.10
      raft_term: 2
      raft_index: 912
      raft_applied_index: 912
      behind: 0
      revision: 871
      bytes: 25165824
      bytes_in_use: 16777216
      quota_bytes: 2147483648
      errors: []
database:
  description: Size of the fullest member against its limit, which is the smaller of quota and threshold.
  returned: success
  type: dict
  sample:
    bytes: 25165824
    bytes_in_use: 16777216
    quota_bytes: 2147483648
    limit_bytes: 2147483648
    share: 0.0117
    free_by_defragmentation: 8388608
alarms:
  description: Alarms that are raised; C(null) where they could not be listed.
  returned: success
  type: list
  elements: dict
  sample: [{"member": "etcd-1", "alarm": "NOSPACE"}]
contents:
  description:
    - What Cilium keeps in the store. C(null) when it was not looked at; RV(contents_unknown) says why.
    - In C(identities), C(unused) counts those without a Node at the last look, and C(unused_in_both_looks) names the first 1000
      that the operator is to remove.
  returned: success
  type: dict
  sample:
    leases: 12
    locks: {"held": 0, "waiting": 0, "stale": []}
    identities: {"masters": 210, "unused": 3, "unused_in_both_looks": [], "unused_in_both_looks_count": 0, "range": [256, 65535], "unknown": ""}
    heartbeat: {"time": "2026-11-01T06:00:00Z", "age_seconds": 12.1}
    seconds_between_looks: 5.0
contents_unknown:
  description: Why RV(contents) is C(null); empty otherwise.
  returned: success
  type: str
  sample: ""
problems:
  description: What is wrong, a sentence each.
  returned: success
  type: list
  elements: str
  sample: []
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Picture, of_etcdctl
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import (
    IdentityRange,
    IdentityRangeError,
    identity_range,
    range_of_config,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._etcd_options import (
    cluster_of,
    etcd_argument_spec,
    found_of,
    kubernetes_of,
    limits_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import kvstore_report
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_reader import EtcdReader
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.kvstore_discovery import APISERVER, AUTO, Found
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

Result = dict[str, t.Any]
_NOTHING: Result = {
    "reachable": False,
    "quorum": None,
    "leader": None,
    "revision": None,
    "members": [],
    "database": None,
    "alarms": None,
    "contents": None,
}


def _range(options: t.Mapping[str, t.Any], found: Found) -> tuple[IdentityRange | None, str]:
    try:
        if options["cluster_id"] is not None:
            return identity_range(options["cluster_id"]), ""
        if found.config is not None:
            return range_of_config(found.config), ""
    except IdentityRangeError as error:
        if options["cluster_id"] is not None:
            raise InputError(f"cluster_id: {error}.") from error
        return None, str(error)
    return None, "cilium-config was not read, and cluster_id is not given"


def _printed(options: t.Mapping[str, t.Any]) -> Picture:
    """The picture of what etcdctl printed."""
    said = {}
    for name in ("status", "members", "alarms"):
        text = (options["etcdctl"][name] or "").strip()
        try:
            said[name] = json.loads(text) if text else None
        except ValueError as error:
            raise InputError(
                f"etcdctl.{name}: it is no JSON ({error}); give what etcdctl prints with --write-out=json."
            ) from error
    picture = of_etcdctl(said["status"], said["members"], said["alarms"])
    if not picture.members:
        raise InputError("etcdctl.members: there is no member in it; give the output of etcdctl member list -w json.")
    return picture


def _run(module: AnsibleModule) -> Result:
    options = module.params
    limits = limits_of(options)
    if options["seconds_between_looks"] < 0:
        raise InputError(f"seconds_between_looks: {options['seconds_between_looks']:g} is negative; give 0 or more.")
    if options["etcdctl"]:
        picture = _printed(options)
        return {
            "used": None,
            "store": APISERVER,
            "source": "etcdctl on a host",
            "endpoints": [],
            **_NOTHING,
            "reachable": bool(picture.answering),
            **kvstore_report.members_section(picture, limits),
            "contents_unknown": "etcdctl was asked for members only",
            "problems": kvstore_report.problems(picture, limits),
        }
    client = kubernetes_of(options)
    found = found_of(options, client)
    known: Result = {"used": found.used, "store": found.store, "source": found.why, "endpoints": list(found.endpoints)}
    if not found.endpoints:
        needed = [f"Nothing is known about the store: {found.why}."] if found.used else []
        return {**known, **_NOTHING, "contents_unknown": found.why, "problems": needed}
    cluster = cluster_of(options, client, found, module.tmpdir)
    try:
        picture = cluster.picture()
    except EtcdError as error:
        if options["store"] != AUTO or found.used is not False or options["endpoints"]:
            raise
        # Cilium has no store, and that of the API server is told where it can be reached
        return {**known, **_NOTHING, "contents_unknown": str(error), "problems": []}
    contents, why = None, "contents is false"
    if found.store == APISERVER:
        why = "this is the etcd of the API server, in which Cilium keeps nothing itself"
    elif options["contents"] and not picture.quorum:
        why = "without a quorum, keys cannot be read for certain"
    elif options["contents"]:
        allowed, no_range = _range(options, found)
        looks = kvstore_report.Looks(options["seconds_between_looks"], allowed, no_range)
        contents, why = kvstore_report.contents_or_why(EtcdReader(cluster.any_door()), looks)
    return {
        **known,
        "reachable": True,
        **kvstore_report.members_section(picture, limits),
        "contents": contents,
        "contents_unknown": why,
        "problems": kvstore_report.problems(picture, limits, contents),
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **etcd_argument_spec(),
            "contents": {"type": "bool", "default": True},
            "seconds_between_looks": {"type": "float", "default": 5.0},
            "cluster_id": {"type": "int"},
            "etcdctl": {
                "type": "dict",
                "options": {
                    "status": {"type": "str", "required": True},
                    "members": {"type": "str", "required": True},
                    "alarms": {"type": "str", "default": ""},
                },
            },
        },
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
