#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: capacity_forecast_info
short_description: Say when identities, blocks and addresses of the pod network run out
description:
  - Says in how many days the range of security identities, the blocks that kube-controller-manager or the cilium-operator give
    to Nodes, and the addresses of each Node run out, with the growth that it assumes and where that comes from.
  - The growth is the median of the slopes between all pairs of points of the history (Theil and Sen), with a range. Where the
    history is too short, or contradicts itself, the answer is unknown. There is never a number without a history.
  - Says how many more Nodes get a block, as the allocators count it, and what changes would do before they are made.
  - Never writes to the cluster.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
options:
  source:
    description: Where the present state comes from.
    type: str
    choices:
      live: The API of a cluster.
      snapshot: A file or folder, as M(podnet.upkeep.audit_info) reads it.
      result: The JSON result of an audit. It does not have the books of the cilium-operator, so its pools get no what-if.
    default: live
  snapshot:
    description: Path of the snapshot. Required for O(source=snapshot).
    type: path
  result:
    description: Path of the JSON result. Required for O(source=result).
    type: path
  history:
    description:
      - Files and folders with earlier states of the same cluster. Each file may be the JSON result of an audit, a saved state
        or sysdump, the metrics that an audit wrote for Prometheus, metrics of the same names with times in the text format of
        Prometheus, or the JSON answer of the HTTP API of Prometheus to C(query_range).
      - In a folder, files of other kinds are skipped. A file that you name and that cannot be used is an error.
      - The present state is the last point. What is later than it is not used.
    type: list
    elements: path
    default: []
  min_history_days:
    description: A history that is shorter than this says nothing.
    type: float
    default: 1.0
  horizon_days:
    description: Nothing is foretold that is further away than this.
    type: int
    default: 1825
  what_if:
    description: Changes to think through. Each one is answered for itself.
    type: dict
    suboptions:
      nodes:
        description: So many more Nodes.
        type: int
      node_mask_size_ipv4:
        description: Another size of the IPv4 blocks of new Nodes.
        type: int
      node_mask_size_ipv6:
        description: Another size of the IPv6 blocks of new Nodes.
        type: int
      added_cidrs:
        description:
          - Further ranges. kube-controller-manager takes a range that contains the present cluster CIDR; a pool of Cilium takes
            one that overlaps none of its CIDRs.
        type: list
        elements: str
        default: []
      pool:
        description:
          - The CiliumPodIPPool that O(what_if.added_cidrs) are added to, where Cilium has several pools. With
            O(what_if.new_pool_mask_size), the name of one that is not there yet.
        type: str
        default: default
      new_pool_mask_size:
        description:
          - The size of the blocks of a new CiliumPodIPPool O(what_if.pool) that has O(what_if.added_cidrs), all of one family.
        type: int
      identities_per_hour:
        description: So many new security identities an hour, each of which is used for a moment, as those of Jobs are.
        type: float
      identity_gc_interval:
        description: Another C(identity-gc-interval), such as V(5m0s), for the question what churn the range stands.
        type: str
      identity_heartbeat_timeout:
        description: Another C(identity-heartbeat-timeout), such as V(15m0s), for the same question.
        type: str
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  output_path:
    description: Write the whole forecast as JSON to this file.
    type: path
  report_markdown:
    description: Write the forecast as Markdown.
    type: path
  report_html:
    description: Write the forecast as one HTML file, which loads nothing from elsewhere.
    type: path
  select:
    description:
      - A JMESPath expression over the whole forecast. Its value is returned as RV(selected).
      - Needs the Python library C(jmespath).
    type: str
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38 (for O(source=live))
  - jmespath (for O(select))
seealso:
  - module: podnet.upkeep.audit_info
  - module: podnet.upkeep.pod_cidr_relief_info
"""

EXAMPLES = r"""
- name: When does what run out, by the audits of the last weeks
  podnet.upkeep.capacity_forecast_info:
    history: [/var/lib/upkeep/audits]
    report_html: /var/tmp/forecast.html
  register: forecast

