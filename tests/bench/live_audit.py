"""Measures the audit of a large cluster beside the least that anybody can do: fetch the same pages and parse them.

    python -m bench.live_audit [FACTOR] [ROUNDS]    5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints x FACTOR

Live from a server whose pages were made beforehand, then from files of ``kubectl get -o json``, then from a saved state.
Every contender runs in a process of its own, in turn with the others. Memory is that of all its processes together.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import big_cluster
from .big_api import PAGE_SIZE
from .contest import TESTS, Contender, compare


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


def read_and_parse(path: str) -> str:
    """Files as bytes and through json, one at a time."""
    objects = 0
    for file in sorted(Path(path).iterdir()) if Path(path).is_dir() else [Path(path)]:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        found = json.loads(data)
        objects += sum(map(len, found["resources"].values())) if "resources" in found else len(found["items"])
    return f"{objects} objects"


def audit(**options: object) -> str:
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


def k8s_info_of_pods(port: int) -> str:
    """What kubernetes.core.k8s_info does for the pods alone: the dynamic client, its instances turned into dicts.

    The collection itself is not among what the tests install.
    """
    from kubernetes import client, dynamic  # type: ignore[import-untyped]

    api = dynamic.DynamicClient(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{port}")))
    pods = api.resources.get(api_version="v1", kind="Pod")
    found, token = 0, None
    while True:
        page = pods.get(limit=PAGE_SIZE, _continue=token).to_dict()
        found += len(page["items"])
        token = page["metadata"].get("continue")
        if not token:
            return f"{found} pods"


def kubectl_and_jq(port: int) -> str:
    """Node and address of every pod in a shell: the smallest part of the question."""
    from testbed import binaries

    kubectl = binaries.locate(["kubectl"])["kubectl"]
    program = ".items[] | [.metadata.name, .spec.nodeName, .status.podIP] | @tsv"
    server = f"--server http://127.0.0.1:{port} --cache-dir {os.environ['BENCH_FOLDER']}"
    get = f"{kubectl} {server} get pods -A -o json --chunk-size {PAGE_SIZE}"
    done = subprocess.run(
        ["bash", "-c", f"{get} | jq -r '{program}' | wc -l"], capture_output=True, text=True, check=False
    )
    return f"{done.stdout.strip()} lines {done.stderr.strip()[-200:]}"


def write_files(folder: Path, size: big_cluster.Size) -> int:
    """Lists as ``kubectl get -o json`` writes them; how many bytes."""
    folder.mkdir()
    for path, (kind, count, make) in big_cluster.collections(size).items():
        group = "/".join(path.split("/")[2:-1])
        with (folder / f"{path.rpartition('/')[2]}.json").open("w") as file:
            file.write('{\n    "apiVersion": "v1",\n    "items": [\n')
            for number in range(count):
                text = json.dumps({"apiVersion": group, "kind": kind, **make(number)}, indent=4)
                file.write((",\n" if number else "") + "        " + text.replace("\n", "\n        "))
            file.write('\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n')
    return sum(file.stat().st_size for file in folder.iterdir())


def _ours(name: str, call: str) -> Contender:
    return Contender(name, "from bench import live_audit", f"live_audit.{call}")


def _live(port: int, rounds: int, environment: dict[str, str], size: int) -> None:
    print(f"live: {size / 1e6:.0f} MB of JSON, median of {rounds} rounds")
    options = f'host="http://127.0.0.1:{port}", api_key="none"'
    both = [_ours("fetch_and_parse", f"fetch_and_parse({port})"), _ours("live_audit", f"audit({options})")]
    compare(both, rounds, environment)
    others = [_ours(name, f"{name}({port})") for name in ("k8s_info_of_pods", "kubectl_and_jq")]
    compare([both[0], *others], 1, environment)
    saved = _ours("", f'audit({options}, save_state="{environment["BENCH_FOLDER"]}/state.json.gz")')
    subprocess.run(saved.command(), check=True, capture_output=True, cwd=TESTS, env={**os.environ, **environment})


def main() -> None:
    """All contenders, side by side."""
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        environment = {"BENCH_FOLDER": folder}
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.big_api", str(factor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS,
        )
        try:
            assert server.stdout is not None
            port, size = map(int, server.stdout.readline().split())
            _live(port, rounds, environment, size)
        finally:
            server.communicate()
        files = Path(folder) / "files"
        print(f"files of kubectl: {write_files(files, big_cluster.Size().scaled(factor)) / 1e6:.0f} MB")
        for name, path in (("kubectl", files), ("state", Path(folder) / "state.json.gz")):
            if name == "state":
                print(f"saved state: {path.stat().st_size / 1e6:.0f} MB, packed")
            both = [
                _ours(f"parse_{name}", f'read_and_parse("{path}")'),
                _ours(f"audit_{name}", f'audit(source="snapshot", snapshot="{path}")'),
            ]
            compare(both, rounds, environment)


if __name__ == "__main__":
    main()
