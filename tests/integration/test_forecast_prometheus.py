"""A history that the real Prometheus answers: the same forecast as from the results that its samples were made of."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.capacity_forecast import Limits, Rules, forecast
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.usage_history import (
    History,
    usages_of_query,
    usages_of_text,
)

pytestmark = [pytest.mark.testbed, pytest.mark.once]

DAY = 86400
QUERY = '{__name__=~"podnet_upkeep_.*(used|used_blocks|capacity_blocks|free)"}'


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    return number


def samples(start: int, *, openmetrics: bool) -> str:
    """Ten days, a sample each, in either format: three identities, two blocks more a day; a Node with four addresses less."""
    families: dict[str, list[str]] = {
        "podnet_upkeep_identities_used": [],
        "podnet_upkeep_pool_used_blocks": [],
        "podnet_upkeep_node_addresses_free": [],
    }
    labels = {
        "podnet_upkeep_pool_used_blocks": '{family="IPv4",cluster_cidr="10.0.0.0/16"}',
        "podnet_upkeep_node_addresses_free": '{node="w1"}',
    }
    for day in range(10):
        moment = start + day * DAY
        stamp = str(moment) if openmetrics else str(moment * 1000)
        for name, value in zip(families, (100 + 3 * day, 20 + 2 * day, 200 - 4 * day), strict=True):
            families[name].append(f"{name}{labels.get(name, '')} {value} {stamp}")
    lines = []
    for name, found in families.items():
        lines += [f"# HELP {name} of a test", f"# TYPE {name} gauge", *found]
    return "\n".join([*lines, "# EOF" if openmetrics else ""]) + "\n"


def test_what_prometheus_answers_is_the_history(tmp_path: Path) -> None:
    """promtool makes its blocks, Prometheus answers to query_range, and the trend is that of the samples."""
    start = int(time.time()) // DAY * DAY - 12 * DAY
    text = tmp_path / "samples.txt"
    text.write_text(samples(start, openmetrics=True), encoding="utf-8")
    data = tmp_path / "data"
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    (tmp_path / "prometheus.yml").write_text("global: {}\n", encoding="utf-8")
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=60d",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            answer = json.loads(ask(port, start))
        finally:
            process.kill()
            process.wait()
    by_query, by_text = History(), History()
    for found, history in (
        (usages_of_query(answer), by_query),
        (usages_of_text(samples(start, openmetrics=False)), by_text),
    ):
        for moment, usages in found.items():
            history.add(moment, usages, "a file")
    rules = Rules(start + 9 * DAY)
    for key, free, per_day in (("identities", 60, 3), ("node-blocks/IPv4", 10, 2), ("node-addresses/w1", 164, 4)):
        limits = Limits(key, key, 1000, free)
        foretold = [forecast(limits, history, rules) for history in (by_query, by_text)]
        assert [one.days for one in foretold] == [pytest.approx(free / per_day)] * 2
        assert [one.trend.points for one in foretold if one.trend] == [10, 10]


def ask(port: int, start: int) -> bytes:
    """query_range over the ten days, once a day; Prometheus needs a moment to start."""
    parameters = urllib.parse.urlencode({"query": QUERY, "start": start, "end": start + 9 * DAY, "step": "1d"})
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/api/v1/query_range?{parameters}", timeout=10
            ) as response:
                content: bytes = response.read()
                return content
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
