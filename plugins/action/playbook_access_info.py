# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module ``playbook_access_info`` in the worker of its task."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.modules import playbook_access_info
from ansible_collections.podnet.upkeep.plugins.plugin_utils.direct_execution import DirectAction


class ActionModule(DirectAction):
    """See DirectAction."""

    module = playbook_access_info
