"""Measures the live audit of a large cluster beside the least that anybody can do: fetch the same pages, parse them.

    python -m bench.live_audit [FACTOR]       5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints x FACTOR

Every contender runs in a process of its own; peak memory is that process's. Ratios are to the first contender.
"""

from __future__ import annotations

import contextlib
import http.client
import io
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


def _module(**options: object) -> str:
    """The real module with every report, as a process of its own runs it."""
    from ansible.module_utils.testing import patch_module_args

    from ansible_collections.podnet.upkeep.plugins.modules import audit_info

    folder = Path(os.environ["BENCH_FOLDER"])
    reports = {
        "output_path": folder / "result.json",
        "report_html": folder / "result.html",
        "report_markdown": folder / "result.md",
        "report_prometheus": folder / "result.prom",
        "report_junit": folder / "result.xml",
    }
    output = io.StringIO()
    given = {**{key: str(path) for key, path in reports.items()}, **options}
    with patch_module_args(given), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        audit_info.main()
    result = json.loads(output.getvalue())
    return str(result["summary"]["findings"]) + " findings" if "summary" in result else str(result)


def live_audit(port: int) -> str:
    """The whole audit of the live cluster, with every report."""
    return _module(host=f"http://127.0.0.1:{port}", api_key="none")


def live_audit_and_save(port: int) -> str:
    """The same, saving the state for the offline contender."""
    return _module(host=f"http://127.0.0.1:{port}", api_key="none", save_state=os.environ["BENCH_STATE"])


def offline_audit(_port: int) -> str:
    """The same from the saved state."""
    return _module(source="snapshot", snapshot=os.environ["BENCH_STATE"])


def k8s_info_of_pods(port: int) -> str:
    """What kubernetes.core.k8s_info does for the pods alone: objects of the dynamic client, turned into dicts."""
    from kubernetes import client  # type: ignore[import-untyped]

    api = client.CoreV1Api(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{port}")))
    found, token = 0, None
    while True:
        page = api.list_pod_for_all_namespaces(limit=PAGE_SIZE, _continue=token)
        found += len([api.api_client.sanitize_for_serialization(one) for one in page.items])
        token = page.metadata._continue
        if not token:
            return f"{found} pods"


def kubectl_and_jq(port: int) -> str:
    """Node and address of every pod in a shell: the smallest part of the question."""
    from testbed import binaries

    kubectl = binaries.locate(["kubectl"])["kubectl"]
    program = ".items[] | [.metadata.name, .spec.nodeName, .status.podIP] | @tsv"
    get = f"{kubectl} --server http://127.0.0.1:{port} get pods -A -o json --chunk-size {PAGE_SIZE}"
    done = subprocess.run(
        ["bash", "-c", f"{get} | jq -r '{program}' | wc -l"], capture_output=True, text=True, check=False
    )
    return f"{done.stdout.strip()} lines {done.stderr.strip()[-200:]}"


CONTENDERS: dict[str, Callable[[int], str]] = {
    one.__name__: one
    for one in (
        fetch_and_parse,
        live_audit,
        live_audit_and_save,
        offline_audit,
        k8s_info_of_pods,
        kubectl_and_jq,
    )
}


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
        # a shell contender works in children
        who = resource.RUSAGE_CHILDREN if sys.argv[2] == "kubectl_and_jq" else resource.RUSAGE_SELF
        usage = resource.getrusage(who)
        print(f"{usage.ru_utime + usage.ru_stime:.2f}\t{usage.ru_maxrss / 1024:.0f}\t{text}")
        return
    factor = sys.argv[1] if len(sys.argv) > 1 else "1"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "BENCH_STATE": f"{folder}/state.json.gz", "BENCH_FOLDER": folder}
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
