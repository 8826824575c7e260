# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the CNI left on a host, from files that were read with ansible.builtin.slurp."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cni_host_state
short_description: What the CNI left on a host
version_added: 0.1.0
author:
  - podnet.upkeep contributors
description:
  - Makes an entry of O(podnet.upkeep.audit_info#module:host_facts) from files of a host.
  - Takes the results of M(ansible.builtin.slurp) and gives the subnets that new pods get addresses of, and the addresses of
    the bridge. Nothing else of the files is kept, as some CNIs write a token into their configuration.
positional: _input, node
options:
  _input:
    description: Results of M(ansible.builtin.slurp), each with C(source) and C(content).
    type: list
    elements: dict
    required: true
  node:
    description: Name of the Node of this host.
    type: str
    required: true
  links:
    description: Output of C(ip -json address show).
    type: str
    default: "[]"
  flannel_state_file:
    description: Path of flannel's state on the host. Every other file is taken for a CNI configuration.
    type: str
    default: /run/flannel/subnet.env
"""

EXAMPLES = r"""
- name: Note what the CNI left
  ansible.builtin.set_fact:
    host_facts: "{{ [files.results | podnet.upkeep.cni_host_state('worker-1', links=addresses.stdout)] }}"
"""

RETURN = r"""
_value:
  description:
    - The Node, its CNI configurations with their subnets, addresses of the bridge, subnets of flannel, and an empty C(error).
  type: dict
"""

import base64
import binascii
import posixpath
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cni_host_state import host_state

_FLANNEL = "/run/flannel/subnet.env"


def cni_host_state(
    files: Sequence[Mapping[str, t.Any]], node: str, links: str = "[]", flannel_state_file: str = _FLANNEL
) -> dict[str, t.Any]:
    """One entry of host_facts; AnsibleFilterError, naming the file, when a file is not what it should be."""
    try:
        texts = {str(one["source"]): base64.b64decode(one["content"]).decode(errors="replace") for one in files}
        flannel = texts.pop(flannel_state_file, "")
        return host_state(node, {posixpath.basename(path): text for path, text in texts.items()}, flannel, links)
    except (KeyError, TypeError, binascii.Error) as error:
        raise AnsibleFilterError(
            f"cni_host_state: the input is no list of results of ansible.builtin.slurp ({error!r}); give its results."
        ) from error
    except ValueError as error:
        raise AnsibleFilterError(f"cni_host_state: {error}.") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Names without the collection's."""
        return {"cni_host_state": cni_host_state}
