# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The former place of the HTML report; remove it when nothing imports it any more."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._report.html_report import render

__all__ = ["render"]
