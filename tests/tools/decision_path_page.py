"""Draws the documentation page of the decision path from its table, so that the two cannot differ."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_path_steps import STEPS
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_step import END, Step

WIDTH = 76
HEAD = """\
.. This page is drawn by tests/tools/decision_path_page.py from the table in decision_path_steps.py: change the table.

.. _ansible_collections.podnet.upkeep.docsite.decision_path:

Decision path
=============

From pods that do not start, or a warning about pod CIDRs, to the remedy. Every audit walks this path for its cluster
(``decision_path`` of the result), and every finding has one place in it. An answer is *yes* when a finding of the step
is a warning or worse, *no* when there is none, and *unknown* when something that the question needs could not be read;
*unknown* leads on as *no* does.

The path
--------

.. code-block:: text

"""


def escaped(text: str) -> str:
    """Prose as reStructuredText: characters that begin markup, and an underscore that ends a word, lose their meaning."""
    return re.sub(r"([\\*`|]|_(?!\w))", r"\\\1", text)


def drawing() -> str:
    """Boxes below each other, with the answers that lead somewhere else than to the next one beside the arrow."""
    lines: list[str] = []
    for step, follower in zip(STEPS, [*(one.id for one in STEPS[1:]), END], strict=True):
        words = textwrap.wrap(step.question, WIDTH - 4)
        lines.append(f"[{step.id}]")
        lines += [f"  {line}" for line in words]
        lines += _answers(step, follower)
    lines.append(f"[{END}]")
    return textwrap.indent("\n".join(lines), "   ") + "\n"


def _answers(step: Step, follower: str) -> list[str]:
    """The arrow to the step below, and the answers that lead elsewhere."""
    targets = {"yes": step.yes, "no": step.no}
    if step.yes == step.no != follower:
        return [f"    --> [{step.yes}]", ""]
    elsewhere = [f"    {answer} --> [{target}]" for answer, target in targets.items() if target != follower]
    below = [answer for answer, target in targets.items() if target == follower]
    return [*elsewhere, "      |" if len(below) == 2 else f"      | {below[0]}", "      v"]


def section(step: Step) -> str:
    """One step with what to do, and the findings that answer it."""
    answered = "".join(f"* ``{one}``: {escaped(CATALOGUE[one].title)}\n" for one in step.findings if one in CATALOGUE)
    text = f"{step.id}\n{'-' * len(step.id)}\n\n{escaped(step.question)}\n\n*Yes:* {escaped(step.then)}\n"
    return text + (f"\nAnswered by\n\n{answered}" if answered else "\nAnswered by what runs in the cluster.\n")


def page() -> str:
    """The whole page."""
    return HEAD + drawing() + "\n" + "\n".join(section(step) for step in STEPS)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
