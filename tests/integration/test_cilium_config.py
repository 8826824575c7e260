"""What the real cilium-operator does with a configuration against what the audit says about it.

For each value the ConfigMap cilium-config is published, the live cluster is read and judged, and the operator is started
with exactly these keys. A critical finding that names the operator has to be told where it exits, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_config
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import objections
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import forms_in
from testbed import CiliumOperatorSpec, Testbed, TestbedSpec, binaries, objects, processes
from testbed.cilium_operator import CiliumOperator

pytestmark = pytest.mark.testbed

NAME = "cilium-operator"
RELEASE = (1, 18)
# what its log says once every value has been read and decoded, and the API server has answered
STARTED = "attempting to acquire leader lease"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A control plane with everything of Cilium but a running operator."""
    with Testbed.up(TestbedSpec(name=f"cilium-config-{os.getpid()}", cilium=CiliumOperatorSpec())) as made:
        made.cilium.stop()
        yield made


def findings(testbed: Testbed) -> list[Finding]:
    """What the audit says about the live cluster's configuration."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    return list(cilium_config.check(Context(live.collect(client))))


def run(testbed: Testbed, keys: Mapping[str, str], seconds: float = 180) -> tuple[list[Finding], bool, str]:
    """(findings, whether the operator starts with these keys, the end of its log)."""
    spec = dataclasses.replace(testbed.spec.cilium or CiliumOperatorSpec(), config=keys)
    operator = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    file = processes.log_of(testbed.directory, NAME)
    before = file.stat().st_size  # one run after the other writes into it
    operator.start()
    try:
        said = findings(testbed)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            record = processes.read(testbed.directory, NAME)
            alive = record is not None and processes.alive(record)
            log = file.read_bytes()[before:].decode()
            if STARTED in log or not alive:
                return said, alive, log
            time.sleep(0.05)
    finally:
        operator.stop()
    raise AssertionError(f"neither started nor exited within {seconds:.0f} s:\n{log}")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"identity-gc-interval": "600"},
        {"identity-gc-interval": "10m"},
        {"identity-gc-interval": "0"},
        {"identity-gc-interval": ""},
        {"nodes-gc-interval": "300"},
        {"nodes-gc-interval": "5 m"},
        {"identity-gc-rate-limit": "many"},
        {"identity-gc-rate-limit": "1.5"},
        {"identity-gc-rate-limit": ""},
        {"parallel-alloc-workers": "1.5"},
        {"unmanaged-pod-watcher-interval": "15s"},
        {"unmanaged-pod-watcher-interval": "15"},
        {"enable-ipv6": "no"},
        {"enable-ipv6": ""},
        {"enable-ipv6": "F"},
        {"operator-k8s-client-qps": "fast"},
        {"kvstore-opt": "etcd"},
        {"kvstore-lease-ttl": "10s"},
        {"kvstore-lease-ttl": "900"},
        {"max-connected-clusters": "300"},
        {"cluster-id": "256", "cluster-name": "east"},
        {"cluster-id": "5"},
        {"cluster-id": "5", "cluster-name": "east"},
        {"cluster-name": "EAST"},
        {"identity-allocation-mode": "kubernetes"},
        {"identity-management-mode": "nobody"},
        {"identity-allocation-refresh": "600", "enable-identity-cache": "maybe"},
    ],
    ids=lambda keys: " ".join(f"{key}={value}" for key, value in keys.items()) or "as installed",
)
def test_the_operator_starts_where_we_say_so(keys: dict[str, str], testbed: Testbed) -> None:
    """Exactly there; and where it exits for a value that it cannot read, with the words that the finding quotes."""
    said, started, log = run(testbed, keys)
    stopping = [one for one in said if "operator" in one.evidence.get("stops", ())]
    assert started is not bool(stopping), log
    assert all(one.severity == "critical" for one in stopping)
    for one in stopping:
        reason = str(one.evidence.get("reason", "")).replace('"', '\\"')
        assert reason.rpartition(": ")[2] in log


def test_a_program_that_starts_may_be_crippled(testbed: Testbed) -> None:
    """Nanoseconds in place of seconds: the operator starts and runs its clean-up without a pause; we say so."""
    said, started, _log = run(testbed, {"cilium-endpoint-gc-interval": "300"})
    (found,) = [one for one in said if one.id == "cilium-config-duration-without-unit"]
    assert started and found.evidence["taken_for"] == "300ns"


def flags() -> tuple[ModuleType, dict[str, tuple[str, str]]]:
    """(the tool that writes the table, what the running program says: {key: (kind, decoder)})."""
    path = Path(__file__).parents[1] / "tools/cilium_operator_keys.py"
    spec = importlib.util.spec_from_file_location("operator_keys", path)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool, tool.of_binary(binaries.locate([NAME])[NAME])


def test_the_table_has_what_the_operator_says() -> None:
    """Every flag of the running program is in the table of its release, as the same kind, read as strictly."""
    tool, said = flags()
    assert len(said) > 100
    for key, (kind, decoder) in said.items():
        (form,) = [one for one in forms_in(key, RELEASE) if one.owner == "operator"]
        assert form.kind == kind
        assert form.strict == (decoder == tool.STRICT) or kind in ("bool", "string", "list", "map"), key


# values of each kind, good and bad ones, as people and templates write them
WRITTEN: dict[str, tuple[str, ...]] = {
    "bool": ("true", "F", "yes", "on", "", "TRUE", "tRUE", "1", "2", "null"),
    "duration": (
        "5m0s",
        "90",
        "5 m",
        "1h60m",
        "-5m",
        "1.5h",
        "1.5.5h",
        "",
        "5M",
        "0x10s",
        "1e3s",
        "99999999h",
        "5m,",
        "m",
    ),
    "int": ("5", "1.5", "0x10", "010", "08", "1_000", "9e3", "", "99999999999999999999", "+7", "five", "5s"),
    "float": ("1.5", "fast", "1e2", "0x1p3", ".5", "1,5", "", "1.2.3", "10%"),
    "map": ("a=b", "a", "{}", '{"a":1}', '{"a":"b"}', "{", "a=b,c=d", ""),
}
# what stops or starts an operator for another reason than that it cannot read the value
OTHER_REASONS = (
    "kvstore",
    "azure",
    "aws",
    "eni",
    "alibaba",
    "gops",
    "pprof",
    "addr",
    "port",
    "leader-election",
    "k8s-",
    "tls",
)


def written(seed: int, count: int) -> list[tuple[str, str]]:
    """So many (key, value) of the operator's keys of 1.18, drawn from `seed`."""
    chance = random.Random(seed)
    # the program of the testbed is the generic one: those of clouds have keys of their own besides
    said = flags()[1]
    keys = {
        name: one.kind
        for name in sorted(said)
        for one in forms_in(name, RELEASE)
        if one.owner == "operator" and not any(part in name for part in OTHER_REASONS)
    }
    of_kind: dict[str, list[str]] = {}
    for name, kind in keys.items():
        of_kind.setdefault("int" if kind.startswith(("int", "uint")) else kind, []).append(name)
    kinds = [kind for kind in WRITTEN if kind in of_kind]
    return [
        (chance.choice(of_kind[kind]), chance.choice(WRITTEN[kind]))
        for kind in (kinds[number % len(kinds)] for number in range(count))
    ]


def generated(testbed: Testbed, seed: int, count: int) -> tuple[int, int]:
    """(how many were refused, how many were let through): the first stop the operator, the others do not."""
    base = dict(objects.cilium_config(testbed.spec.cilium or CiliumOperatorSpec()))
    refused = taken = 0
    for key, value in dict.fromkeys(written(seed, count)):
        stops = [
            one for one in objections(base, {key: value}, RELEASE) if not one.risk and "would not start" in one.reason
        ]
        _said, started, log = run(testbed, {key: value})
        assert started is not bool(stops), (key, value, [one.sentence for one in stops], log[-2000:])
        refused, taken = refused + bool(stops), taken + started
    return refused, taken


def test_what_is_refused_of_a_generated_list_stops_the_operator(testbed: Testbed) -> None:
    """A few of the long list, of each kind."""
    refused, taken = generated(testbed, 0, 5)
    assert refused and taken


@pytest.mark.long
@pytest.mark.once
def test_the_whole_generated_list(testbed: Testbed) -> None:
    """Forced past us, each refused value stops the real operator, and each other one does not."""
    refused, taken = generated(testbed, 1, 200)
    print(f"{refused} refused and fatal, {taken} let through and harmless")
    assert refused > 40 and taken > 40
