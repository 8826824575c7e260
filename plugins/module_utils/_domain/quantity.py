# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Amounts of resources as the Kubernetes API writes them.

Source: apimachinery/pkg/api/resource/quantity.go.
"""

from __future__ import annotations

import decimal
import re

_FORM = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$")
_FACTORS = {
    **{
        unit: decimal.Decimal(10) ** power
        for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{f"{unit}i": decimal.Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


class QuantityError(ValueError):
    """The text is no amount."""


def thousandths(text: object) -> int:
    """An amount such as ``250m``, ``1.5Gi`` or ``2e3`` in thousandths, rounded up. Raises QuantityError."""
    found = _FORM.match(str(text).strip())
    if found is None or len(str(text)) > 64:
        raise QuantityError(f"'{text}' is not an amount such as 250m, 2 or 1.5Gi")
    number, unit, exponent = found.groups()
    value = decimal.Decimal(number) * _FACTORS.get(unit or "", decimal.Decimal(1))
    if exponent:
        if abs(int(exponent)) > 30:
            raise QuantityError(f"'{text}' is not an amount such as 250m, 2 or 1.5Gi")
        value *= decimal.Decimal(10) ** int(exponent)
    return int((value * 1000).to_integral_value(rounding=decimal.ROUND_CEILING))
