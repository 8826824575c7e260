# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What becomes of the real operator of Cilium with the configuration that a playbook has left."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.bring_up import BroughtUp
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.control_plane import ControlPlane
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.plane import Plane
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.processes import Run


def look_at_operator(made: BroughtUp, run: Run) -> list[str]:
    """Start the operator again where its configuration is another one now; sentences about what became of it."""
    if made.operator:
        return []
    client = KubeClient.from_options({"kubeconfig": made.kubeconfig})
    path = f"/api/v1/namespaces/{made.cilium_namespace}/configmaps/cilium-config"
    try:
        found = client.find(path)
    except ApiError as error:
        return [f"The configuration of Cilium could not be read after the run: {error}"]
    config = {key: str(value) for key, value in ((found or {}).get("data") or {}).items()}
    if config == made.cilium_config:
        return []
    changed = sorted(key for key in {*config, *made.cilium_config} if config.get(key) != made.cilium_config.get(key))
    plane = Plane(made.folder, made.paths, made.ports, AllocatorSettings(), 0, config, made.cilium_namespace)
    said = ControlPlane(plane, run).start_operator(config)
    made.cilium_config = config
    made.save()
    return [said or f"The real cilium-operator starts with the changed configuration ({', '.join(changed[:8])})."]
