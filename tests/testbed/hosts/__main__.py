"""Faults for hosts of a running testbed: `python -m testbed.hosts drift|naive TESTBED HOST [POD_CIDR...]`."""

from __future__ import annotations

import argparse

from ..testbed import Testbed
from . import drift


def main() -> None:
    """Bring one host into the named state."""
    parser = argparse.ArgumentParser(prog="testbed.hosts", description="Brings a host into a state to be mended.")
    parser.add_argument("state", choices=["drift", "naive"])
    parser.add_argument("testbed")
    parser.add_argument("host")
    parser.add_argument("pod_cidr", nargs="*", help="pod CIDRs of the drifted Node")
    options = parser.parse_args()
    testbed = Testbed.attach(options.testbed)
    if options.state == "drift":
        if not options.pod_cidr:
            parser.error("drift needs at least one POD_CIDR")
        drift.make_drifted(testbed, options.host, options.pod_cidr)
    else:
        drift.naive_reregistration(testbed, options.host)


if __name__ == "__main__":
    main()
