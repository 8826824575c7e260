"""Whatever happens to the bytes of a snapshot, it is read, or refused in one sentence."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from snapshots import make_sick_cilium, make_sick_small

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

PIECES = (
    b"", b"\n", b"- ", b"  ", b"items:\n", b"items: []\n", b"---\n", b"...\n", b"|\n", b"'", b'"', b"{", b"}", b"[", b"]", b":",
    b"&a ", b"*a", b"!!set ", b"null", b"~", b"true", b"-1", b"1e999", b"NaN", b"9" * 5000, b"\x00", b"\xff", b"\xf0\x9f", b"\\ud800",
    b"metadata:\n", b"kind: Node\n", b'"items":[', b'"kind":"PodList",', b"apiVersion: cilium.io/v2\n", b"[" * 2000, b"# x\n", b"\t",
    b"name: 7\n", b"status: []\n", b"spec: x\n", b"?", b"%YAML 9\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"PK\x03\x04",
)  # fmt: skip


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, cut, doubled, moved, or pieces of syntax put in."""
    found = bytearray(data)
    for _time in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(found) + 1)
        end = min(len(found), place + chance.choice((1, 1, 4, 40, 400)))
        act = chance.randrange(6)
        if act == 0 and end > place:
            found[place] ^= 1 << chance.randrange(8)
        elif act == 1:
            del found[place:end]
        elif act == 2:
            found[place:place] = found[place:end]
        elif act == 3:
            found[place:end] = chance.choice(PIECES)
        elif act == 4:
            lines = bytes(found).split(b"\n")
            chance.shuffle(lines) if chance.random() < 0.1 else lines.pop(chance.randrange(len(lines)))
            found = bytearray(b"\n".join(lines))
        elif chance.random() < 0.2:
            del found[place:]
        else:
            found[place:place] = chance.choice(PIECES)
    return bytes(found)


class Sources:
    """Snapshots to be broken: archives as bytes, and the files within them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        small = folder / "small"
        small.mkdir()
        state = snapshot.load(str(make_sick_cilium.MAIN))
        snapshot.save(state, str(small / "state.json"))
        snapshot.save(state, str(small / "state.json.gz"))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(make_sick_cilium.KUBECTL, arcname="x")
        self.whole = [
            (small / "state.json").read_bytes(),
            (small / "state.json.gz").read_bytes(),
            make_sick_small.TARGET.read_bytes(),
            make_sick_cilium.MAIN.read_bytes(),
            packed.getvalue(),
        ]
        with zipfile.ZipFile(make_sick_cilium.V1_15) as archive:
            self.sysdump = {name: archive.read(name) for name in archive.namelist()}
        self.kubectl = {
            str(path.relative_to(make_sick_cilium.KUBECTL)): path.read_bytes()
            for path in sorted(make_sick_cilium.KUBECTL.rglob("*"))
            if path.is_file()
        }

    def broken(self, seed: int) -> Path:
        """A snapshot with one broken part."""
        chance = random.Random(seed)
        target = self._folder / "broken"
        if chance.random() < 0.3:
            target.write_bytes(mutated(chance.choice(self.whole), chance))
            return target
        files = dict(chance.choice((self.sysdump, self.kubectl)))
        name = chance.choice(sorted(files))
        files[name] = mutated(files[name], chance)
        # only what was broken and little else, for speed
        kept = {name, *chance.sample(sorted(files), 2)}
        with zipfile.ZipFile(target, "w") as archive:
            for one in sorted(kept):
                archive.writestr(one, files[one])
        return target


def read_or_refused(sources: Sources, seeds: range) -> int:
    """Load mutations; how many were read. Every failure but one sentence of InputError is raised."""
    count = 0
    for seed in seeds:
        path = sources.broken(seed)
        try:
            state = snapshot.load(str(path))
        except InputError as error:
            message = str(error)
            assert message.startswith(f"snapshot: {path} ") and "\n" not in message, (seed, message)
            continue
        except Exception as error:
            raise AssertionError(f"mutation {seed}: {type(error).__name__}: {error}") from error
        count += 1
        assert ClusterState.from_json(state.to_json()) == state, seed
        snapshot.save(state, str(path.with_name("again.json")))
    return count


def test_three_hundred_mutations(tmp_path: Path) -> None:
    """Some are harmless, some are refused; nothing else happens."""
    assert 30 < read_or_refused(Sources(tmp_path), range(300)) < 270


@pytest.mark.long
def test_ten_thousand_mutations(tmp_path: Path) -> None:
    """The same for longer."""
    assert 1000 < read_or_refused(Sources(tmp_path), range(1000, 11_000)) < 9000
