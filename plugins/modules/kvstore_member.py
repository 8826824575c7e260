#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kvstore_member
short_description: Look at the member of an etcd on a host, and make room in it, by etcdctl there
description:
  - Does for one member, on its own host, what M(podnet.upkeep.kvstore_maintenance) does for all of them through the JSON gateway.
    It is for an etcd whose gateway is switched off, or whose client ports are reached only from the hosts of its members.
  - Commands are run over the connection of the task, with its privilege escalation. Decisions are made where Ansible runs. The
    host needs etcdctl of 3.4 or newer, or a running container of etcd that crictl shows, and no Python.
  - The endpoint of the host must lead to the member that was planned for it. The other members are asked at the URLs that they
    advertise, which must be reached from each member's host, as in a control plane.
  - Before each step all members are looked at, as M(podnet.upkeep.kvstore_maintenance) does, and the same things are refused.
  - C(etcdctl alarm disarm) takes back every alarm that is raised, and not V(NOSPACE) alone. So it is not run while another one is
    raised, and what it took back is looked at.
  - This is an action plugin. The role P(podnet.upkeep.maintain_kvstore#role) runs it for all hosts in their order.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.etcd.maintenance
  - podnet.upkeep.run
attributes:
  check_mode:
    support: full
    details:
      - With O(state=inspected), members are looked at and the plan is returned. The other states do nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - V(inspected) only reads. What speaks against maintenance is in RV(problem), and the task does not fail.
      - V(begun) takes the snapshot of this host's member, and compacts all members.
      - V(defragmented) defragments the member of this host. A member that leads is left alone while others are to be done
        (O(leader_waits)).
      - V(disarmed) disarms V(NOSPACE), when it is raised and all members are below their quota.
    type: str
    choices: [inspected, begun, defragmented, disarmed]
    required: true
  work:
    description: What is to be done, as M(podnet.upkeep.kvstore_hosts) returned it. Not needed for O(state=inspected).
    type: dict
    default: {}
  member:
    description: ID of the member that must be on this host, as M(podnet.upkeep.kvstore_hosts) returned it.
    type: str
    default: ""
  done:
    description: IDs of the members that were visited already.
    type: list
    elements: str
    default: []
  leader_waits:
    description: Do not begin a member that leads while others of O(work) are not in O(done). RV(outcome) is V(leads) then.
    type: bool
    default: true
  etcdctl_in:
    description:
      - Where etcdctl is. V(container) is the running container of etcd, entered by crictl; V(auto) is the host, and the container
        where the host has none of 3.4 or newer.
    type: str
    choices: [auto, host, container]
    default: auto
  etcdctl:
    description: Name or path of etcdctl there.
    type: str
    default: etcdctl
  crictl:
    description: Name or path of crictl on the host.
    type: str
    default: crictl
  etcdctl_endpoint:
    description: Client URL of the member on this host.
    type: str
    default: "https://127.0.0.1:2379"
  etcdctl_ca_cert:
    description: Path of the authority's certificate, where etcdctl is. Empty means that none is given.
    type: str
    default: /etc/kubernetes/pki/etcd/ca.crt
  etcdctl_client_cert:
    description: Path of the client certificate there. Where etcd's own authentication is on, its common name is the user.
    type: str
    default: /etc/kubernetes/pki/etcd/healthcheck-client.crt
  etcdctl_client_key:
    description: Path of its key.
    type: str
    default: /etc/kubernetes/pki/etcd/healthcheck-client.key
  etcd_timeout:
    description: Seconds to wait for one answer. etcdctl waits so long also for a member that is stopped.
    type: float
    default: 10.0
  threshold_bytes:
    description: Size of a database that is too large in any case.
    type: int
    default: 8589934592
  quota_bytes:
    description:
      - Quota of the members (C(--quota-backend-bytes)) where they do not tell it, which they do from 3.6 on.
    type: int
  snapshot_on:
    description:
      - Where a snapshot is kept. V(controller) is O(snapshot_dir) where Ansible runs; V(host) is O(host_snapshot_dir).
      - To be fetched, it is given to the user who logs in, for that time.
    type: str
    choices: [controller, host]
    default: controller
  host_snapshot_dir:
    description:
      - Folder on the host for snapshots that are kept there, and for those on their way. Empty means
        C(/var/lib/podnet-upkeep/kvstore), or C(/var/tmp) on the way.
    type: str
    default: ""
  state_dir:
    description: Folder where Ansible runs, for the lock.
    type: path
    default: ~/.local/state/podnet-upkeep
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38 (where Kubernetes is asked)
seealso:
  - module: podnet.upkeep.kvstore_hosts
  - module: podnet.upkeep.kvstore_maintenance
"""

EXAMPLES = r"""
- name: What the member on each host tells
  podnet.upkeep.kvstore_member:
    state: inspected
  become: true
  register: asked

- name: Defragment the member on this host
  podnet.upkeep.kvstore_member:
    state: defragmented
    work: "{{ hostvars.localhost.planned.work }}"
    member: "{{ hostvars.localhost.planned.members[inventory_hostname] }}"
  become: true
"""

RETURN = r"""
problem:
  description: What speaks against maintenance; empty when nothing does.
  returned: O(state=inspected)
  type: str
  sample: "Member etcd-2 does not answer: https://10.0.0.3:2379, asked from host cp1: connection refused."
place:
  description: Where etcdctl is, V(host) or V(container).
  returned: O(state=inspected)
  type: str
  sample: container
member:
  description: The member on this host; C(null) when there is a problem.
  returned: O(state=inspected)
  type: dict
  sample: {"id": "8e9e05c52164694d", "name": "cp1", "leader": false}
members:
  description: All members, as M(podnet.upkeep.kvstore_info) returns them.
  returned: O(state=inspected)
  type: list
  elements: dict
  sample: [{"name": "cp1", "bytes": 1355776}]
due:
  description: Whether there is anything to do.
  returned: O(state=inspected)
  type: bool
  sample: true
plan:
  description: What is to be done, as M(podnet.upkeep.kvstore_maintenance) returns it; C(null) when there is a problem.
  returned: O(state=inspected)
  type: dict
  sample: {"compact_to": 91823, "defragment": ["cp2", "cp3", "cp1"], "disarm": true, "reasons": {}}
work:
  description: The same for the next tasks, with IDs of members; C(null) when there is a problem.
  returned: O(state=inspected)
  type: dict
  sample: {"cluster": "cdf818194e3a8c32", "compact_to": 91823, "defragment": ["8e9e05c52164694d"], "urgent": true}
lines:
  description: A line for each member, as it is and as it will be; not returned when there is a problem.
  returned: O(state=inspected)
  type: dict
  sample: {"before": "cp1: 16 MiB, 1.3 MiB in use", "after": "cp1: about 1.3 MiB"}
steps:
  description: What was done, in order, as M(podnet.upkeep.kvstore_maintenance) returns it.
  returned: other states, also on failure when something was begun
  type: list
  elements: dict
  sample:
    - {"step": "defragment", "member": "cp1", "bytes_before": 17039360, "bytes_after": 1355776, "seconds": 0.031}
outcome:
  description: V(done), V(not worth it), or V(leads) for a member that waits for the others.
  returned: O(state=defragmented)
  type: str
  sample: done
"""
