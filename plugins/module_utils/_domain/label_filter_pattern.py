# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Regular expressions of Go, which Cilium's label filter is written in, as Python compiles them.

Both languages share most of their syntax, but not all: what Go refuses stops an agent, and must not be simulated as if
it ran. Source of the rules: the documentation of regexp/syntax of Go.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter_characters import (
    Characters,
    PatternError,
    PatternNotJudgedError,
    bracket,
    escape,
    folded,
)

__all__ = ["PatternError", "PatternNotJudgedError", "compile_go"]

_ANCHORS: t.Final = {"^": r"(?:\A)", "$": r"(?:\Z)", r"\A": r"(?:\A)", r"\z": r"(?:\Z)"}
_BORDERS: t.Final = {r"\b": r"(?:\b)", r"\B": r"(?:\B)"}
_REPEAT = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}", re.ASCII)
_NAMED = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>", re.ASCII)
_FLAGS = re.compile(r"\(\?([imsU]*)(-[imsU]+)?([:)])")
_MOST_REPEATS = 1000
# more loops than these cost Python, which backtracks, more time than an audit has; Go's matcher is linear
_MOST_LOOPS = 3


@dataclass
class _Group:
    """An open group: what is made so far, the flags in it, and what counts for limits."""

    made: list[str] = field(default_factory=list)
    ignore_case: bool = False
    lazy: bool = False
    # whether the last item of ``made`` can be repeated, and whether it is a repetition itself
    repeatable: bool = False
    repeated: bool = False
    # how often the last item repeats something at most, and whether it can match in several ways; then of all items
    count: int = 1
    loose: bool = False
    largest_count: int = 1
    any_loose: bool = False


def compile_go(text: str) -> re.Pattern[str]:
    """The pattern as Python matches it at the start of an ASCII text.

    Raises PatternError where Go refuses the pattern, PatternNotJudgedError where it cannot be told what it matches.
    """
    try:
        return re.compile(_Translation(text).run(), re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternNotJudgedError(f"'{text}' is too complex to be simulated") from error


class _Translation:
    """One walk over a pattern of Go that writes the same pattern for Python."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._loops = 0
        self._open: list[_Group] = [_Group()]

    def run(self) -> str:
        """The pattern for Python."""
        while self._at < len(self._text):
            self._step()
        if len(self._open) > 1:
            raise PatternError("missing closing )")
        return "".join(self._open[0].made)

    def _step(self) -> None:
        group = self._open[-1]
        letter, pair = self._text[self._at], self._text[self._at : self._at + 2]
        border = _ANCHORS.get(letter) or _ANCHORS.get(pair) or _BORDERS.get(pair)
        if border:
            self._at += 1 if letter in _ANCHORS else 2
            self._add(border)
        elif letter == "(":
            self._enter(group)
        elif letter == ")":
            self._leave()
        elif letter == "|":
            self._at += 1
            group.made.append("|")
            # where one of several branches is repeated, backtracking has choices
            group.any_loose = True
            group.repeatable = group.repeated = False
        elif letter in "*+?" or (letter == "{" and _REPEAT.match(self._text, self._at)):
            self._repeat(group)
        elif letter == ".":
            self._at += 1
            self._add(".")
        elif pair == r"\Q":
            self._quote(group)
        else:
            found, self._at = self._characters(letter, group.ignore_case)
            self._add(_written(found))

    def _characters(self, letter: str, ignore_case: bool) -> tuple[Characters, int]:
        if letter == "[":
            return bracket(self._text, self._at, ignore_case)
        if letter == "\\":
            return escape(self._text, self._at, ignore_case)
        return folded(frozenset(letter), ignore_case), self._at + 1

    def _add(self, made: str, count: int = 1, loose: bool = False) -> None:
        group = self._open[-1]
        group.made.append(made)
        group.repeatable, group.repeated, group.count, group.loose = True, False, count, loose
        group.any_loose |= loose
        group.largest_count = max(group.largest_count, count)

    def _quote(self, group: _Group) -> None:
        r"""\Q...\E: every character stands for itself."""
        quoted, _end, _rest = self._text[self._at + 2 :].partition("\\E")
        self._at = min(len(self._text), self._at + 4 + len(quoted))
        for letter in quoted:
            self._add(_written(folded(frozenset(letter), group.ignore_case)))

    def _enter(self, group: _Group) -> None:
        named, flags = _NAMED.match(self._text, self._at), _FLAGS.match(self._text, self._at)
        ignore_case, lazy = group.ignore_case, group.lazy
        if flags:
            off = flags[2] or ""
            ignore_case = ("i" in flags[1] or ignore_case) and "i" not in off
            lazy = ("U" in flags[1] or lazy) and "U" not in off
            if flags[3] == ")":
                self._at = flags.end()
                group.ignore_case, group.lazy = ignore_case, lazy
                if group.repeated:
                    # what follows may repeat the repetition: it stays one item
                    group.made[-2:] = [f"(?:{group.made[-2]}{group.made[-1]})"]
                    group.repeated = False
                return
        elif not named and self._text.startswith("(?", self._at):
            raise PatternError(f"invalid or unsupported Perl syntax '{self._text[self._at : self._at + 4]}'")
        opening = named or flags
        self._at = opening.end() if opening else self._at + 1
        self._open.append(_Group(ignore_case=ignore_case, lazy=lazy))

    def _leave(self) -> None:
        if len(self._open) == 1:
            raise PatternError("unexpected )")
        self._at += 1
        closed = self._open.pop()
        self._add(f"(?:{''.join(closed.made)})", closed.largest_count, closed.any_loose)

    def _repeat(self, group: _Group) -> None:
        counted = _REPEAT.match(self._text, self._at)
        operator = counted[0] if counted else self._text[self._at]
        if not group.repeatable:
            raise PatternError(f"missing argument to repetition operator '{operator}'")
        if group.repeated:
            raise PatternError(f"invalid nested repetition operator '{operator}'")
        self._at += len(operator)
        lazy = self._text.startswith("?", self._at)
        self._at += lazy
        least, most = _limits(counted, operator)
        group.count *= max(1, most if most is not None else least)
        if group.count > _MOST_REPEATS or (most is not None and least > most):
            raise PatternError(f"invalid repeat count '{operator}'")
        self._loops += most is None
        if (group.loose and (most is None or most > 1)) or self._loops > _MOST_LOOPS:
            raise PatternNotJudgedError(f"'{self._text}' repeats what repeats itself or has alternatives")
        group.made.append(operator + ("?" if lazy != group.lazy else ""))
        group.repeated, group.loose = True, least != most
        group.any_loose |= group.loose
        group.largest_count = max(group.largest_count, group.count)


def _limits(counted: re.Match[str] | None, operator: str) -> tuple[int, int | None]:
    """(at least, at most) so many times; None is without limit. Numbers of more digits than Go reads stay too large."""
    if counted is None:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[operator]
    least = int(counted[1][:8])
    if counted[2] == ",":
        return least, None
    return least, int(counted[3][:8]) if counted[3] else least


def _written(characters: Characters) -> str:
    if len(characters) == 1:
        return re.escape(next(iter(characters)))
    return f"[{''.join(map(re.escape, sorted(characters)))}]" if characters else r"(?:(?!))"
