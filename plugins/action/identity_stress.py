# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module ``identity_stress`` and shows its progress."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.plugin_utils.progress_stream import StreamingAction


class ActionModule(StreamingAction):
    """See StreamingAction."""