- name: Show it
  ansible.builtin.debug:
    msg: "{{ forecast.lines }}"

- name: Do forty more Nodes fit, and what would a larger cluster CIDR give
  podnet.upkeep.capacity_forecast_info:
    what_if:
      nodes: 40
      added_cidrs: [10.244.0.0/15]

- name: Would the range of identities stand 20,000 new ones an hour with a faster collection
  podnet.upkeep.capacity_forecast_info:
    source: snapshot
    snapshot: /var/tmp/state.json.gz
    what_if:
      identities_per_hour: 20000
      identity_gc_interval: 5m0s
      identity_heartbeat_timeout: 15m0s

- name: What ends within 90 days, by a query to Prometheus
  podnet.upkeep.capacity_forecast_info:
    source: result
    result: /var/lib/upkeep/audit.json
    history: [/var/tmp/query_range.json]
    select: "resources[?days != null && days < `90`].[title, days]"
"""

RETURN = r"""
lines:
  description: The forecast for a terminal, what ends first comes first.
  returned: success
  type: list
  elements: str
  sample:
    - "   41.3 days  IPv4 blocks of 10.244.0.0/16 (/24) for Nodes: 62 of 256 free; 41 days (36 to 52 days) at 1.5 a day"
    - "      no end  identities of this cluster: 64,076 of 65,280 free; no end in sight: it does not grow"
resources:
  description:
    - Everything that can run out, but for addresses of Nodes. What ends first comes first.
    - C(verdict) is C(exhausted), C(growing), C(steady), C(shrinking), C(too-short), C(contradictory) or C(unknown).
    - C(days) is V(null) where nothing can be said, or no end is within O(horizon_days). C(growth) is what was assumed.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: node-blocks/IPv4
      title: IPv4 blocks of 10.244.0.0/16 (/24) for Nodes
      capacity: 256
      used: 194
      free: 62
      waiting: 0
      verdict: growing
      days: 41.33
      days_earliest: 36.47
      days_latest: 51.67
      exhausted_at: "2026-12-12T14:00:00+00:00"
      growth:
        {"verdict": "growing", "reason": "median of the slopes between 60 points over 59 days", "points": 60, "days": 59.0,
         "per_day": 1.5, "per_day_low": 1.2, "per_day_high": 1.7}
      sentence: 41 days (36 to 52 days) at 1.5 a day
node_addresses:
  description: How many Nodes have which verdict, and the twenty that run out of pod addresses first.
  returned: success
  type: dict
  sample: {"nodes": 194, "nodes_known": 194, "verdicts": {"steady": 194}, "soonest": []}
what_if:
  description:
    - One answer for each question and allocator; the first says how many more Nodes get a block.
    - C(first_node_without) is the number of the further Node that gets none. C(possible) is V(null) where nothing was asked for
      that could be denied, or it cannot be told.
  returned: success
  type: list
  elements: dict
  sample:
    - question: Do 40 more Nodes get a block?
      allocator: kube-controller-manager
      possible: true
      further_nodes: 62
      first_node_without: 63
      sentences: ["62 more Nodes get a block, number 63 gets none"]
      pools: [{"pool": "10.244.0.0/16", "family": "IPv4", "mask_size": 24, "capacity": 256, "used": 194, "free": 62}]
churn:
  description:
    - How many new identities an hour the range stands, and what the rate that was asked about, else the measured one, leads to.
    - V(null) where it is not known.
  returned: success
  type: dict
  sample:
    {"per_hour": 20000.0, "sustainable": true, "sustainable_per_hour": 51520.0, "life_hours": 1.25, "steady": 25880,
     "full_after_hours_earliest": null, "full_after_hours_latest": null, "limit": "", "assumed": true, "measured_per_hour": 12.9,
     "collects": true, "identities_in_use": 880, "capacity": 65280, "interval_seconds": 900.0, "heartbeat_timeout_seconds": 1800.0}
identities_single_state:
  description: What the present state alone tells about the growth of identities, by when those that exist were created.
  returned: success
  type: dict
  sample: {"per_hour": 12.9, "exhausted_at": null, "basis": "310 identities created, and still in use, in the last 24 h"}
