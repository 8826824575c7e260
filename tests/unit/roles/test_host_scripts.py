"""The two scripts that the role runs on hosts, in the shell that most of them have as /bin/sh."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import parse

FILES = Path(__file__).parents[3] / "roles/reassign_pod_cidrs/files"
NOTHING = {"SANDBOXES": "", "LINKS": "", "FOLDERS": "", "FILES": "", "CRICTL": "false"}


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as the role does."""
    text = (FILES / script).read_text(encoding="utf-8")
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return subprocess.run(
        ["/bin/sh", "-c", text],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_any_machine_can_be_read(tmp_path: Path) -> None:
    """Also one without kubelet and crictl; certificates and configurations are read, keys and tokens are not printed."""
    config = tmp_path / "config.yaml"
    config.write_text("kind: KubeletConfiguration\nregisterNode: false\n", encoding="utf-8")
    pem = tmp_path / "client.pem"
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
    pem.write_text(f"{key}-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n-----END CERTIFICATE-----\n{key}", encoding="utf-8")
    kubeconfig = tmp_path / "kubelet.conf"
    kubeconfig.write_text(
        "users:\n- user:\n    client-certificate-data: QUJD\n    client-key-data: c2VjcmV0\n", encoding="utf-8"
    )
    containerd = tmp_path / "config.toml"
    containerd.write_text("  conf_template = '/etc/containerd/cni.template'\n", encoding="utf-8")
    folder = tmp_path / "net.d"
    folder.mkdir()
    (folder / "10-own.conflist").write_text(
        '{"token":"c2VjcmV0","plugins":[{"type":"bridge","bridge":"br7","ipam":{"subnet": "10.1.0.0/24"}}]}',
        encoding="utf-8",
    )
    done = run(
        "read_host.sh",
        UNITS="kubelet k3s",
        CONFIGS=f"{config} /nowhere",
        CERTIFICATES=str(pem),
        KUBECONFIGS=str(kubeconfig),
        CONTAINERD=str(containerd),
        CNI_DIRS=str(folder),
        CRICTL="false",
        DISKS=f"{tmp_path} /nowhere",
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "c2VjcmV0" not in done.stdout
    report = parse(done.stdout)
    assert report.machine_id and report.boot_id
    assert report.register_node == {str(config): False}
    assert report.certificates == {str(pem): "QUJDREVG"}
    assert report.kubeconfig_certificates == {str(kubeconfig): "QUJD"}
    assert report.conf_template == str(containerd)
    assert report.active_cni is not None and report.active_cni.values == (
        ("type", "bridge"),
        ("bridge", "br7"),
        ("subnet", "10.1.0.0/24"),
    )
    assert report.crictl_problem and report.disks[0].free > 0


def leavings(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with leases and a file, as a CNI leaves them."""
    folder, file = tmp_path / "networks", tmp_path / "10-containerd-net.conflist"
    (folder / "cbr0").mkdir(parents=True)
    (folder / "cbr0/10.1.0.7").touch()
    (folder / ".lock").touch()
    file.touch()
    return folder, file


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_cleaning(mode: str, tmp_path: Path) -> None:
    """Each thing is printed; only `apply` removes it, and the folder itself stays."""
    folder, file = leavings(tmp_path)
    environment = {**NOTHING, "MODE": mode, "FOLDERS": f"{folder} /nowhere/else", "FILES": str(file)}
    done = run("clean_host.sh", **{**environment, "LINKS": "no-such-link"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"path {folder}/cbr0", f"path {folder}/.lock", f"path {file}"]
    assert folder.is_dir() and bool(list(folder.iterdir())) is (mode == "plan") and file.exists() is (mode == "plan")
    if mode == "apply":
        assert run("clean_host.sh", **environment).stdout == ""


@pytest.mark.parametrize("path", ["/", "/etc", "relative/path", "/var/lib/../..", "/var/../etc/x"])
def test_paths_that_are_too_much(path: str, tmp_path: Path) -> None:
    """Nothing at all is removed when one of them is such a path."""
    folder, file = leavings(tmp_path)
    done = run("clean_host.sh", **{**NOTHING, "MODE": "apply", "FOLDERS": f"{folder} {path}", "FILES": str(file)})
    assert done.returncode == 2 and "is not removed" in done.stderr
    assert file.exists() and list(folder.iterdir())


def test_sandboxes_that_stay_end_it(tmp_path: Path) -> None:
    """crictl fails: the files that CNI needs for another try are kept."""
    folder, file = leavings(tmp_path)
    environment = {**NOTHING, "MODE": "apply", "SANDBOXES": "s1", "FOLDERS": str(folder), "FILES": str(file)}
    assert run("clean_host.sh", **environment).returncode != 0
    assert file.exists() and list(folder.iterdir())
