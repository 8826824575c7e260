"""Runs a module in this process, without ansible-playbook around it, and gives what it prints."""

from __future__ import annotations

import contextlib
import io
import json
from types import ModuleType
from typing import Any

from ansible.module_utils.testing import patch_module_args


def answer(module: ModuleType, **options: Any) -> dict[str, Any]:
    """What `module` prints for these options."""
    printed = io.StringIO()
    with patch_module_args(options), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        module.main()
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found
