# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The former place of the text reports; remove it when nothing imports it any more."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._report.markdown import markdown
from ansible_collections.podnet.upkeep.plugins.module_utils._report.terminal import summary_lines

__all__ = ["markdown", "summary_lines"]
