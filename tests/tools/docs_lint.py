"""Runs `antsibull-docs lint-collection-docs` with temporary folders whose names are no references in reStructuredText.

The pages that it checks have the name of its temporary folder in them. One in 37 of such names ends in an underscore, which
makes it a reference to a target that does not exist, and the check fails by chance.
"""

from __future__ import annotations

import string
import sys
import tempfile
from typing import Any

from antsibull_docs.cli.antsibull_docs import run


def main() -> int:
    """Lint the collection in the current folder; the exit code of antsibull-docs."""
    names: Any = tempfile._RandomNameSequence  # type: ignore[attr-defined]
    names.characters = string.ascii_lowercase + string.digits
    return int(run(["antsibull-docs", "lint-collection-docs", "--plugin-docs", "."]))


if __name__ == "__main__":
    sys.exit(main())
