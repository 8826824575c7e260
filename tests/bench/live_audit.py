"""Measures the live audit of a large cluster beside the least that anybody can do: fetch the same pages, parse them.

    python -m bench.live_audit [FACTOR]       5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints x FACTOR

Every contender runs in a process of its own; peak memory is that process's. Ratios are to the first contender.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import big_cluster
from .big_api import PAGE_SIZE

TESTS = Path(__file__).parents[1]


def fetch_and_parse(port: int) -> str:
    """Every page as bytes and through json, each thrown away at once."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    objects = 0
    for path in big_cluster.collections(big_cluster.Size()):
        start = 0
        while True:
            connection.request("GET", f"{path}?limit={PAGE_SIZE}&continue={start}")
            page = json.loads(connection.getresponse().read())
            objects += len(page["items"])
            start = int(page["metadata"].get("continue") or 0)
            if not start:
                break
    return f"{objects} objects"


def live_audit(port: int) -> str:
    """What audit_info does: read, judge, write every report."""
    from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
    from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
    from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
    from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live

    client = KubeClient.from_options({"host": f"http://127.0.0.1:{port}", "api_key": "none"})
    started = time.process_time()
    state = live.collect(client, live.LiveOptions())
    read = time.process_time() - started
    result = document(Context(state))
    judged = time.process_time() - started - read
    return f"reading {read:.1f} s CPU, judging {judged:.1f} s CPU, {len(result['findings'])} findings"


def save_state(port: int) -> str:
    """Read and save, for the offline contender."""
    from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
    from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot

    client = KubeClient.from_options({"host": f"http://127.0.0.1:{port}", "api_key": "none"})
    path = snapshot.save(live.collect(client, live.LiveOptions()), os.environ["BENCH_STATE"])
    return f"{Path(path).stat().st_size / 1e6:.1f} MB"


def offline_audit(_port: int) -> str:
    """The same from the saved state."""
    from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
    from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
    from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot

    started = time.process_time()
    state = snapshot.load(os.environ["BENCH_STATE"])
    read = time.process_time() - started
    result = document(Context(state))
    return f"reading {read:.1f} s CPU, judging {time.process_time() - started - read:.1f} s CPU, {len(result['findings'])} findings"


def kubernetes_client(port: int) -> str:
    """What kubernetes.core.k8s_info does to list pods only: the dynamic client's objects, turned into dicts."""
    from kubernetes import client, dynamic  # type: ignore[import-untyped]

    configuration = client.Configuration(host=f"http://127.0.0.1:{port}")
    api = dynamic.DynamicClient(client.ApiClient(configuration), cache_file=os.environ["BENCH_STATE"] + ".cache")
    return str(len(api.get(api.resources.get(api_version="v1", kind="Pod")).to_dict()["items"]))


CONTENDERS: dict[str, Callable[[int], str]] = {
    one.__name__: one for one in (fetch_and_parse, live_audit, save_state, offline_audit)
}


def kubectl_and_jq(port: int) -> list[str]:
    """The smallest part of the question in a shell: which Node has which podCIDR, which pod which address."""
    program = ".items[] | [.metadata.name, .spec.nodeName, .status.podIP] | @tsv"
    get = f"{kubectl()} --server http://127.0.0.1:{port} get --raw '/api/v1/pods?limit={PAGE_SIZE * 10_000}'"
    return ["bash", "-c", f"{get} | jq -r '{program}' | wc -l"]


def kubectl() -> str:
    """The kubectl of the testbed, or of the machine."""
    from testbed import binaries

    return str(binaries.locate(["kubectl"])["kubectl"])


def _in_a_process(name: str, port: int, environment: dict[str, str]) -> tuple[float, float, float, str]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "bench.live_audit", "--one", name, str(port)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=TESTS,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    wall = time.monotonic() - started
    cpu, memory, text = done.stdout.strip().split("\t")
    return wall, float(cpu), float(memory), text


def main() -> None:
    """All contenders, side by side."""
    if sys.argv[1:2] == ["--one"]:
        text = CONTENDERS[sys.argv[2]](int(sys.argv[3]))
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(f"{usage.ru_utime + usage.ru_stime:.2f}\t{usage.ru_maxrss / 1024:.0f}\t{text}")
        return
    factor = sys.argv[1] if len(sys.argv) > 1 else "1"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "BENCH_STATE": f"{folder}/state.json.gz"}
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.big_api", factor],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS,
        )
        try:
            assert server.stdout is not None
            port, size = map(int, server.stdout.readline().split())
            print(f"{size / 1e6:.0f} MB of JSON")
            print(f"{'':20}{'seconds':>9}{'ratio':>7}{'CPU s':>8}{'peak MiB':>10}")
            least = 0.0
            for name in CONTENDERS:
                wall, cpu, memory, text = _in_a_process(name, port, environment)
                least = least or wall
                print(f"{name:20}{wall:9.1f}{wall / least:7.2f}{cpu:8.1f}{memory:10.0f}  {text}", flush=True)
        finally:
            server.communicate()


if __name__ == "__main__":
    main()
