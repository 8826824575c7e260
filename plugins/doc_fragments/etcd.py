# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store:
    description:
      - Which etcd is meant where O(endpoints) are not given.
      - V(cilium) is the kvstore of Cilium, whose endpoints cilium-config tells (C(kvstore-opt), C(etcd-config)).
      - V(apiserver) is the etcd of the API server, whose endpoints its static pods tell.
      - V(auto) is that of Cilium where Cilium uses one, and that of the API server otherwise.
    type: str
    choices: [auto, cilium, apiserver]
    default: auto
  endpoints:
    description:
      - Client URLs of members, such as V(https://10.0.0.1:2379). One is enough to find the others by what they advertise. An
        address that leads to several members, as that of a load balancer, is not enough.
      - When they are given, Kubernetes is asked only where O(kubeconfig), O(context), O(host), O(api_key) or O(etcd_secret)
        is given as well.
    type: list
    elements: str
    default: []
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  etcd_ca_cert:
    description: PEM file with the authority of the members' certificates. Empty means those of this machine.
    type: path
    default: ""
  etcd_client_cert:
    description: PEM file with the client certificate.
    type: path
    default: ""
  etcd_client_key:
    description: PEM file with the key of O(etcd_client_cert).
    type: path
    default: ""
  etcd_secret:
    description:
      - Name of a Secret in the namespace of Cilium with authority, certificate and key, such as V(cilium-etcd-secrets). They
        are kept in files of the task's temporary folder while it runs. Single files override what it has.
    type: str
    default: ""
  etcd_user:
    description: User, where etcd's own authentication is on. Its gateway takes no name from a certificate.
    type: str
    default: ""
  etcd_password:
    description: Password of O(etcd_user).
    type: str
    default: ""
  etcd_server_name:
    description: Name that must be in the certificates of the members, where it is not their address.
    type: str
    default: ""
  etcd_timeout:
    description: Seconds to wait for one answer.
    type: float
    default: 10.0
  threshold_bytes:
    description: Size of a database that is too large in any case. The default is 8 GiB, as etcd advises at most.
    type: int
    default: 8589934592
  quota_bytes:
    description:
      - Quota of the members (C(--quota-backend-bytes)) where they do not tell it. From 3.6 on they do; before, only their
        metrics do. Where it is unknown, sizes are compared with etcd's usual quota of 2 GiB.
    type: int
notes:
  - The JSON gateway of etcd is used, which is on where nobody set C(--enable-grpc-gateway=false).
"""

    MAINTENANCE = r"""
options:
  keep_revisions:
    description: How many of the newest revisions are kept. A client that watches from an older one has to list again.
    type: int
    default: 1000
  min_revisions:
    description:
      - Compact when so many revisions can be forgotten. A tenth is enough where a database is nearly full, and one while the
        alarm V(NOSPACE) is raised.
    type: int
    default: 10000
  min_gain:
    description:
      - Defragment a member when it has so many free bytes. A twentieth of its size is enough where a database is nearly full.
    type: int
    default: 67108864
  max_lag:
    description: How many entries of the log a member may have still to apply.
    type: int
    default: 1000
  snapshot:
    description: Take a snapshot before anything is changed.
    type: bool
    default: true
  snapshot_dir:
    description:
      - Folder on this machine for snapshots, which are files that C(etcdutl snapshot restore) takes. They have all keys in
        them, secrets as well, and are for this user only (mode 0600). They are never removed.
    type: path
    default: ~/.local/state/podnet-upkeep/kvstore
  move_leader:
    description: Let a member lead that is done already, before the leader is defragmented, so that writes go on.
    type: bool
    default: true
  window_end:
    description:
      - Until when another step may be begun, as V(HH:MM) of this machine's clock or as a moment to come with its offset. A
        O(run) has its own.
    type: str
    default: ""
  compact_timeout:
    description: Seconds for compaction of one member.
    type: int
    default: 600
  defragment_timeout:
    description: Seconds for defragmentation of one member. A few for each GiB are usual.
    type: int
    default: 600
  member_timeout:
    description: Seconds for a member to be healthy again.
    type: int
    default: 300
"""
