"""What the CNI left on a host, from the texts of its files."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.filter.cni_host_state import FilterModule
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cni_host_state import host_state

BRIDGE = {
    "type": "bridge",
    "bridge": "br-pods",
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}]]},
}
LINKS = json.dumps(
    [
        {"ifname": name, "addr_info": [{"local": address, "prefixlen": 24, "scope": "global"}, {"scope": "link"}]}
        for name, address in (("eth0", "192.0.2.1"), ("cni0", "10.9.0.1"), ("br-pods", "10.1.0.1"))
    ]
)


def of(configs: dict[str, Any], flannel: str = "", links: str = LINKS) -> dict[str, Any]:
    """The state of host n."""
    return host_state("n", {name: json.dumps(content) for name, content in configs.items()}, flannel, links)


def test_a_list_of_plugins() -> None:
    """Subnets of both families; the address of the bridge that it names, and of no other link."""
    found = of({"10-net.conflist": {"name": "x", "plugins": [BRIDGE, {"type": "portmap"}]}})
    (config,) = found["conflists"]
    assert config == {
        "file": "10-net.conflist",
        "plugins": ["bridge", "portmap"],
        "subnets": ["10.1.0.0/24", "fd00::/64"],
        "bridge": "br-pods",
    }
    assert (found["node"], found["bridge_addresses"], found["error"]) == ("n", ["10.1.0.1/24"], "")


def test_a_single_plugin_in_the_older_form() -> None:
    """A .conf file is one plugin, and its IPAM may have one subnet."""
    found = of({"10-net.conf": {"type": "bridge", "ipam": {"subnet": "10.1.0.0/24"}}})
    assert found["conflists"][0]["subnets"] == ["10.1.0.0/24"]
    assert found["bridge_addresses"] == ["10.9.0.1/24"]  # the default name of the plugin


def test_flannel_delegates_to_a_bridge() -> None:
    """Its subnet is in its state, for each family."""
    state = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_IPV6_SUBNET=fd00::1/64\n"
    found = of({"10-flannel.conflist": {"plugins": [{"type": "flannel", "delegate": {"bridge": "br-pods"}}]}}, state)
    assert found["flannel_subnets"] == ["10.244.3.1/24", "fd00::1/64"]
    assert found["bridge_addresses"] == ["10.1.0.1/24"]


def test_a_cni_without_bridge_has_no_bridge_address() -> None:
    """What an earlier CNI left is not in use."""
    assert of({"05-cilium.conflist": {"plugins": [{"type": "cilium-cni"}]}})["bridge_addresses"] == []


def test_the_first_configuration_by_name_counts() -> None:
    """As for container runtimes."""
    found = of({"99-bridge.conflist": {"plugins": [BRIDGE]}, "05-cilium.conf": {"type": "cilium-cni"}})
    assert [one["file"] for one in found["conflists"]] == ["05-cilium.conf", "99-bridge.conflist"]
    assert found["bridge_addresses"] == []


def test_no_configuration_at_all() -> None:
    """What is left of a bridge is still of interest."""
    assert of({})["bridge_addresses"] == ["10.9.0.1/24"]


@pytest.mark.parametrize(
    ("configs", "links", "words"),
    [
        ({"10-net.conf": "{"}, "[]", "10-net.conf is not JSON"),
        ({"10-net.conf": "[]"}, "[]", "10-net.conf is not a JSON object"),
        ({}, "{}", "ip -json address show is not a JSON list"),
        ({}, "1: lo:", "ip -json address show is not JSON"),
    ],
)
def test_what_is_not_what_it_should_be(configs: dict[str, str], links: str, words: str) -> None:
    """One sentence that names the file."""
    with pytest.raises(ValueError, match=words):
        host_state("n", configs, "", links)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["plugins", "type", "ipam", "ranges", "subnet", "bridge", "delegate", "addr_info", "ifname"]
            ),
            inner | st.sampled_from(["bridge", "flannel"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON, _JSON, st.text(max_size=60))
def test_any_content_gives_a_state_or_one_sentence(config: Any, links: Any, flannel: str) -> None:
    """A file may have been cut or edited: never another error."""
    try:
        found = host_state("n", {"a.conf": json.dumps(config)}, flannel, json.dumps(links))
    except ValueError:
        return
    assert all(isinstance(one, str) for one in found["conflists"][0]["subnets"])


def slurped(path: str, text: str) -> dict[str, str]:
    """A result of ansible.builtin.slurp."""
    return {"source": path, "content": base64.b64encode(text.encode()).decode(), "encoding": "base64"}


def test_the_filter_takes_results_of_slurp() -> None:
    """Folders are dropped, flannel's state is known by its path."""
    state = FilterModule().filters()["cni_host_state"]
    files = [
        slurped("/etc/cni/net.d/10.conflist", json.dumps({"plugins": [BRIDGE]})),
        slurped("/run/flannel/subnet.env", "FLANNEL_SUBNET=10.1.0.1/24"),
    ]
    found = state(files, "n", links=LINKS)
    assert (found["conflists"][0]["file"], found["flannel_subnets"]) == ("10.conflist", ["10.1.0.1/24"])


@pytest.mark.parametrize(
    "files", [[{"content": "e30="}], [{"source": "x", "content": "???"}], ["x"], [slurped("a", "{")]]
)
def test_the_filter_says_what_is_wrong(files: list[Any]) -> None:
    """In one sentence."""
    with pytest.raises(AnsibleFilterError, match=r"^cni_host_state: "):
        FilterModule().filters()["cni_host_state"](files, "n")
