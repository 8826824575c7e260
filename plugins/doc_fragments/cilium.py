# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  cilium_version:
    description:
      - Release of Cilium, such as V(1.18), where the images do not tell it by their tag. It decides which keys there are and
        how they are read.
    type: str
    default: ""
"""
