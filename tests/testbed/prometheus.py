"""The real Prometheus as a process of a testbed, and the definitions of prometheus-operator for its API server.

Prometheus and promtool are those of PATH (Debian's package `prometheus`, see tests/tools/prerequisites.sh). The definitions come
from the module that go/prometheus-operator/go.mod pins; they are read where the Go module cache has them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from . import binaries, ports, processes
from .client import ServerError
from .testbed import Testbed

_MODULE = "github.com/prometheus-operator/prometheus-operator"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAME, _FILES = "prometheus", "metrics-files"
METRICS_FILE = "metrics.txt"


def install_operator_kinds(
    testbed: Testbed, kinds: tuple[str, ...] = ("prometheusrules", "servicemonitors", "podmonitors")
) -> None:
    """Let the API server know the kinds of prometheus-operator, and wait until it serves them."""
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    done = subprocess.run(
        [str(binaries.go_command()), "mod", "download", "-json", _MODULE],
        cwd=Path(__file__).parent / "go/prometheus-operator",
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    folder = Path(json.loads(done.stdout)["Dir"]) / "example/prometheus-operator-crd"
    for kind in kinds:
        definition = yaml.safe_load((folder / f"monitoring.coreos.com_{kind}.yaml").read_text(encoding="utf-8"))
        testbed.client.create(_DEFINITIONS, definition)
    end = time.monotonic() + 20
    for kind in kinds:
        while not _served(testbed, f"/apis/monitoring.coreos.com/v1/{kind}"):
            if time.monotonic() > end:
                raise TimeoutError(f"the API server does not serve {kind}")
            time.sleep(0.1)


def _served(testbed: Testbed, path: str) -> bool:
    try:
        return testbed.client.find(path) is not None
    except ServerError as error:
        if error.status != 429:  # its storage is being made
            raise
        return False


class Prometheus:
    """Prometheus of one testbed on loopback: it scrapes the control plane, the operator, and a file with metrics."""

    def __init__(self, testbed: Testbed, folder: Path) -> None:
        """`folder` takes its data and configuration; rules are read from `rules.yml` in it, once it is there."""
        self._testbed = testbed
        self._folder = folder
        self.rule_file = folder / "rules.yml"
        self.metrics_file = folder / "served" / METRICS_FILE
        self.url = f"http://127.0.0.1:{self._port(_NAME)}"

    def _port(self, use: str) -> int:
        return ports.port(self._testbed.directory, use)

    def jobs(self) -> list[dict[str, Any]]:
        """Its scrape configuration."""
        plane = self._testbed.control_plane
        plane.kubeconfig_for("prometheus", ("system:monitoring",))  # the group that may read metrics in every cluster
        user = {
            "cert_file": str(plane.pki_dir / "user-prometheus.crt"),
            "key_file": str(plane.pki_dir / "user-prometheus.key"),
        }
        secured = {"scheme": "https", "tls_config": {"ca_file": str(plane.pki_dir / "ca.crt"), **user}}
        unverified = {"scheme": "https", "tls_config": {"insecure_skip_verify": True}}

        def job(name: str, address: str, **more: Any) -> dict[str, Any]:
            return {"job_name": name, "static_configs": [{"targets": [address]}], **more}

        return [
            job("kube-apiserver", plane.server.removeprefix("https://"), **secured),
            job("kube-controller-manager", f"127.0.0.1:{self._port('controller-manager')}", **unverified),
            job("cilium-operator", f"127.0.0.1:{self._port('cilium-metrics')}"),
            job("audit", f"127.0.0.1:{self._port(_FILES)}", metrics_path=f"/{METRICS_FILE}"),
        ]

    def start(self, seconds: float = 180) -> None:
        """Start it, and what serves the file; wait until it is ready."""
        self.metrics_file.parent.mkdir(parents=True, exist_ok=True)
        often = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": often, "rule_files": [str(self.rule_file)], "scrape_configs": self.jobs()}
        (self._folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
        directory = self._testbed.directory
        serve = ["-m", "http.server", str(self._port(_FILES)), "--bind=127.0.0.1"]
        processes.start(directory, _FILES, [sys.executable, *serve, f"--directory={self.metrics_file.parent}"])
        argv = [
            shutil.which("prometheus") or "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--web.enable-lifecycle",
        ]
        processes.start(directory, _NAME, argv)
        end = time.monotonic() + seconds
        while not self._ready():
            if time.monotonic() > end:
                raise TimeoutError(f"Prometheus is not ready: {processes.tail(directory, _NAME)}")
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> None:
        """End both processes."""
        for name in (_NAME, _FILES):
            processes.stop(self._testbed.directory, name)

    def ask(self, path: str, **params: str) -> Any:
        """`data` of an answer of its API."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(params)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that an expression has now."""
        found: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return found

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        return {one["labels"]["alertname"] for one in self.alerts() if one["state"] == "firing"}

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that are pending or fire."""
        found: list[dict[str, Any]] = self.ask("alerts")["alerts"]
        return found
