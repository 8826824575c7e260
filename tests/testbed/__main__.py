"""Command line of the testbed: `python -m testbed up|down|status|kubeconfig|ssh|binaries|reap`."""

from __future__ import annotations

import argparse
import os
import sys

from . import binaries, paths, processes
from .spec import CiliumOperatorSpec, ControlPlaneSpec, HostSpec, KwokSpec, SpecError, TestbedSpec
from .testbed import NoSuchTestbedError, Testbed, remove_orphans, take_down


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="testbed", description="A real cluster on one machine, for tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring a testbed up; it stays until `down`")
    up.add_argument("--name", default="default")
    up.add_argument("--hosts", type=int, default=0, help="number of hosts (h1, h2, ...); needs root")
    up.add_argument("--cluster-cidr", default="10.121.0.0/16", help="one range, or two with a comma for dual-stack")
    up.add_argument("--service-range", default="10.96.0.0/16", help="like --cluster-cidr")
    up.add_argument("--mask-ipv4", type=int, default=24)
    up.add_argument("--mask-ipv6", type=int, default=64)
    up.add_argument("--control-plane-node", metavar="NAME", help="show the control plane as a Node of this name")
    up.add_argument("--cilium", action="store_true", help="with the real cilium-operator")
    up.add_argument(
        "--cilium-pods", action="store_true", help="the same, with a process for each pod of its Deployment"
    )
    up.add_argument("--kwok-nodes", type=int, metavar="N", help="with kwok and N simulated Nodes")
    for name, text in (("down", "take it down"), ("kubeconfig", "print the path of the admin's kubeconfig")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--name", default="default")
    commands.add_parser("status", help="list testbeds and their processes")
    ssh = commands.add_parser("ssh", help="a shell, or one command, on a host")
    ssh.add_argument("--name", default="default")
    ssh.add_argument("host")
    ssh.add_argument("words", nargs=argparse.REMAINDER)
    commands.add_parser("binaries", help="find or build all programs and print their paths")
    commands.add_parser("reap", help="remove testbeds whose owner is gone")
    return parser


def _specification(options: argparse.Namespace) -> TestbedSpec:
    return TestbedSpec(
        name=options.name,
        control_plane=ControlPlaneSpec(
            cluster_cidrs=tuple(options.cluster_cidr.split(",")),
            service_ranges=tuple(options.service_range.split(",")),
            node_mask_size_ipv4=options.mask_ipv4,
            node_mask_size_ipv6=options.mask_ipv6,
            control_plane_node=options.control_plane_node,
        ),
        cilium=CiliumOperatorSpec(pods=options.cilium_pods) if options.cilium or options.cilium_pods else None,
        kwok=None if options.kwok_nodes is None else KwokSpec(nodes=options.kwok_nodes),
        hosts=tuple(HostSpec(f"h{number}") for number in range(1, options.hosts + 1)),
    )


def _status() -> None:
    for directory in sorted(paths.testbeds_root().iterdir()):
        print(directory.name)
        for record in sorted(processes.records(directory), key=lambda entry: entry.name):
            print(f"  {record.name:30} pid {record.pid:7} {'running' if processes.alive(record) else 'ended'}")


def main() -> int:
    """Run one command; 0 on success, 1 with one sentence on stderr otherwise."""
    options = _parser().parse_args()
    try:
        if options.command == "up":
            if options.hosts and os.geteuid() != 0:
                raise SpecError("--hosts: guests, bridge and cgroups need root; run it with sudo or without hosts")
            testbed = Testbed.create(_specification(options))
            print(testbed.kubeconfig)
        elif options.command == "down":
            take_down(options.name)
        elif options.command == "kubeconfig":
            print(Testbed.attach(options.name).kubeconfig)
        elif options.command == "status":
            _status()
        elif options.command == "ssh":
            hosts = Testbed.attach(options.name).hosts
            if options.host not in hosts:
                raise SpecError(f"host {options.host!r}: testbed {options.name} has {', '.join(hosts) or 'no hosts'}")
            argv = hosts[options.host].ssh_command(*options.words)
            os.execvp(argv[0], argv)
        elif options.command == "binaries":
            names = [name for recipe in binaries.RECIPES for name in recipe.programs]
            for name, path in binaries.locate(names).items():
                print(f"{name}\t{path}")
        else:
            print("\n".join(remove_orphans()))
    except (SpecError, NoSuchTestbedError, TimeoutError, RuntimeError) as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
