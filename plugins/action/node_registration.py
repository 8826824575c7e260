# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module ``node_registration`` in the worker of its task and shows its progress."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.modules import node_registration
from ansible_collections.podnet.upkeep.plugins.plugin_utils.direct_execution import DirectStreamingAction


class ActionModule(DirectStreamingAction):
    """See DirectStreamingAction."""

    module = node_registration
