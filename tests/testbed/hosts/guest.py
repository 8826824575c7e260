"""A systemd-nspawn guest: its tree, its files, its start."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from .. import binaries, processes
from . import base, cgroups, images, network
from .host import Host

if TYPE_CHECKING:
    from ..testbed import Testbed

_FILES = Path(__file__).parent / "files"
_UNITS = ("testbed-guest", "testbed-images", "kubelet")
_MASKED = (
    "systemd-logind.service",
    "console-getty.service",
)  # nobody logs in at a console; each takes inotify instances


def record_name(host: str) -> str:
    """Name of the process record of a guest's systemd-nspawn."""
    return f"guest-{host}"


def folder_of(run_dir: Path, host: str) -> Path:
    """Where everything of one guest is."""
    return run_dir / "guests" / host


def machine_name(index: int, host: str) -> str:
    """Name under which systemd-nspawn knows a guest on this machine."""
    return f"podnet-{index}-{host}"


def link_name(index: int, host: str) -> str:
    """Name of the guest's link on this machine, as systemd-nspawn gives it."""
    return f"vb-{machine_name(index, host)}"


def start(testbed: Testbed, host: Host) -> None:
    """Build the guest's tree as an overlay of the shared one, and boot it."""
    folder = folder_of(testbed.directory, host.name)
    root = folder / "root"
    for name in ("root", "upper", "work", "containerd", "kubelet"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={base.prepare()},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)], check=True)
    _write_system_files(testbed, host, root)
    _write_kubelet_files(testbed, host, root, folder / "kubelet")
    boot(testbed, host, folder)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _write_system_files(testbed: Testbed, host: Host, root: Path) -> None:
    index = testbed.index
    machine_id = hashlib.sha256(f"{testbed.directory}-{host.name}".encode()).hexdigest()[:32]
    _write(root / "etc/machine-id", f"{machine_id}\n")
    _write(root / "etc/hostname", f"{host.name}\n")
    known = [f"{network.host_address(index, other.number)} {other.name}" for other in testbed.hosts.values()]
    _write(root / "etc/hosts", "\n".join(["127.0.0.1 localhost", *known, ""]))
    _write(root / "etc/resolv.conf", "")
    addresses = [f"Address={host.address}/24"]
    if network.has_ipv6():
        addresses.append(f"Address={network.host_address_ipv6(index, host.number)}/64")
    lines = [
        "[Match]",
        "Name=host0",
        "[Network]",
        *addresses,
        "IPv6AcceptRA=no",  # and no gateway: whatever a pod sends, it does not leave the testbed
    ]
    _write(root / "etc/systemd/network/10-testbed.network", "\n".join([*lines, ""]))
    _write(root / "root/.ssh/authorized_keys", host.key.with_suffix(".pub").read_text(encoding="utf-8"), 0o600)
    (root / "root/.ssh").chmod(0o700)
    shutil.copy(testbed.directory / "ssh-host-key", root / "etc/ssh/ssh_host_ed25519_key")
    (root / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    for name in ("usr/local/sbin/testbed-guest", "etc/containerd/config.toml", "etc/containerd/cni.template"):
        source = _FILES / ("containerd.toml" if name.endswith("config.toml") else Path(name).name)
        _write(root / name, source.read_text(encoding="utf-8"), 0o755 if "sbin" in name else 0o644)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    for unit in _UNITS:
        _write(root / f"etc/systemd/system/{unit}.service", (_FILES / f"{unit}.service").read_text(encoding="utf-8"))
        (wants / f"{unit}.service").symlink_to(f"/etc/systemd/system/{unit}.service")
    for unit in ("systemd-networkd", "containerd"):
        (wants / f"{unit}.service").unlink(missing_ok=True)
        (wants / f"{unit}.service").symlink_to(f"/lib/systemd/system/{unit}.service")
    for unit in _MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    for folder in ("etc/cni/net.d", "opt/images", "etc/kubernetes/manifests"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    _write(root / "etc/crictl.yaml", "runtime-endpoint: unix:///run/containerd/containerd.sock\n")
    for program in ("kubelet", "crictl"):
        (root / "usr/local/bin" / program).touch()


def _write_kubelet_files(testbed: Testbed, host: Host, root: Path, state: Path) -> None:
    """Files as kubeadm lays them: a kubeconfig that names the rotated client certificate, config.yaml in the state."""
    authority = testbed.control_plane.authority
    certificate = authority.issue(f"node-{host.name}", f"system:node:{host.name}", ("system:nodes",))
    pem = certificate.cert.read_text(encoding="utf-8") + certificate.key.read_text(encoding="utf-8")
    current = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    _write(state / "pki/kubelet-client-current.pem", pem, 0o600)
    _write(root / "etc/kubernetes/pki/ca.crt", authority.cert.read_text(encoding="utf-8"))
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "testbed",
                "cluster": {
                    "server": testbed.control_plane.server,
                    "certificate-authority": "/etc/kubernetes/pki/ca.crt",
                },
            }
        ],
        "users": [{"name": "node", "user": {"client-certificate": current, "client-key": current}}],
        "contexts": [{"name": "node", "context": {"cluster": "testbed", "user": "node"}}],
        "current-context": "node",
    }
    _write(root / "etc/kubernetes/kubelet.conf", json.dumps(kubeconfig, indent=1), 0o600)
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "staticPodPath": "/etc/kubernetes/manifests",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "5s",
        "registerNode": True,
        "rotateCertificates": False,
    }
    _write(state / "config.yaml", json.dumps(settings, indent=1))
    addresses = [host.address]
    if testbed.spec.control_plane.dual_stack:
        addresses.append(network.host_address_ipv6(testbed.index, host.number))
    _write(root / "etc/default/kubelet", f"NODE_IP={','.join(addresses)}\n")


def boot(testbed: Testbed, host: Host, folder: Path) -> None:
    """Start systemd-nspawn on the guest's tree, which `start` has made."""
    programs = binaries.locate(["kubelet", "crictl"])
    binds = [
        "--bind=/dev/kmsg",
        f"--bind={folder / 'containerd'}:/var/lib/containerd",
        f"--bind={folder / 'kubelet'}:/var/lib/kubelet",
        f"--bind-ro={images.prepare()}:/opt/images",
        *(f"--bind-ro={path}:/usr/local/bin/{name}" for name, path in programs.items()),
    ]
    # keyctl: runc's session keyring; bpf: on cgroup v2 a container's devices are allowed by a BPF program, not by files
    calls = "keyctl bpf" if cgroups.is_pure_v2() else "keyctl"
    nspawn = [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={folder / 'root'}",
        f"--machine={machine_name(testbed.index, host.name)}",
        f"--hostname={host.name}",
        "--register=no",
        "--keep-unit",
        "--link-journal=no",
        f"--network-bridge={network.bridge_name(testbed.index)}",
        "--capability=CAP_SYSLOG",
        f"--system-call-filter={calls}",
        *binds,
    ]
    # the shell enters the guest's cgroups and becomes nspawn: the recorded pid is nspawn's from then on
    enter = "".join(f"echo $$ >{file} && " for file in cgroups.create(testbed.index, host.name))
    processes.start(testbed.directory, record_name(host.name), ["sh", "-c", f'{enter}exec "$@"', "sh", *nspawn])


def init_pid(run_dir: Path, host: str) -> int | None:
    """Pid (of this machine) of the guest's systemd; None while there is none."""
    record = processes.read(run_dir, record_name(host))
    if record is None or not processes.alive(record):
        return None
    try:
        children = Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None
    return int(children[0]) if children else None
