# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Arguments of filters: what templates hand over, checked and freed from what ansible-core wraps it in."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_WORDS: Mapping[type, str] = {bool: "true or false", int: "a number", float: "a number", type(None): "nothing"}


def plain(value: t.Any) -> t.Any:
    """The same data in types of Python itself: ansible-core's own subclasses of text, list and dict carry tags."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    return value


def _kind(value: t.Any) -> str:
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, Sequence):
        return "a list"
    return _WORDS.get(type(value), type(value).__name__)


def text(value: t.Any, name: str, example: str) -> str:
    """``value`` as a text. Raises InputError naming the argument and an example."""
    if not isinstance(value, str):
        raise InputError(f"{name} is {_kind(value)}; give a text such as {example}")
    return str.__str__(value)


def whole_number(value: t.Any, name: str, smallest: int, largest: int) -> int:
    """``value`` as a whole number of this range; digits in a text are one. Raises InputError."""
    wanted = f"give a whole number from {smallest} to {largest}"
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value.strip())
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(
            f"{name} is {value!r}; {wanted}" if isinstance(value, str) else f"{name} is {_kind(value)}; {wanted}"
        )
    if not smallest <= value <= largest:
        raise InputError(f"{name} is {value}; {wanted}")
    return int(value)


def texts(value: t.Any, name: str, example: str) -> list[str]:
    """``value`` as a list of texts. Raises InputError."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InputError(f"{name} is {_kind(value)}; give a list of texts such as {example}")
    return [text(item, f"an item of {name}", example) for item in value]


def text_mapping(value: t.Any, name: str) -> dict[str, str]:
    """``value`` as {text: text}; nothing at all is empty. Raises InputError."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is {_kind(value)}; give a dictionary of texts")
    return {text(key, f"a key of {name}", "app"): text(item, f"{name}.{key}", "web") for key, item in value.items()}


def mapping(value: t.Any, name: str) -> dict[str, t.Any]:
    """``value`` as a dictionary in types of Python itself. Raises InputError."""
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is {_kind(value)}; give a dictionary")
    loaded: dict[str, t.Any] = plain(value)
    return loaded
