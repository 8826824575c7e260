# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What the CNI left on a host, from the texts of its files: the subnets that new pods get addresses of, and bridges.

Formats: containernetworking/cni (SPEC.md), the plugins bridge, host-local and flannel; iproute2's JSON of addresses.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator, Mapping, Sequence

# plugins that put pods on a bridge, which they call so unless they are told otherwise
_BRIDGES = {"bridge": "cni0", "flannel": "cni0"}
_FLANNEL_KEYS = ("FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET")


def host_state(node: str, configs: Mapping[str, str], flannel_state: str, links: str) -> dict[str, t.Any]:
    """The state of one host, as checks read it: an entry of the resource "hosts".

    ``configs``: {file name: text} of the CNI folder. ``flannel_state``: text of subnet.env, empty when there is none.
    ``links``: output of ``ip -json address show``. Raises ValueError, naming the file, when one is not what it should be.
    """
    lists = [_config(name, configs[name]) for name in sorted(configs)]
    # the runtime takes the first by name; without any, bridges that earlier ones left are all that there is
    bridges = {lists[0]["bridge"]} if lists else set(_BRIDGES.values())
    return {
        "node": node,
        "conflists": lists,
        "bridge_addresses": list(_addresses(links, bridges)),
        "flannel_subnets": _flannel_subnets(flannel_state),
        "error": "",
    }


def _config(name: str, text: str) -> dict[str, t.Any]:
    """A .conflist has a list of plugins, a .conf is one."""
    content = _parsed(name, text, dict)
    plugins = [one for one in _sequence(content.get("plugins")) or [content] if isinstance(one, dict)]
    kinds = [str(one.get("type") or "") for one in plugins]
    return {
        "file": name,
        "plugins": kinds,
        "subnets": [subnet for plugin in plugins for subnet in _subnets(plugin)],
        "bridge": next((_bridge(plugin) for plugin in plugins if str(plugin.get("type")) in _BRIDGES), ""),
    }


def _bridge(plugin: Mapping[str, t.Any]) -> str:
    delegate = plugin.get("delegate")
    named = plugin.get("bridge") or (delegate.get("bridge") if isinstance(delegate, dict) else "")
    return str(named or _BRIDGES[plugin["type"]])


def _subnets(plugin: Mapping[str, t.Any]) -> Iterator[str]:
    """host-local has lists of ranges in a list, or a single subnet in the older form."""
    ipam = plugin.get("ipam")
    if not isinstance(ipam, dict):
        return
    ranges = [one for group in _sequence(ipam.get("ranges")) for one in _sequence(group)]
    for one in (*ranges, ipam):
        if isinstance(one, dict) and one.get("subnet"):
            yield str(one["subnet"])


def _addresses(links: str, bridges: set[str]) -> Iterator[str]:
    for link in _parsed("ip -json address show", links or "[]", list):
        if isinstance(link, dict) and str(link.get("ifname")) in bridges:
            for one in _sequence(link.get("addr_info")):
                if isinstance(one, dict) and one.get("scope") == "global":
                    yield f"{one.get('local')}/{one.get('prefixlen')}"


def _flannel_subnets(text: str) -> list[str]:
    pairs = (line.strip().partition("=") for line in text.splitlines())
    values = {key: value.strip("\"'") for key, _separator, value in pairs}
    return [values[key] for key in _FLANNEL_KEYS if values.get(key)]


def _sequence(value: object) -> Sequence[t.Any]:
    return value if isinstance(value, list) else ()


def _parsed(name: str, text: str, kind: type) -> t.Any:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON ({error})") from error
    if not isinstance(content, kind):
        raise ValueError(f"{name} is not a JSON {'object' if kind is dict else 'list'}")
    return content
