"""What read_host.sh prints, and what follows from it: the unit to stop, and what the CNI has left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cni_cleanup import cleanup_of, fixed_subnets
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import (
    HostReport,
    HostReportError,
    parse,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kubelet_unit import UnitError, argument, choose

TEXT = """user-id 0
machine-id 26f3a8bacfdd6fb99f2a1e569d1c32cb
boot-id 647b6ee6-2e4d-49ca-ba9e-22ad2a479abd
hostname h1
unit kubelet active enabled
argument kubelet hostname-override=h1
kubelet-config /var/lib/kubelet/config.yaml
register-node registerNode: false
certificate /var/lib/kubelet/pki/kubelet-client-current.pem MIIB
kubeconfig-certificate /etc/kubernetes/kubelet.conf
conf-template /etc/containerd/config.toml
cni-file /etc/cni/net.d/10-containerd-net.conflist
cni-value type bridge
cni-value bridge cni0
cni-value subnet 10.121.10.0/24
link cni0
address cni0 10.121.10.1/24
crictl-command crictl --timeout 5s
crictl ok
disk /var/lib/kubelet 66052176 264212084
inodes /var/lib/kubelet 15869506 16777216
"""


def report(*lines: str) -> HostReport:
    """A report of some lines."""
    return parse("\n".join(["machine-id m1", *lines]))


def cni(file: str, *values: str, folder: str = "/etc/cni/net.d") -> list[str]:
    """Lines of one CNI configuration."""
    return [f"cni-file {folder}/{file}", *(f"cni-value {value}" for value in values)]


def test_every_line() -> None:
    """A host of the testbed."""
    read = parse(TEXT)
    assert (read.user_id, read.machine_id[:4], read.boot_id[:4], read.hostname) == ("0", "26f3", "647b", "h1")
    assert [(unit.name, unit.active, unit.enabled) for unit in read.units] == [("kubelet", True, True)]
    assert argument(read.units, "kubelet", "hostname-override") == "h1"
    assert read.register_node == {"/var/lib/kubelet/config.yaml": False}
    assert read.certificates == {"/var/lib/kubelet/pki/kubelet-client-current.pem": "MIIB"}
    assert read.kubeconfig_certificates == {"/etc/kubernetes/kubelet.conf": ""}
    assert read.active_cni is not None and read.active_cni.all_of("subnet") == ["10.121.10.0/24"]
    assert read.addresses == [("cni0", "10.121.10.1/24")] and read.links == ["cni0"]
    assert (read.crictl_command, read.crictl_problem) == ("crictl --timeout 5s", "")
    assert (read.disks[0].free, read.inodes[0].total) == (66052176, 16777216)


@given(st.text(max_size=300))
def test_any_text_is_a_report_or_a_sentence(text: str) -> None:
    """Whatever a host prints, nothing else than HostReportError comes of it."""
    try:
        parse(text)
    except HostReportError as error:
        assert str(error)


@pytest.mark.parametrize("line", ["disk /var x y", "address cni0", "cni-value type bridge", "unit ", "argument a b"])
def test_a_damaged_line_is_named(line: str) -> None:
    """With its beginning."""
    with pytest.raises(HostReportError, match=line.split()[0]):
        report(line)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["unit kubelet active enabled"], "kubelet"),
        (["unit kubelet inactive disabled", "unit k3s-agent active enabled"], "k3s-agent"),
        (["unit kubelet inactive disabled", "unit rke2-agent inactive enabled"], "rke2-agent"),
        (["unit k0sworker inactive static"], "k0sworker"),
        (["unit snap.microk8s.daemon-kubelite active enabled"], "snap.microk8s.daemon-kubelite"),
    ],
)
def test_unit_by_distribution(lines: list[str], expected: str) -> None:
    """The one that runs, else the one that would after a boot, else the one that is there."""
    assert choose(report(*lines), "h1").name == expected


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "none of the units"),
        (["unit k3s active enabled"], "k3s, a server of k3s: .* no way around"),
        (["unit rke2-server active enabled"], "rke2-server, a server of RKE2"),
        (["unit k0scontroller active enabled"], "k0scontroller, a server of k0s"),
        (["unit kubelet active enabled", "unit k3s-agent active enabled"], "more than one unit"),
    ],
)
def test_units_that_are_refused(lines: list[str], words: str) -> None:
    """One sentence each, with the host."""
    with pytest.raises(UnitError, match=words) as caught:
        choose(report(*lines), "h1")
    assert "h1" in str(caught.value)


def test_a_unit_that_was_named() -> None:
    """It must be there; a server stays refused by any name."""
    assert choose(report("unit my-kubelet active enabled"), "h1", "my-kubelet.service").name == "my-kubelet"
    both = report("unit containerd active enabled", "unit kubelet active enabled")
    with pytest.raises(UnitError, match="runs its kubelet in the unit kubelet, so containerd is not stopped for it"):
        choose(both, "h1", "containerd")
    own = report("unit k3s active enabled")
    with pytest.raises(UnitError, match="has no unit nothing"):
        choose(own, "h1", "nothing")
    # the store may be an external one, of which the host cannot be told
    with pytest.raises(
        UnitError, match=r"server of k3s: .* stops its API server too.*embedded etcd away, where it has one"
    ):
        choose(own, "h1", "k3s")


TEMPLATE = ["conf-template /etc/containerd/config.toml"]
SUBNET_ENV = ["flannel-subnet 10.244.3.1/24"]


@pytest.mark.parametrize(
    ("lines", "name", "links", "files"),
    [
        ([], "bridge", ("cni0",), ()),
        (
            [*TEMPLATE, *cni("10-containerd-net.conflist", "type bridge", "bridge cni0", "subnet 10.1.0.0/24")],
            "bridge",
            ("cni0",),
            ("/etc/cni/net.d/10-containerd-net.conflist",),
        ),
        (cni("10-bridge.conf", "type bridge", "bridge br7", "type host-local"), "bridge", ("br7",), ()),
        (
            [*SUBNET_ENV, *cni("10-flannel.conflist", "type flannel", "type portmap")],
            "flannel",
            ("cni0", "flannel.1", "flannel-v6.1"),
            ("/run/flannel/subnet.env",),
        ),
        (
            [*SUBNET_ENV, *cni("10-canal.conflist", "type calico", "type host-local", "subnet usePodCidr")],
            "canal",
            ("flannel.1", "flannel-v6.1"),
            ("/run/flannel/subnet.env",),
        ),
        (
            cni("10-kuberouter.conflist", "bridge kube-bridge", "type bridge", "subnet 10.1.0.0/24"),
            "kube-router",
            ("kube-bridge",),
            (),
        ),
        (cni("05-cilium.conflist", "type cilium-cni"), "cilium", (), ()),
        (cni("10-calico.conflist", "type calico", "type calico-ipam"), "calico", (), ()),
        (cni("10-kindnet.conflist", "type ptp", "type host-local", "subnet 10.1.0.0/24"), "ptp", (), ()),
        (cni("10-own.conf", "type own-cni"), "own-cni", (), ()),
    ],
)
def test_cleanup_by_cni(lines: list[str], name: str, links: tuple[str, ...], files: tuple[str, ...]) -> None:
    """What each of them would keep of the old range; those whose agent follows keep all."""
    cleanup = cleanup_of(report(*lines))
    assert (cleanup.cni, cleanup.links, cleanup.files) == (name, links, files)
    if name in ("cilium", "calico"):
        assert not cleanup.sandboxes and cleanup.folders == ()


def test_the_first_configuration_counts() -> None:
    """By name, as container runtimes choose it."""
    both = report(*cni("99-bridge.conf", "type bridge"), *cni("05-cilium.conflist", "type cilium-cni"))
    assert cleanup_of(both).cni == "cilium"


def test_subnets_that_would_stay() -> None:
    """Only those that nobody writes anew: not rendered ones, not those of agents, not a word that stands for the Node's."""
    lines = [
        *TEMPLATE,
        *cni("10-containerd-net.conflist", "subnet 10.1.0.0/24"),
        *cni("10-kuberouter.conflist", "subnet 10.1.0.0/24"),
        *cni("10-kindnet.conflist", "subnet 10.1.0.0/24"),
        *cni("20-own.conflist", "subnet usePodCidr", "subnet 10.9.0.0/24"),
    ]
    assert [(file.file, subnet) for file, subnet in fixed_subnets(report(*lines))] == [
        ("20-own.conflist", "10.9.0.0/24")
    ]
    assert fixed_subnets(report(*lines[1:3]))[0][0].file == "10-containerd-net.conflist", "without a template it stays"
