"""Writes the tables of Cilium's configuration keys from what its programs say about themselves.

A key of the ConfigMap cilium-config is a flag of the agent or of the operator with the same name. Releases are given as
folders of Cilium's source (their Documentation/cmdref is the `--help` of each program, `*_hive.md` lists the flags that
are decoded strictly); `--binary` adds what the running program of the testbed says, and must agree with its release:

    for v in 1.14.19 ... ; do go mod download github.com/cilium/cilium@v$v; done
    python tests/tools/cilium_operator_keys.py agent    --source 1.14=FOLDER --source 1.15=FOLDER ...
    python tests/tools/cilium_operator_keys.py operator --source 1.14=FOLDER ... --binary 1.18=PROGRAM

Hidden flags are in no help text: they are kept by hand in _domain/cilium_config_keys_hidden.py.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import textwrap
from pathlib import Path

DOMAIN = Path(__file__).parents[2] / "plugins/module_utils/_domain"
# flags of the command line only
NO_KEYS = frozenset({"help", "version", "config", "config-dir", "cmdref"})
# the words of pflag -> ours
KINDS = {None: "bool", "strings": "list", "stringToString": "map", "float32": "float", "stdout": "string"}
STRICT, LENIENT, ANY = "strict", "lenient", "any"
_FLAG = re.compile(r"^\s+(?:-\w, )?--([a-zA-Z0-9][a-zA-Z0-9-]*)(?: ([A-Za-z]\w*))?(?:\s{2,}|$)")
_HEADER = '''# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keys of cilium-config that cilium-{owner} reads. Written by tests/tools/cilium_operator_keys.py; do not edit.

A line that is not indented says what the names below it have in common: kind, decoder (strict: durations need a unit;
lenient: without one they are nanoseconds; any: it does not matter to this kind), first and last release that have it so.
"""

from __future__ import annotations

RELEASES: tuple[str, ...] = ({releases})
TABLE = """
'''

Form = tuple[str, str]  # kind, decoder


def flags(text: str) -> dict[str, str]:
    """{flag: kind} of a help text or of a page of the command reference."""
    found = {}
    for line in text.splitlines():
        match = _FLAG.match(line)
        if match and match[1] not in NO_KEYS:
            found[match[1]] = KINDS.get(match[2], match[2] or "bool")
    return found


def of_source(owner: str, folder: Path) -> dict[str, Form]:
    """{key: form} of one release by its source; the operator's variants for clouds are taken together."""
    pages = [f"cilium-{owner}"]
    if owner == "operator":
        pages += [f"cilium-operator-{variant}" for variant in ("alibabacloud", "aws", "azure", "generic")]
    every: dict[str, str] = {}
    strict: set[str] = set()
    for page in pages:
        every.update(flags((folder / f"Documentation/cmdref/{page}.md").read_text(encoding="utf-8")))
        strict.update(flags((folder / f"Documentation/cmdref/{page}_hive.md").read_text(encoding="utf-8")))
    return {key: (kind, STRICT if key in strict else LENIENT) for key, kind in every.items()}


def of_binary(program: Path) -> dict[str, Form]:
    """{key: form} as the program itself says."""

    def ask(*words: str) -> dict[str, str]:
        return flags(subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout)

    strict = ask("hive", "--help")
    return {key: (kind, STRICT if key in strict else LENIENT) for key, kind in ask("--help").items()}


def differences(named: dict[str, Form], said: dict[str, Form]) -> list[str]:
    """What a program says otherwise than the source of its release, in words."""
    return [
        f"{key}: the program has {form}, the source has {named.get(key)}"
        for key, form in sorted(said.items())
        if named.get(key) != form
    ]


def rows(releases: dict[str, dict[str, Form]]) -> list[tuple[str, str, str, str, str]]:
    """The rows of the table: keys of equal kind, decoder and span together, sorted."""
    names = list(releases)
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for key in sorted({key for forms in releases.values() for key in forms}):
        for kind, decoder, since, until in spans([releases[name].get(key) for name in names], names):
            grouped.setdefault((kind, decoder, since, until), []).append(key)
    return [(*group, " ".join(keys)) for group, keys in sorted(grouped.items())]


def spans(forms: list[Form | None], names: list[str]) -> list[tuple[str, str, str, str]]:
    """Runs of releases in which one key has one form. The decoder matters to numbers and durations only."""
    found: list[tuple[str, str, str, str]] = []
    before: Form | None = None
    for at, form in enumerate(forms):
        if form is not None and form[0] in ("bool", "string", "list", "map"):
            form = (form[0], ANY)
        if form is not None and form == before:
            found[-1] = (*form, found[-1][2], names[at])
        elif form is not None:
            found.append((*form, names[at], names[at]))
        before = form
    return found


def page(owner: str, releases: dict[str, dict[str, Form]]) -> str:
    """The whole file."""
    named = ", ".join(f'"{name}"' for name in releases)
    lines = [_HEADER.replace("{owner}", owner).replace("{releases}", named)]
    for *group, keys in rows(releases):
        lines.append(" ".join(group) + "\n")
        wrapped = textwrap.wrap(keys, 116, break_on_hyphens=False, break_long_words=False)
        lines.extend(f"    {part}\n" for part in wrapped)
    return "".join([*lines, '"""\n'])


def main() -> int:
    """Write one table; 1 where a program and the source of its release disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("owner", choices=("agent", "operator"))
    parser.add_argument("--source", action="append", required=True, metavar="RELEASE=FOLDER")
    parser.add_argument("--binary", action="append", default=[], metavar="RELEASE=PROGRAM")
    chosen = parser.parse_args()
    pairs = sorted((entry.split("=", 1) for entry in chosen.source), key=lambda one: tuple(map(int, one[0].split("."))))
    releases = {release: of_source(chosen.owner, Path(folder)) for release, folder in pairs}
    for entry in chosen.binary:
        release, program = entry.split("=", 1)
        found = differences(releases[release], of_binary(Path(program)))
        if found:
            print("\n".join(found), file=sys.stderr)
            return 1
    target = DOMAIN / f"cilium_config_keys_{chosen.owner}.py"
    target.write_text(page(chosen.owner, releases), encoding="utf-8")
    print(f"{target}: {len({key for forms in releases.values() for key in forms})} keys")
    return 0


if __name__ == "__main__":
    sys.exit(main())
