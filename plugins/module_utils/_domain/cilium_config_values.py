# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether Cilium's programs start with a value of cilium-config, and what they take it for.

Source: validateConfigMap of pkg/option/config.go (github.com/spf13/cast), decoderConfig of hive cell/config.go
(mapstructure, weakly typed). Checked against the real cilium-operator 1.18.4 by tests/integration/test_cilium_config.py.
"""

from __future__ import annotations

import json
import re

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import ConfigKey
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import (
    DurationError,
    format_duration,
    parse,
    quoted,
)

TRUE_WORDS = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE_WORDS = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_BITS = {"int": 64, "int32": 32, "uint": 64, "uint8": 8, "uint16": 16, "uint32": 32}
# letters by which the loose conversion decides whether a duration has a unit
_UNIT_LETTERS = frozenset("nsu\u00b5mh")
_DECIMAL = re.compile(r"^([-+]?\d*)(\.\d*)?$")
_FLOAT = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$|^[+-]?(inf|infinity|nan)$", re.IGNORECASE)
_HEX_FLOAT = re.compile(r"^[+-]?0[xX]([0-9a-fA-F]+(\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)[pP][+-]?\d+$")


def problem(key: ConfigKey, value: str) -> str:
    """Why the key's program does not start with ``value``, in its own words; empty when it starts."""
    text = value.strip()
    if key.kind == "bool":
        words = TRUE_WORDS | FALSE_WORDS
        return "" if text in words else f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax"
    if key.kind == "duration":
        return _duration_problem(key, text)
    if key.kind in _BITS:
        return _number_problem(key, text)
    if key.kind == "float":
        fits = not text or _FLOAT.match(text) or _HEX_FLOAT.match(text)
        return "" if fits else f"strconv.ParseFloat: parsing {quoted(text)}: invalid syntax"
    if key.kind == "map":
        return _map_problem(text)
    return ""


def _duration_problem(key: ConfigKey, text: str) -> str:
    try:
        read_loosely(text)
        if key.strict:
            parse(text)
    except DurationError as error:
        return str(error)
    return ""


def read_loosely(text: str) -> int:
    """Nanoseconds of a duration as the loose conversion takes it: a number without unit is nanoseconds.

    Raises DurationError with Go's words.
    """
    return parse(text if _UNIT_LETTERS & set(text) else text + "ns")


def duration(key: ConfigKey, value: str) -> int | None:
    """Nanoseconds that the key's program takes ``value`` for; None where it does not start with it."""
    try:
        return parse(value.strip()) if key.strict else read_loosely(value.strip())
    except DurationError:
        return None


def lost_unit(key: ConfigKey, value: str) -> str:
    """What a duration without unit is taken for where that is no error (``300ns``); empty in every other case."""
    text = value.strip()
    if key.kind != "duration" or key.strict or _UNIT_LETTERS & set(text):
        return ""
    nanoseconds = duration(key, text)
    return format_duration(nanoseconds) if nanoseconds else ""


def boolean(value: str) -> bool | None:
    """true or false as Go reads it; None when it is neither."""
    text = value.strip()
    return True if text in TRUE_WORDS else False if text in FALSE_WORDS else None


def integer(value: str) -> int | None:
    """The number that strconv.ParseInt with base 0 reads: decimal, 0x, 0o, 0b, a leading 0 is octal; else None."""
    text = value.strip()
    sign = text[:1] if text[:1] in ("-", "+") else ""
    digits = text[len(sign) :]
    if not digits.isascii() or not digits or digits[0] == "_":
        return None
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567_":
        digits = "0o" + digits[1:]
    try:
        return int(sign + digits, 0)
    except ValueError:
        return None


def _number_problem(key: ConfigKey, text: str) -> str:
    """The loose conversion cuts off decimals and takes the empty text for 0; the decoder does only the latter."""
    if not text:
        return ""
    unsigned = key.kind.startswith("uint")
    function = "strconv.ParseUint" if unsigned else "strconv.ParseInt"
    cut = _DECIMAL.match(text) if "." in text and not key.strict else None
    shown = text
    if cut is not None:
        shown = cut[1] + "0" if cut[1] in ("", "-", "+") else cut[1]
    if unsigned and not key.strict:
        shown = shown.lstrip("+")
    number = integer(shown)
    if number is None or (unsigned and shown[:1] in ("-", "+")):
        return f"{function}: parsing {quoted(text)}: invalid syntax"
    # the loose conversion reads 64 bits and lets a narrower number wrap around
    bits = _BITS[key.kind] if key.strict else 64
    smallest, largest = (0, (1 << bits) - 1) if unsigned else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return "" if smallest <= number <= largest else f"{function}: parsing {quoted(text)}: value out of range"


def _map_problem(text: str) -> str:
    if not text:
        return ""
    if text.startswith("{"):
        try:
            content = json.loads(text)
        except ValueError:
            return f"'{text}' is not a JSON object"
        texts = isinstance(content, dict) and all(isinstance(value, str) for value in content.values())
        return "" if texts else f"'{text}' is not a JSON object of texts"
    return "" if "=" in text else f"'{text}' is not formatted as key=value,key1=value1"
