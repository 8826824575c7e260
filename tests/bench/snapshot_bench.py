"""Measures reading snapshots: seconds of CPU and peak memory, each in a process of its own. No test; numbers are for people.

python tests/bench/snapshot_bench.py [SCALE]     # 1.0: 5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import snapshot_large

READ = """
import resource, sys, time
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
before = time.process_time()
state = snapshot.load(sys.argv[1])
seconds = time.process_time() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
counts = {name: len(found) for name, found in state.resources.items() if found}
saved = ""
if len(sys.argv) > 2:
    before = time.process_time()
    snapshot.save(state, sys.argv[2])
    saved = f"; saved in {time.process_time() - before:.1f} s, then {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
print(f"{seconds:.1f} s, peak {peak:.0f} MiB, {counts}{saved}")
"""


def measure(what: str, path: Path, size: int, save_to: Path | None = None) -> None:
    """Read ``path`` in a process of its own and print what it took."""
    command = [sys.executable, "-c", READ, str(path), *([str(save_to)] if save_to else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(f"{what} ({size / 2**20:.0f} MiB of text): {done.stdout.strip()}", flush=True)


def main() -> None:
    """Write, read, print."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = snapshot_large.write_sysdump(folder / "sysdump.zip", scale)
        measure("sysdump, zip of YAML", folder / "sysdump.zip", size, folder / "state.json.gz")
        (folder / "sysdump.zip").unlink()
        size = snapshot_large.write_kubectl(folder / "kubectl", scale)
        measure("kubectl, folder of JSON", folder / "kubectl", size, folder / "state.json")
        measure("saved state", folder / "state.json", (folder / "state.json").stat().st_size)
        measure("saved state, gzip", folder / "state.json.gz", (folder / "state.json.gz").stat().st_size)


if __name__ == "__main__":
    main()
