"""`make demo`: what this collection is for, in a few minutes, on this machine, with nothing left running.

First an offline audit of a bundled state of a sick cluster (no root, no cluster needed). Then, as root, a real
control plane and three real hosts: audit, report, repair over SSH, clean audit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness.playbook import command, environment
from testbed import Testbed, binaries

from . import scenario

SNAPSHOT = Path(__file__).resolve().parents[1] / "snapshots" / "sick-small.state.json.gz"


class DemoError(Exception):
    """A step of the demonstration did not do what it promises; the text says which."""


def say(text: str) -> None:
    """Print one heading of the demonstration."""
    print(f"\n==> {text}", flush=True)


def play(playbook: str, *arguments: str, variables: dict[str, Any]) -> None:
    """Show the command a person would type, run it with its output on the terminal, fail when it fails."""
    shown = " ".join(f"-e {key}={json.dumps(value)}" for key, value in variables.items())
    print(f"$ ansible-playbook {playbook} {' '.join(arguments)} {shown}\n", flush=True)
    quiet = {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false", "ANSIBLE_DISPLAY_OK_HOSTS": "true"}
    done = subprocess.run(
        command(playbook, *arguments, variables=variables),
        env=environment(quiet),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise DemoError(f"{playbook} ended with exit code {done.returncode}")


def audit_variables(reports: Path, name: str) -> dict[str, Any]:
    """Where one audit of the demonstration writes its reports."""
    return {
        "audit_output_path": str(reports / f"{name}.json"),
        "audit_report_html": str(reports / f"{name}.html"),
        "audit_report_markdown": str(reports / f"{name}.md"),
    }


def counts(reports: Path, name: str) -> dict[str, int]:
    """Counts by severity of one written report."""
    summary: dict[str, int] = json.loads((reports / f"{name}.json").read_text(encoding="utf-8"))["summary"]
    return summary


def offline(reports: Path) -> None:
    """Audit the bundled state: the first thing a newcomer sees."""
    say("1  Offline audit of a bundled state of a sick cluster (no cluster needed)")
    play(
        "podnet.upkeep.audit",
        variables={"audit_source": "snapshot", "audit_snapshot": str(SNAPSHOT), **audit_variables(reports, "offline")},
    )
    print(f"\n    HTML report: {reports / 'offline.html'}", flush=True)


def embedded(reports: Path) -> None:
    """Sick cluster, audit, repair, audit on the real control plane and real hosts of this machine.

    Raises DemoError when the repaired cluster is not clean.
    """
    say("2  A real control plane and three real hosts (built once, then cached)")
    with Testbed.up(scenario.specification(f"demo-{os.getpid()}")) as testbed:
        say("3  Making it sick: h2 gets a podCIDR of another mask by hand, h3 finds the pool empty")
        scenario.make_sick(testbed)
        connection = {"audit_kubeconfig": str(testbed.kubeconfig)}
        say("4  Audit of the sick cluster")
        play("podnet.upkeep.audit", variables={**connection, **audit_variables(reports, "before")})
        say(
            "     Rehearsal: the repair on a copy of the cluster; hosts and packets are simulated, the controllers are real"
        )
        rehearsed(testbed, reports)
        say("     Repair: h2 is re-registered over SSH with a fresh podCIDR, nothing is lost")
        play(
            "podnet.upkeep.reassign_pod_cidrs",
            "-i",
            str(testbed.inventory),
            variables={
                "reassign_pod_cidrs_kubeconfig": str(testbed.kubeconfig),
                "reassign_pod_cidrs_state_dir": str(reports / "before-images"),
                "reassign_pod_cidrs_probe_image": "testbed.local/agnhost:1",
            },
        )
        say("5  Audit of the repaired cluster")
        play("podnet.upkeep.audit", variables={**connection, **audit_variables(reports, "after")})
    after = counts(reports, "after")
    if after["critical"] or after["warning"]:
        raise DemoError(f"the repaired cluster is not clean: {after}; see {reports / 'after.html'}")


def rehearsed(testbed: Testbed, reports: Path) -> None:
    """Run the repair on a copy of the cluster, with the programs of the testbed.

    Raises DemoError when it does not go through there.
    """
    names = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
    play(
        "podnet.upkeep.rehearse",
        variables={
            "rehearse_playbook": "reassign_pod_cidrs",
            "rehearse_kubeconfig": str(testbed.kubeconfig),
            "rehearse_programs": sorted({str(path.parent) for path in binaries.locate(names).values()}),
            "rehearse_work_dir": str(testbed.directory / "rehearsals"),
            "rehearse_report_html": str(reports / "rehearsal.html"),
            "rehearse_must_succeed": True,
        },
    )


def embedded_without_hosts(reports: Path) -> None:
    """What needs no root: the same sick cluster with simulated Nodes, audited live."""
    say("2  A real control plane with simulated Nodes (programs are built once, then cached)")
    with Testbed.up(scenario.specification_without_hosts(f"demo-{os.getpid()}")) as testbed:
        scenario.make_sick_without_hosts(testbed)
        say("3  Audit of the sick cluster")
        connection = {"audit_kubeconfig": str(testbed.kubeconfig)}
        play("podnet.upkeep.audit", variables={**connection, **audit_variables(reports, "before")})
    if not counts(reports, "before")["critical"]:
        raise DemoError(f"the sick cluster looks healthy; see {reports / 'before.html'}")
    print(f"\n    HTML report: {reports / 'before.html'}", flush=True)


def main() -> int:
    """Run the demonstration; 0 when everything that can run here did what it promises."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=Path, required=True, help="folder for the reports")
    parser.add_argument("--offline-only", action="store_true", help="stop after the offline audit")
    options = parser.parse_args()
    reports: Path = options.reports.resolve()
    reports.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        offline(reports)
        if options.offline_only:
            return 0
        if os.geteuid() != 0:
            say("Left out: real hosts and their repair need root (namespaces, bridge, cgroups); try `sudo make demo`")
            embedded_without_hosts(reports)
            print(f"\nDone in {time.monotonic() - started:.0f} s; nothing is left running.")
            return 0
        embedded(reports)
    except DemoError as error:
        print(f"\nDemonstration failed: {error}", file=sys.stderr)
        return 1
    print(
        f"\nDone in {time.monotonic() - started:.0f} s; nothing is left running."
        f"\n    sick cluster:     {reports / 'before.html'}"
        f"\n    rehearsed repair: {reports / 'rehearsal.html'}"
        f"\n    repaired cluster: {reports / 'after.html'}"
        f"\n    offline example:  {reports / 'offline.html'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
