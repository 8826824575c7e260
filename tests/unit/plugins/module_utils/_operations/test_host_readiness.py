"""Whether a host may be worked on: each refusal is one sentence that names the host and the way out."""

from __future__ import annotations

import base64
import datetime

import pytest
from unit.plugins.module_utils._domain.test_certificate import certificate

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.host_readiness import HostQuestion, prepare

from .conftest import node

SOUND = ["machine-id m1", "boot-id b1", "unit kubelet active enabled", "crictl-command crictl", "crictl ok"]
PATH = "/var/lib/kubelet/pki/kubelet-client-current.pem"


def question(*lines: str, **options: object) -> HostQuestion:
    """A sound host that also says these lines."""
    text = "\n".join([*SOUND, *lines])
    return HostQuestion("h1", text, **options)  # type: ignore[arg-type]


def pem(name: str, days: int = 30) -> str:
    """A client certificate of this name."""
    return certificate(datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days), name)


def line_of(text: str) -> str:
    """The line that read_host.sh makes of a file with key and certificate."""
    body = text.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END")[0]
    return f"certificate {PATH} {''.join(body.split())}"


def test_a_sound_host() -> None:
    """How it is worked on; a certificate is found in a file of its own or in the kubeconfig."""
    data = base64.b64encode(pem("system:node:w1").encode()).decode()
    for line in (
        f"user-id 0\n{line_of(pem('system:node:w1'))}",
        f"kubeconfig-certificate /etc/kubernetes/kubelet.conf {data}",
    ):
        steps = prepare(node(), question(line, "disk /var 9999999 1"), kubelet_runs=True).to_dict()
        assert (steps["unit"], steps["crictl"], steps["remove_sandboxes"]) == ("kubelet", ["crictl"], True)
        assert (steps["cni"], steps["links"]) == ("bridge", ["cni0"])


def test_a_unit_with_its_own_containerd_keeps_its_sandboxes() -> None:
    """When k3s-agent is stopped crictl does not answer, so it is not asked."""
    text = "machine-id m1\nunit k3s-agent active enabled\ncrictl failed connection refused"
    steps = prepare(node(), HostQuestion("h1", text), kubelet_runs=False)
    assert steps.to_dict()["remove_sandboxes"] is False


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["user-id 1003", "crictl failed x"],
            r"h1 was read by a user who is not root \(its number is 1003\), .* become root",
        ),
        (["argument kubelet hostname-override=w9"], r"started with --hostname-override=w9, .* Node w1"),
        (["argument kubelet node-name=w9"], "--node-name=w9"),
        (["argument kubelet register-node=false"], r"does not register its Node \(--register-node=false\)"),
        (["kubelet-config /c.yaml", "register-node registerNode: false"], r"registerNode: false in /c\.yaml"),
        (["disk /var/lib/kubelet 1024 9999999"], r"/var/lib/kubelet on h1 has 1 MiB left, less than 512"),
        (["inodes /var/lib/kubelet 3 9999999"], "3 inodes left"),
        (["crictl failed no such file"], r"crictl does not answer on h1 \(crictl: no such file\)"),
        (["cni-file /etc/cni/net.d/10-own.conf", "cni-value subnet 10.9.0.0/24"], "accepted_risks: .fixed-cni-subnet"),
        (["unit k3s-agent active enabled"], "more than one unit"),
    ],
)
def test_refusals(lines: list[str], words: str) -> None:
    """Before anything is changed."""
    with pytest.raises(RefusedError, match=words):
        prepare(node(), question(*lines, min_free_mib=512), kubelet_runs=True)


def test_risks_that_may_be_taken() -> None:
    """The subnet only; and no room is asked for with 0."""
    lines = ["cni-file /etc/cni/net.d/10-own.conf", "cni-value subnet 10.9.0.0/24", "disk /var 0 1", "inodes /var 0 1"]
    assert prepare(node(), question(*lines, accepted_risks=["fixed-cni-subnet"]), kubelet_runs=True)


def test_certificates() -> None:
    """Of another Node, expired, damaged."""
    with pytest.raises(RefusedError, match=r"known to the cluster as Node w9 \(its client certificate\), not as w1"):
        prepare(node(), question(line_of(pem("system:node:w9"))), kubelet_runs=True)
    with pytest.raises(RefusedError, match="expires at"):
        prepare(node(), question(line_of(pem("system:node:w1", days=0))), kubelet_runs=True)
    with pytest.raises(RefusedError, match="cannot be read"):
        prepare(node(), question(f"certificate {PATH} AAAA"), kubelet_runs=True)


def test_a_damaged_report_names_its_option() -> None:
    """As any bad input."""
    with pytest.raises(InputError, match="host_report: what was read on h1 cannot be used: it has no machine-id"):
        prepare(node(), HostQuestion("h1", "hello"), kubelet_runs=True)
