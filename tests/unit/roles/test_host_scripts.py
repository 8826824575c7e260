"""The scripts that the role runs on hosts, in the shell that most of them have as /bin/sh, with each kind of awk, and with
busybox for everything.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import parse

FILES = Path(__file__).parents[3] / "roles/reassign_pod_cidrs/files"
NOTHING = {"SANDBOXES": "", "LINKS": "", "FOLDERS": "", "FILES": "", "CRICTL": "false"}


SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
AWKS = ("mawk", "gawk", "original-awk")  # tests/tools/prerequisites.sh installs what is missing
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module", params=[*AWKS, "busybox"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a script as the role does, on a host with these programs."""
    program = shutil.which(request.param, path=SYSTEM)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp("programs")
    shell = "/bin/sh"
    if request.param == "busybox":
        subprocess.run([program, "--install", "-s", str(folder)], check=True, timeout=60)
        shell = str(folder / "sh")
    else:
        (folder / "awk").symlink_to(program)

    def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        text = (FILES / script).read_text(encoding="utf-8")
        before = f"{environment.pop('PATH')}:" if "PATH" in environment else ""
        return subprocess.run(
            [shell, "-c", text],
            env={"PATH": f"{before}{folder}:{SYSTEM}", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_any_machine_can_be_read(run: Run, tmp_path: Path) -> None:
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
    assert report.machine_id and report.boot_id and report.user_id == str(os.geteuid())
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


UNITS = """LoadState=loaded
ActiveState=inactive
UnitFileState=

LoadState=not-found
ActiveState=inactive
UnitFileState=
MainPID=0

MainPID={pid}
LoadState=loaded
ActiveState=active
UnitFileState=enabled
"""


def test_units_in_one_question(run: Run, tmp_path: Path) -> None:
    """Each keeps what is said about it, and of the process of one its arguments are read; no answer is no unit."""
    sleeping = ["sh", "-c", "sleep 60; :", "kubelet", "--node-name=w1", "--token=c2VjcmV0", "--register-node=false"]
    process = subprocess.Popen(sleeping, start_new_session=True)
    program = tmp_path / "systemctl"
    try:
        program.write_text(f"#!/bin/sh\ncat <<END\n{UNITS.format(pid=process.pid)}END\n", "utf-8")
        program.chmod(0o755)
        nothing = dict.fromkeys(("CONFIGS", "CERTIFICATES", "KUBECONFIGS", "CONTAINERD", "CNI_DIRS", "DISKS"), "")
        asked = {**nothing, "UNITS": "kubelet k3s-agent k0sworker", "CRICTL": "", "PATH": str(tmp_path)}
        done = run("read_host.sh", **asked)
        program.write_text("#!/bin/sh\nexit 1\n", "utf-8")
        silent = run("read_host.sh", **asked)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    units = parse(done.stdout).units
    assert [(unit.name, unit.active, unit.enabled) for unit in units] == [
        ("kubelet", False, False),
        ("k0sworker", True, True),
    ]
    assert units[1].arguments == ("node-name=w1", "register-node=false") and "c2VjcmV0" not in done.stdout
    assert "crictl-command crictl --runtime-endpoint unix:///run/k0s/containerd.sock" in done.stdout
    assert done.stderr == silent.stderr == "" and parse(silent.stdout).units == []


def leavings(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with leases and a file, as a CNI leaves them."""
    folder, file = tmp_path / "networks", tmp_path / "10-containerd-net.conflist"
    (folder / "cbr0").mkdir(parents=True)
    (folder / "cbr0/10.1.0.7").touch()
    (folder / ".lock").touch()
    file.touch()
    return folder, file


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_cleaning(mode: str, run: Run, tmp_path: Path) -> None:
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
def test_paths_that_are_too_much(path: str, run: Run, tmp_path: Path) -> None:
    """Nothing at all is removed when one of them is such a path."""
    folder, file = leavings(tmp_path)
    done = run("clean_host.sh", **{**NOTHING, "MODE": "apply", "FOLDERS": f"{folder} {path}", "FILES": str(file)})
    assert done.returncode == 2 and "is not removed" in done.stderr
    assert file.exists() and list(folder.iterdir())


def test_sandboxes_that_stay_end_it(run: Run, tmp_path: Path) -> None:
    """crictl fails: the files that CNI needs for another try are kept."""
    folder, file = leavings(tmp_path)
    environment = {**NOTHING, "MODE": "apply", "SANDBOXES": "all", "FOLDERS": str(folder), "FILES": str(file)}
    for crictl in ("false", "true", "echo {", "sh -c 'exit 0'"):
        assert run("clean_host.sh", **{**environment, "CRICTL": crictl}).returncode != 0
        assert file.exists() and list(folder.iterdir())


def sandbox(number: int, source: str | None, **more: Any) -> dict[str, Any]:
    """One of the sandboxes that crictl lists."""
    annotations = {} if source is None else {"kubernetes.io/config.source": source}
    return {
        "id": f"s{number}",
        "metadata": {"name": "web", "uid": "u", "namespace": "default", "attempt": 0},
        "state": "SANDBOX_READY",
        "createdAt": "1763700000000000000",
        "labels": {"id": "no", "kubernetes.io/config.source": "file"},
        "annotations": {**annotations, **more},
        "runtimeHandler": "",
    }


SANDBOXES = [
    sandbox(1, "api"),
    sandbox(2, "file"),
    sandbox(3, "http"),
    sandbox(4, None),
    sandbox(5, "api", note='a "quoted" {brace} [and] "id": "x",\n \\', id="no"),
    {"id": "s6", "metadata": {"name": "x"}, "labels": {}, "annotations": {}},
    sandbox(7, "file", note='"kubernetes.io/config.source": "api"'),
]


@pytest.mark.parametrize("form", ["lines", "one-line", "none"])
def test_sandboxes_of_static_pods_stay(form: str, run: Run, tmp_path: Path) -> None:
    """Nobody but the kubelet that is stopped would start them again; whatever annotations say, the others go."""
    items = [] if form == "none" else SANDBOXES
    (tmp_path / "pods").write_text(json.dumps({"items": items}, indent=None if form == "one-line" else 2), "utf-8")
    program = tmp_path / "crictl"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *pods*) cat {tmp_path}/pods ;; *) echo "$@" >> {tmp_path}/log ;; esac\n', "utf-8"
    )
    program.chmod(0o755)
    for mode in ("plan", "apply"):
        done = run("clean_host.sh", **{**NOTHING, "MODE": mode, "SANDBOXES": "all", "CRICTL": str(program)})
        assert done.returncode == 0, done.stderr
        expected = [] if form == "none" else ["s1", "s4", "s5", "s6"]
        assert done.stdout.split() == [word for one in expected for word in ("sandbox", one)]
        assert (tmp_path / "log").exists() is (mode == "apply" and form != "none")
    if form != "none":
        assert (tmp_path / "log").read_text("utf-8").split() == ["--timeout", "120s", "rmp", "--force", *expected]


SYSTEMCTL = """#!/bin/sh
cd "${0%/*}"
case "$1" in
  is-enabled) cat enabled ;;
  is-active) cat active ;;
  enable) echo enabled > enabled ;;
  disable) echo disabled > enabled ;;
  start | restart) echo active > active ;;
  stop) echo inactive > active ;;
