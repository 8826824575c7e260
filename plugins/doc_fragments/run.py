# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  run:
    description:
      - The maintenance run that this step belongs to, as M(podnet.upkeep.maintenance_run) has started it. Its Lease is
        renewed at the beginning, while the module waits, and at the end where the host is worked on next. The module fails
        when another run has taken it over.
    type: dict
    suboptions:
      name:
        description: Name of the run.
        type: str
        default: reassign-pod-cidrs
      namespace:
        description: Namespace of its Lease.
        type: str
        default: kube-system
      holder:
        description: Who must hold the Lease, as M(podnet.upkeep.maintenance_run) has returned it.
        type: str
        required: true
      lease_seconds:
        description: How long the Lease is valid without being renewed. It is renewed in every fifth of that.
        type: int
        default: 300
"""

    JOURNAL = r"""
options:
  journal:
    description:
      - The journal of a maintenance run in the cluster. Every step is written there as well as into the file in
        O(state_dir), so that another machine can go on where this one has stopped.
    type: dict
    suboptions:
      name:
        description: Name of the run.
        type: str
        default: reassign-pod-cidrs
      namespace:
        description: Namespace of the journal.
        type: str
        default: kube-system
"""

    PROGRESS = r"""
options:
  progress_path:
    description:
      - File to which lines about a long wait are appended, at most one every ten seconds. The action plugin of this module
        sets it by itself, and shows the lines on the standard error stream of the command while the module waits.
    type: path
"""
