# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  batch_size:
    description:
      - How many objects are proved to be dead, written into the journal and deleted together, V(1) to V(10000). A low
        O(rate) makes batches smaller, so that no proof is older than half a minute when its objects are deleted.
    type: int
    default: 100
  rate:
    description:
      - Deletions per second on average. Every deletion reaches every agent of the cluster. V(0) means as fast as the API
        server takes them.
    type: float
    default: 50.0
  pause:
    description: Seconds between two batches.
    type: float
    default: 0.0
  max_deletions:
    description:
      - How many objects are deleted at most. To end there is success, and RV(limited) is V(true). Without it, all are.
    type: int
  max_conflict_share:
    description:
      - Share of one batch that may be found in use (HTTP 409) before the run stops. More than ten objects must be, too.
    type: float
    default: 0.5
  concurrency:
    description: How many requests are sent at the same time, V(1) to V(64).
    type: int
    default: 8
  journal_path:
    description:
      - Folder on this machine in which the journal of the run is made, a file that only this user can read. Every object is
        in it as a whole before it is deleted. M(podnet.upkeep.deletion_undo) reads it.
      - Journals of earlier runs in this folder that were killed are completed by a look at each of their objects.
    type: path
    default: ~/.local/state/podnet-upkeep/deletions
"""