esac
[ "$1" = is-enabled ] || [ "$1" = is-active ] || echo "$1" >> log
"""


class Machine:
    """A host with a unit of the kubelet; `power` is how many commands of the script are done before it fails."""

    def __init__(self, folder: Path, enabled: str = "enabled", active: str = "active") -> None:
        self.folder = folder
        (folder / "enabled").write_text(f"{enabled}\n", encoding="utf-8")
        (folder / "active").write_text(f"{active}\n", encoding="utf-8")
        program = folder / "systemctl"
        program.write_text(SYSTEMCTL, encoding="utf-8")
        program.chmod(0o755)

    def act(self, what: str, mode: str = "apply", power: int | None = None) -> list[str]:
        """Run the script; the lines that it prints."""
        text = (FILES / "kubelet_unit.sh").read_text(encoding="utf-8")
        text = text.replace("/var/lib/podnet-upkeep", str(self.folder / "marks"))
        if power is not None:
            text = text.replace(
                '[ "$MODE" = plan ] || "$@"', '[ "$left" -gt 0 ] || kill -9 $$; left=$((left - 1)); "$@"'
            )
            text = f"left={power}\n{text}"
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin", "ACT": what, "MODE": mode, "UNIT": "kubelet"}
        done = subprocess.run(
            ["/bin/sh", "-c", text], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == (0 if power is None else done.returncode), done.stderr
        return done.stdout.splitlines()

    @property
    def state(self) -> tuple[str, str]:
        """Whether it is enabled and active."""
        return (
            (self.folder / "enabled").read_text(encoding="utf-8").strip(),
            (self.folder / "active").read_text(encoding="utf-8").strip(),
        )


def test_unit_is_disabled_while_it_is_stopped(tmp_path: Path) -> None:
    """A host that starts again does not start it; each act is repeatable, and in the end it is as it was."""
    machine = Machine(tmp_path)
    assert machine.act("stop", "plan") == ["disable kubelet", "stop kubelet"] and machine.state == ("enabled", "active")
    assert machine.act("stop") == ["disable kubelet", "stop kubelet"] and machine.state == ("disabled", "inactive")
    assert machine.act("stop") == []
    assert machine.act("restart", "plan") == ["enable kubelet", "start kubelet"]
    assert machine.act("restart") == ["enable kubelet", "start kubelet"] and machine.state == ("enabled", "active")
    assert machine.act("start") == []
    assert not list((tmp_path / "marks").iterdir())


def test_unit_that_was_disabled_stays_so(tmp_path: Path) -> None:
    """Somebody starts it in another way."""
    machine = Machine(tmp_path, enabled="disabled")
    machine.act("stop")
    machine.act("start")
    assert machine.state == ("disabled", "active")


def test_kubelet_that_somebody_started_meanwhile_is_started_again(tmp_path: Path) -> None:
    """It knows the range of before; one that was only to be brought back is left alone."""
    machine = Machine(tmp_path)
    machine.act("stop")
    (tmp_path / "active").write_text("active\n", encoding="utf-8")
    assert machine.act("restart") == ["enable kubelet", "restart kubelet"]
    machine.act("stop")
    assert machine.act("enable") == ["enable kubelet"] and machine.state == ("enabled", "inactive")


@pytest.mark.parametrize("power", range(8))
def test_unit_is_enabled_in_the_end_whenever_the_power_fails(power: int, tmp_path: Path) -> None:
    """Before and after each command of the script, in both directions; then the same acts again."""
    for number, act in enumerate(("stop", "restart")):
        folder = tmp_path / str(number)
        folder.mkdir()
        machine = Machine(folder)
        if act == "restart":
            machine.act("stop")
        machine.act(act, power=power)
        if machine.state[0] == "disabled":
            assert list((folder / "marks").iterdir()), "nobody would enable it again"
        for again in itertools.chain(["stop"] if act == "stop" else [], ["restart"]):
            machine.act(again)
        assert machine.state == ("enabled", "active")