unknown:
  description: What is not foretold, and why; also what of the present state could not be read.
  returned: success
  type: dict
  sample: {"cilium-pools": "there is no Cilium here"}
history:
  description: What the history was read from, and the rules that were applied. C(skipped) are files that could not be used.
  returned: success
  type: dict
  sample:
    sources:
      - {"name": "/var/lib/upkeep/audits/1.json", "kind": "audit", "points": 1, "first": "2026-09-01T06:00:00+00:00", "last": "2026-09-01T06:00:00+00:00"}
    least_days: 1.0
    horizon_days: 1825
    skipped: {}
selected:
  description: Value of O(select).
  returned: when O(select) is given
  type: raw
  sample: [["IPv4 blocks of 10.244.0.0/16 (/24) for Nodes", 41.33]]
report_paths:
  description: Files that were written, by the option that names them.
  returned: success
  type: dict
  sample: {"report_html": "/var/tmp/forecast.html"}
taken_at:
  description: When the present state was read.
  returned: success
  type: str
  sample: "2026-11-01T06:00:00+00:00"
origin:
  description: Where the present state comes from.
  returned: success
  type: str
  sample: API of https://192.0.2.1:6443
"""

import dataclasses
import datetime
import json
import math
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity import (
    RESOURCES_OF_A_FORECAST,
    Present,
    present_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity_document import WhatIf, forecast_document
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity_of_result import present_of_result
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import fault
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.capacity_forecast import Rules
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import DurationError, parse_timedelta
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import CollectionTimes
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.usage_history import taken_at, usages_of_document
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._history_files import (
    HistoryFiles,
    read,
    require_same_cluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._report.files import as_json
from ansible_collections.podnet.upkeep.plugins.module_utils._report.forecast_report import (
    forecast_html,
    forecast_lines,
    forecast_markdown,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._selection import compiled

_MOST_NODES = 1_000_000
_WRITERS: t.Final = {
    "output_path": as_json,
    "report_markdown": forecast_markdown,
    "report_html": forecast_html,
}


def _what_if(options: t.Mapping[str, t.Any]) -> WhatIf:
    """The questions. Raises InputError naming the one that cannot be used."""
    given = options["what_if"] or {}
    nodes, rate = given.get("nodes"), given.get("identities_per_hour")
    if nodes is not None and not 0 <= nodes <= _MOST_NODES:
        raise InputError(f"what_if.nodes: {nodes} is not usable; give 0 to {_MOST_NODES}.")
    if rate is not None and not 0 <= rate < math.inf:
        raise InputError(f"what_if.identities_per_hour: {rate} is not usable; give a number that is not negative.")
    masks = {}
    for version, longest in ((4, 32), (6, 128)):
        size = given.get(f"node_mask_size_ipv{version}")
        if size is None:
            continue
        if not 1 <= size <= longest:
            raise InputError(f"what_if.node_mask_size_ipv{version}: {size} is no mask size; give 1 to {longest}.")
        masks[version] = size
    try:
        cidrs = [parse_network(text) for text in given.get("added_cidrs") or ()]
    except CidrError as error:
        raise InputError(f"what_if.added_cidrs: {error}.") from error
    new_mask = given.get("new_pool_mask_size")
    if new_mask is not None and (not cidrs or len({one.version for one in cidrs}) > 1):
        raise InputError(
            "what_if.new_pool_mask_size: a new pool needs its CIDRs, of one family, in what_if.added_cidrs."
        )
    if new_mask is not None and not 1 <= new_mask <= (longest := cidrs[0].max_prefixlen):
        raise InputError(f"what_if.new_pool_mask_size: {new_mask} is no mask size; give 1 to {longest}.")
    interval = _duration(given, "identity_gc_interval")
    timeout = _duration(given, "identity_heartbeat_timeout")

    def times(present: CollectionTimes) -> CollectionTimes:
        return dataclasses.replace(
            present,
            interval=present.interval if interval is None else interval,
            timeout=present.timeout if timeout is None else timeout,
        )

    return WhatIf(nodes, masks, cidrs, given.get("pool") or "", rate, times, new_mask)


def _duration(given: t.Mapping[str, t.Any], name: str) -> datetime.timedelta | None:
    text = given.get(name)
    try:
        return None if text is None else parse_timedelta(text)
    except DurationError as error:
        raise InputError(f"what_if.{name}: {error}; give a duration such as 5m0s.") from error


def _present(options: t.Mapping[str, t.Any], settings: AuditSettings) -> Present:
    """The present state from where the options say. Raises InputError, ApiError."""
    if options["source"] == "live":
        wanted = live.LiveOptions(RESOURCES_OF_A_FORECAST, processes=True, cilium_namespace=options["cilium_namespace"])
        return present_of(Context(live.collect(KubeClient.from_options(options), wanted), settings))
    if options["source"] == "snapshot":
        return present_of(Context(snapshot.load(options["snapshot"]), settings))
    name, remedy = options["result"], "give a file that an audit wrote as output_path"
    try:
        with open(name, "rb") as file:
            content = json.loads(file.read())
        if words := fault(content):
            raise ValueError(f"it is not the result of an audit ({words})")
        return present_of_result(content)
    except OSError as error:
        raise InputError(f"result: {name} cannot be read: {error.strerror or error}; {remedy}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"result: {name} cannot be used: {error}; {remedy}.") from error


def _now(present: Present) -> float:
    now = taken_at(present.document)
    if now is None:
        raise InputError(f"result: its taken_at is no time: {present.document.get('taken_at')!r}; give another file.")
    return now


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    # what is wrong with the options is said before a cluster is read
    settings, what_if, select = audit_settings(options), _what_if(options), compiled(options["select"])
    for name in ("min_history_days", "horizon_days"):
        if not 0 < options[name] < math.inf:
            raise InputError(f"{name}: {options[name]} is no number of days; give more than 0.")
    files = read(options["history"], settings) if options["history"] else HistoryFiles()
    present = _present(options, settings)
    now = _now(present)
    nodes = frozenset(str(one.get("name")) for one in present.document.get("nodes") or ())
    require_same_cluster(files, present.cluster, nodes)
    files.history.add(now, usages_of_document(present.document), "the present state")
    rules = Rules(now, options["min_history_days"], options["horizon_days"])
    found = forecast_document(present, files.history, rules, what_if, files.sources)
    found["history"]["skipped"] = files.skipped
    paths = {
        name: write_atomically(options[name], write(found).encode("utf-8", "replace"), name)
        for name, write in _WRITERS.items()
        if options[name]
    }
    answer = {**found, "lines": forecast_lines(found), "report_paths": paths}
    if select is not None:
        answer["selected"] = select(found)
    return answer


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            "source": {"type": "str", "choices": ["live", "snapshot", "result"], "default": "live"},
            "snapshot": {"type": "path"},
            "result": {"type": "path"},
            "history": {"type": "list", "elements": "path", "default": []},
            "min_history_days": {"type": "float", "default": 1.0},
            "horizon_days": {"type": "int", "default": 1825},
            "what_if": {
                "type": "dict",
                "options": {
                    "nodes": {"type": "int"},
                    "node_mask_size_ipv4": {"type": "int"},
                    "node_mask_size_ipv6": {"type": "int"},
                    "added_cidrs": {"type": "list", "elements": "str", "default": []},
                    "pool": {"type": "str", "default": "default"},
                    "new_pool_mask_size": {"type": "int"},
                    "identities_per_hour": {"type": "float"},
                    "identity_gc_interval": {"type": "str"},
                    "identity_heartbeat_timeout": {"type": "str"},
                },
            },
            "cilium_namespace": {"type": "str", "default": ""},
            "output_path": {"type": "path"},
            "report_markdown": {"type": "path"},
            "report_html": {"type": "path"},
            "select": {"type": "str"},
        },
        required_if=[("source", "snapshot", ("snapshot",)), ("source", "result", ("result",))],
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
