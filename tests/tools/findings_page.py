"""Writes the documentation page of all findings from the catalogue, so that the two cannot differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES, FindingKind

HEAD = """\
.. This page is written by ``make pages`` from the catalogue: change the catalogue, not the page.

.. _ansible_collections.podnet.upkeep.docsite.findings:

Findings
========

Every finding of ``podnet.upkeep.audit``. The ids are stable: use them in ``audit_select``, in alerts and in tickets. The
severity is the usual one; a single finding may state another where the facts differ.

"""


def escaped(text: str) -> str:
    """Prose as reStructuredText: characters that begin markup, and an underscore that ends a word, lose their meaning."""
    return re.sub(r"([\\*`|]|_(?!\w))", r"\\\1", text)


def section(kind: FindingKind) -> str:
    """One finding as a section of the page."""
    mended_by = f"``{kind.playbook}``" if kind.playbook else "no playbook"
    return (
        f"{kind.id}\n{'-' * len(kind.id)}\n\n"
        f"**{escaped(kind.title)}** ({kind.severity}). {escaped(kind.meaning)}\n\n"
        f"*Why it matters:* {escaped(kind.why)}\n\n"
        f"*Verify by hand:*\n\n.. code-block:: text\n\n   {kind.verify}\n\n"
        f"*Remedy* ({mended_by}): {escaped(kind.remedy)}\n"
    )


def page() -> str:
    """The whole page: the gravest findings first, then in the order of the catalogue."""
    kinds = sorted(CATALOGUE.values(), key=lambda kind: SEVERITIES.index(kind.severity))
    return HEAD + "\n".join(section(kind) for kind in kinds)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
