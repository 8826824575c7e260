"""Whether panels of the dashboards show something, asked of the real promtool with series that a real program has served."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.dashboard import dashboards
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import MonitoredCluster

PROMTOOL = shutil.which("promtool")
_ANSWERED = re.compile(r'expr: ("(?:[^"\\]|\\.)*"), time: [^\n]*\n\s*exp: ?nil\n\s*got: (?!nil)')
# a line of the text format; labels are written as in queries
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", re.MULTILINE)


def expressions(*components: str) -> list[str]:
    """What the panels ask for in a cluster of the newest releases that has these components and no other."""
    boards = dashboards(MonitoredCluster(frozenset(components), (1, 20), (1, 36))).values()
    return [target["expr"] for board in boards for panel in board["panels"] for target in panel.get("targets") or ()]


def scraped(*texts: str, job: str, instance: str) -> dict[str, str]:
    """{series: its values, as promtool reads them} of answers of one program, a minute after each other."""
    answers = [_samples(text, {"job": job, "instance": instance}) for text in texts]
    names = dict.fromkeys(name for answer in answers for name in answer)
    return {name: " ".join(answer.get(name, "_") for answer in answers) for name in names}


def _samples(text: str, target: Mapping[str, str]) -> dict[str, str]:
    found = {}
    more = ",".join(f'{key}="{value}"' for key, value in target.items())
    for name, labels, value in _SAMPLE.findall(text):
        if math.isfinite(float(value)):
            found[f"{name}{{{labels.rstrip(',')}{',' if labels else ''}{more}}}"] = f"{float(value):.15g}"
    return found


def without_data(asked: Iterable[str], series: Mapping[str, str]) -> list[str]:
    """Those of the expressions to which Prometheus answers nothing, in the minute of the last value."""
    wanted = list(asked)
    last = max(len(values.split()) for values in series.values()) - 1
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        # nothing is expected, so each one that has an answer is printed with it
        "promql_expr_test": [{"expr": expr, "eval_time": f"{last}m"} for expr in wanted],
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "asked.yml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}), encoding="utf-8")
        command = [str(PROMTOOL), "test", "rules", "asked.yml"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    answered = [json.loads(one) for one in _ANSWERED.findall(said)]
    if not set(answered) <= set(wanted) or (done.returncode != 0) != bool(answered):
        raise RuntimeError(f"promtool could not judge: {said}")
    return [expr for expr in wanted if expr not in answered]
