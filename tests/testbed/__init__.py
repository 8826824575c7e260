"""A real cluster on one machine: control plane, cilium-operator, kwok, and hosts with real kubelets.

with Testbed.up(TestbedSpec("mine", hosts=(HostSpec("h1"),))) as testbed:
    testbed.client.list("/api/v1/nodes")
"""

from __future__ import annotations

from .client import Client, ServerError
from .spec import CiliumOperatorSpec, ControlPlaneSpec, HostSpec, KwokSpec, SpecError, TestbedSpec
from .testbed import NoSuchTestbedError, Testbed, remove_orphans

__all__ = [
    "CiliumOperatorSpec",
    "Client",
    "ControlPlaneSpec",
    "HostSpec",
    "KwokSpec",
    "NoSuchTestbedError",
    "ServerError",
    "SpecError",
    "Testbed",
    "TestbedSpec",
    "remove_orphans",
]
