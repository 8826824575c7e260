# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Character classes and escapes of Go's regular expressions, as sets of ASCII characters: label keys are ASCII.

Source of the rules: the documentation of regexp/syntax of Go.
"""

from __future__ import annotations

import re
import string
import typing as t

Characters: t.TypeAlias = frozenset[str]
_ALL = frozenset(map(chr, range(128)))
_DIGITS = frozenset(string.digits)
_LETTERS = frozenset(string.ascii_letters)
_WORDS = _LETTERS | _DIGITS | {"_"}
_GRAPHS = _LETTERS | _DIGITS | frozenset(string.punctuation)
_PERL: t.Final = {"d": _DIGITS, "w": _WORDS, "s": frozenset("\t\n\f\r ")}
_POSIX: t.Final = {
    "alnum": _LETTERS | _DIGITS,
    "alpha": _LETTERS,
    "ascii": _ALL,
    "blank": frozenset("\t "),
    "cntrl": frozenset(map(chr, [*range(32), 127])),
    "digit": _DIGITS,
    "graph": _GRAPHS,
    "lower": frozenset(string.ascii_lowercase),
    "print": _GRAPHS | {" "},
    "punct": frozenset(string.punctuation),
    "space": frozenset("\t\n\v\f\r "),
    "upper": frozenset(string.ascii_uppercase),
    "word": _WORDS,
    "xdigit": frozenset(string.hexdigits),
}
_UNICODE: t.Final = {
    **{"L": _LETTERS, "Lu": _POSIX["upper"], "Ll": _POSIX["lower"], "Latin": _LETTERS},
    **{"N": _DIGITS, "Nd": _DIGITS, "Z": frozenset(" "), "Zs": frozenset(" ")},
}
_PLAIN_ESCAPES: t.Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NUMBERED = re.compile(r"x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_NAMED_UNICODE = re.compile(r"\\[pP](?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))")
_NAMED_POSIX = re.compile(r"\[:(\^?)([^:\]]*):\]")


class PatternError(ValueError):
    """Go cannot compile the pattern; the text says why."""


class PatternNotJudgedError(ValueError):
    """Go may compile the pattern, but what it matches cannot be told here; the text says why."""


def folded(characters: Characters, ignore_case: bool) -> Characters:
    """With the other case of every letter where case is ignored."""
    return characters | {letter.swapcase() for letter in characters} if ignore_case else characters


def escape(text: str, at: int, ignore_case: bool) -> tuple[Characters, int]:
    """What the escape at ``at`` stands for, and the place after it. Raises PatternError, PatternNotJudgedError."""
    following = text[at + 1 : at + 2]
    if following.lower() in _PERL:
        found, negated, end = _PERL[following.lower()], following.isupper(), at + 2
    elif following in ("p", "P"):
        match = _NAMED_UNICODE.match(text, at)
        name = (match[2] or match[3]) if match else ""
        if match is None or name not in _UNICODE:
            raise PatternNotJudgedError(f"'{text}' has a Unicode class that label keys say nothing about")
        found, negated, end = _UNICODE[name], (following == "P") != bool(match[1]), match.end()
    else:
        letter, end = _character(text, at)
        found, negated = frozenset(letter), False
    found = folded(found, ignore_case)
    return (_ALL - found if negated else found), end


def bracket(text: str, at: int, ignore_case: bool) -> tuple[Characters, int]:
    """The class in brackets at ``at``, and the place after it. Raises PatternError, PatternNotJudgedError."""
    at += 1
    negated = text.startswith("^", at)
    at += negated
    found: set[str] = set()
    first = True
    while first or not text.startswith("]", at):
        if at >= len(text):
            raise PatternError("missing closing ]")
        first = False
        item, at = _item(text, at, ignore_case)
        found |= item
    return (_ALL - found if negated else frozenset(found)), at + 1


def _item(text: str, at: int, ignore_case: bool) -> tuple[Characters, int]:
    named = _NAMED_POSIX.match(text, at)
    if named:
        if named[2] not in _POSIX:
            raise PatternError(f"invalid character class range '{named[0]}'")
        found = folded(_POSIX[named[2]], ignore_case)
        return (_ALL - found if named[1] else found), named.end()
    if re.match(r"\\[dswDSWpP]", text[at : at + 2]):
        return escape(text, at, ignore_case)
    low, at = _character(text, at)
    high = low
    rest = text[at : at + 2]
    if rest[:1] == "-" and rest != "-]":
        if len(rest) < 2:
            raise PatternError("missing closing ]")
        high, at = _character(text, at + 1)
        if high < low:
            raise PatternError(f"invalid character class range '{low}-{high}'")
    return folded(frozenset(chr(code) for code in range(ord(low), min(ord(high), 127) + 1)), ignore_case), at


def _character(text: str, at: int) -> tuple[str, int]:
    """One character, escaped or not, and the place after it."""
    letter = text[at]
    if letter != "\\":
        return letter, at + 1
    letter = text[at + 1 : at + 2]
    if not letter:
        raise PatternError("trailing backslash at end of expression")
    numbered = _NUMBERED.match(text, at + 1)
    if numbered:
        code = int(numbered[3], 8) if numbered[3] else int(numbered[1] or numbered[2], 16)
        if code > 0x10FFFF:
            raise PatternError(f"invalid escape sequence '\\{numbered[0]}'")
        return chr(code), numbered.end()
    if letter in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[letter], at + 2
    if ord(letter) < 128 and not letter.isalnum():
        return letter, at + 2
    raise PatternError(f"invalid escape sequence '\\{letter}'")
