# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What is to be said of one IPAM model, for people: an entry of ``ipam_model_pages``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelPage:
    """One model. Every text is one or more whole sentences; ``verify`` is a command that shows the truth by hand."""

    title: str
    truth: str
    writer: str
    deletion: str
    growth: str
    not_judged: str
    verify: str
    agent: str = ""  # name of the DaemonSet without which no pod of a Node gets an address
