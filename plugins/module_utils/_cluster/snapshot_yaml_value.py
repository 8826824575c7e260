# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One YAML document as Kubernetes reads it: ``yes``, ``1:30`` and times are texts, keys are texts.

Aliases are refused, for kubectl writes none and a few lines of them can stand for gigabytes.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent

_DEEPEST = 100
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(?:0|[1-9][0-9]*)(?=[eE]))(?:[eE][-+]?[0-9]+)?$")
_PLAIN: t.Final = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    text: value for word, value in (("true", True), ("false", False)) for text in (word, word.title(), word.upper())
}
_TAGS: t.Final = {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")}


def parse(text: bytes) -> t.Any:
    """The value of one YAML document. Raises BadContent.

    Built from events, so depth costs no stack: the composer of libyaml ends the process on deep nesting.
    """
    yaml = _library()
    try:
        return _build(yaml, yaml.cyaml.CParser(text) if yaml.__with_libyaml__ else yaml.SafeLoader(text))
    except yaml.YAMLError as error:
        raise BadContent(f"is no YAML: {_problem(error)}") from error
    except ValueError as error:
        raise error if isinstance(error, BadContent) else BadContent(f"is no YAML: {error}") from error


def _library() -> t.Any:
    try:
        import yaml
    except ImportError as error:
        raise BadContent(
            "is YAML, and the Python library PyYAML is not installed where this module runs (pip install PyYAML)"
        ) from error
    return yaml


def _problem(error: Exception) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return " ".join(str(problem).split())


def _build(yaml: t.Any, parser: t.Any) -> t.Any:
    scalar, alias = yaml.ScalarEvent, yaml.AliasEvent
    mapping, sequence = yaml.MappingStartEvent, yaml.SequenceStartEvent
    ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    root: list[t.Any] = []
    place: t.Any = root
    key: t.Any = None  # of the value that comes next in a mapping; None: a key comes next
    above: list[tuple[t.Any, t.Any]] = []
    while (event := parser.get_event()) is not None:
        kind = type(event)
        if kind is scalar:
            if isinstance(place, dict) and key is None:
                key = event.value
                continue
            value = event.value if event.implicit[1] else _plain(event)
        elif kind is mapping or kind is sequence:
            if event.tag is not None and event.tag not in _TAGS:
                raise BadContent(f"is no YAML of Kubernetes: it has the tag {event.tag}")
            value = {} if kind is mapping else []
        elif kind in ends:
            place, key = above.pop()
            continue
        elif kind is alias:
            raise BadContent(f"uses the YAML alias *{event.anchor}; write it without aliases, as kubectl does")
        else:
            continue
        if isinstance(place, dict):
            if key is None:
                raise BadContent("is no YAML of Kubernetes: a key is no text")
            place[key] = value
            key = None
        else:
            place.append(value)
        if kind is not scalar:
            if len(above) >= _DEEPEST:
                raise BadContent("is nested too deep")
            above.append((place, key))
            place, key = value, None
    if len(root) > 1:
        raise BadContent("has several documents where one is to be")
    return root[0] if root else None


def _plain(event: t.Any) -> t.Any:
    """A scalar without quotes, or with a tag."""
    text: str = event.value
    if event.tag is not None:
        if event.tag in _TAGS or event.tag == "!":
            return text
        raise BadContent(f"is no YAML of Kubernetes: it has the tag {event.tag}")
    if text in _PLAIN:
        return _PLAIN[text]
    if text[:1] in "0123456789+-.":
        if _INTEGER.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
    return text
