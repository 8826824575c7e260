"""A cluster with one host on which schedules really run: pods of a CronJob by its kubelet, a timer by its systemd."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.playbook import PlaybookRun, run_playbook
from harness.role_steps import collection_folder
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec, binaries, objects
from testbed.hosts import ansible_image, api_service

NAMESPACE, NAME, CLAIM = "upkeep", "nightly", "reports"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
CRON_JOB = f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/{NAME}"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SUMMARY = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}-summary"
ENDED = "/api/v1/namespaces/default/pods"
_REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"
_VOLUME = "/var/lib/reports"  # on the host
_KUBECONFIG = "/etc/upkeep-kubeconfig"
_HOST = "h1"
Object = dict[str, Any]


class ScheduleScene:
    """The cluster, its host, and what tests ask of the two."""

    def __init__(self, testbed: Testbed, collection: Path) -> None:
        """`collection`: where it is installed."""
        self._collection = collection
        self.testbed = testbed
        self.client = testbed.client
        self.host = testbed.hosts[_HOST]

    # -- the CronJob -----------------------------------------------------------------------------------------------

    def install(self, *arguments: str, **variables: Any) -> PlaybookRun:
        """Run the playbook as an administrator, for a CronJob whose reports are kept in the volume."""
        given = {
            "kubeconfig": str(self.testbed.kubeconfig),
            "namespace": NAMESPACE,
            "name": NAME,
            "image": ansible_image.IMAGE,
            "schedule": "15 3 * * *",
            "reports_claim": CLAIM,
            # runs are to have a part of a busy machine
            "resources": {"requests": {"cpu": "1", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
            **variables,
        }
        return _installed(arguments, given)

    def kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The real kubectl, in the namespace of the schedule."""
        program = binaries.locate(["kubectl"])["kubectl"]
        command = [str(program), f"--kubeconfig={self.testbed.kubeconfig}", f"--namespace={NAMESPACE}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def run_now(self, job: str) -> Object:
        """Have the CronJob run out of turn; the Job, when it has ended."""
        made = self.kubectl("create", "job", f"--from=cronjob/{NAME}", job)
        assert made.returncode == 0, made.stderr
        wait_until(f"{job} ends", lambda: outcome(self.client.get(f"{JOBS}/{job}")), 600, 0.3)
        ended: Object = self.client.get(f"{JOBS}/{job}")
        return ended

    def log(self, job: str) -> str:
        """What the container of a Job said."""
        return self.kubectl("logs", f"job/{job}").stdout

    def jobs(self) -> list[str]:
        """Names of the Jobs that the schedule has made."""
        return [one["metadata"]["name"] for one in self.client.list(JOBS)]

    def file(self, name: str) -> bytes:
        """A file of the volume, as the host has it."""
        return base64.b64decode(self.host.run(f"base64 {_VOLUME}/{name}").stdout)

    def requests_of_the_account(self) -> list[Object]:
        """What the API server was asked under the name of the ServiceAccount, out of its audit log."""
        user = f"system:serviceaccount:{NAMESPACE}:{NAME}"
        events = [json.loads(line) for line in self.testbed.audit_log.read_text(encoding="utf-8").splitlines()]
        return [one for one in events if one["user"].get("username") == user]

    # -- the timer -------------------------------------------------------------------------------------------------

    def install_timer(self, *arguments: str, **variables: Any) -> PlaybookRun:
        """Run the playbook for a timer on the host."""
        given = {
            "hosts": _HOST,
            "kind": "timer",
            "name": NAME,
            "on_calendar": "*-*-* *:*:00",
            "run_kubeconfig": _KUBECONFIG,
            "ansible_playbook": ansible_image.PROGRAM,
            **variables,
        }
        return _installed(["-i", str(self.testbed.inventory), *arguments], given)

    def prepare_control_host(self) -> None:
        """Give the host ansible-core with the collection, and a kubeconfig that may do what the audit needs."""
        ansible_image.install_home(self.host, self._collection)
        variables = {
            "install_access_playbooks": ["audit"],
            "install_access_kubeconfig": str(self.testbed.kubeconfig),
        }
        done = run_playbook("podnet.upkeep.install_access", variables=variables)
        assert done.returncode == 0, done.output
        account = "/api/v1/namespaces/kube-system/serviceaccounts/podnet-upkeep-audit/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 7200},
        }
        token = self.client.create(account, request)["status"]["token"]
        kubeconfig = json.loads(self.testbed.kubeconfig.read_text(encoding="utf-8"))
        kubeconfig["users"][0]["user"] = {"token": token}
        self.host.run(f"umask 077\ncat >{_KUBECONFIG} <<'END'\n{json.dumps(kubeconfig)}\nEND\n")

    def unit(self, suffix: str, *properties: str) -> dict[str, str]:
        """Properties of the timer or of its service, as systemd tells them."""
        said = self.host.run(f"systemctl show {NAME}.{suffix} -p {','.join(properties)}").stdout
        return dict(line.partition("=")[::2] for line in said.splitlines())

    # -- what there is to be found ---------------------------------------------------------------------------------

    def audit(self, folder: Path) -> Object:
        """The audit by hand, by an administrator."""
        path = folder / "by-hand.json"
        variables = {"audit_kubeconfig": str(self.testbed.kubeconfig), "audit_output_path": str(path)}
        done = run_playbook("podnet.upkeep.audit", variables=variables)
        assert done.returncode == 0, done.output
        report: Object = json.loads(path.read_text(encoding="utf-8"))
        return report

    def pile_up_ended_pods(self) -> int:
        """Have a ReplicaSet make pods that its Node's kubelet turns away, until somebody stops it; how many stay."""
        template = {
            "metadata": {"labels": {"app": "rejected"}},
            "spec": {
                "nodeName": _HOST,
                "nodeSelector": {"disk": "none-like-this"},
                "containers": [{"name": "c", "image": "testbed.local/agnhost:1", "imagePullPolicy": "Never"}],
            },
        }
        spec = {"replicas": 3, "selector": {"matchLabels": {"app": "rejected"}}, "template": template}
        self.client.create(_REPLICA_SETS, {"metadata": {"name": "rejected"}, "spec": spec})
        wait_until("the kubelet has turned pods away", lambda: len(self._ended()) >= 3)
        self.client.patch(f"{_REPLICA_SETS}/rejected", {"spec": {"replicas": 0}})
        wait_until("only ended pods are left", self._at_rest)
        return len(self._ended())

    def _ended(self) -> list[Object]:
        return [one for one in self.client.list(ENDED) if one["status"].get("phase") == "Failed"]

    def _at_rest(self) -> bool:
        found = self.client.get(f"{_REPLICA_SETS}/rejected")
        seen = found["status"].get("observedGeneration") == found["metadata"]["generation"]
        return bool(seen and len(self.client.list(ENDED)) == len(self._ended()))


def _installed(arguments: Any, given: dict[str, Any]) -> PlaybookRun:
    variables = {f"install_schedule_{key}": value for key, value in given.items()}
    return run_playbook("podnet.upkeep.install_schedule", arguments, variables=variables)


def outcome(job: Object) -> str:
    """Complete, or the reason of the failure; empty while it lasts."""
    for one in job.get("status", {}).get("conditions") or ():
        if one["status"] == "True" and one["type"] in ("Complete", "Failed"):
            return str(one["type"] if one["type"] == "Complete" else one["reason"])
    return ""


def timeless(report: Object, *, own_pod: bool = False) -> Object:
    """A report without what depends on when it was made, and on the address under which the API server was asked.

    With `own_pod` the pod that made it is left out of the account of its Node.
    """
    made = copy.deepcopy(
        {key: value for key, value in report.items() if key not in ("taken_at", "origin", "comparison")}
    )
    for lease in made["control_plane"]["leases"]:
        del lease["led_for_seconds"], lease["renewed_seconds_ago"]
    if own_pod:
        (node,) = [one for one in made["nodes"] if one["name"] == _HOST]
        node["pods"] -= 1
        node["addresses"]["used"] -= 1
        node["addresses"]["free"] += 1
    return made


def installed_collection(folder: Path) -> Path:
    """The collection as its tarball has it: where it is installed, or built from the work tree in `folder`."""
    found = collection_folder()
    if (found / "MANIFEST.json").exists():
        return found
    galaxy = [str(Path(sys.executable).parent / "ansible-galaxy"), "collection"]
    subprocess.run([*galaxy, "build", "--output-path", str(folder), str(found)], check=True, capture_output=True)
    (tarball,) = folder.glob("*.tar.gz")
    install = [*galaxy, "install", "--force", "--offline", "--no-deps", "-p", str(folder), str(tarball)]
    subprocess.run(install, check=True, capture_output=True)
    return folder / "ansible_collections/podnet/upkeep"


@contextmanager
def scene(name: str, folder: Path) -> Iterator[ScheduleScene]:
    """The cluster: its allocator is visible, one Node is outside its range, and one host has the image."""
    collection = installed_collection(folder)
    ansible_image.prepare()  # once, before anything waits for it
    plane = ControlPlaneSpec(cluster_cidrs=("10.149.0.0/16",), control_plane_node="cp1")
    with Testbed.up(TestbedSpec(name, control_plane=plane, hosts=(HostSpec(_HOST),))) as testbed:
        made = ScheduleScene(testbed, collection)
        outside = {"podCIDR": "10.77.0.0/24", "podCIDRs": ["10.77.0.0/24"]}
        testbed.client.create("/api/v1/nodes", objects.node("outside", spec=outside))
        testbed.client.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": RESTRICTED}})
        _make_volume(made)
        api_service.open_to_pods(testbed)
        ansible_image.import_image(made.host, collection)
        yield made


def _make_volume(made: ScheduleScene) -> None:
    """A volume on the host, and the claim that schedules name."""
    made.host.run(f"mkdir -p {_VOLUME}")
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": "none"}
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [_HOST]}]}
    volume = {
        **common,
        "capacity": {"storage": "1Gi"},
        "local": {"path": _VOLUME},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}},
    }
    claim = {**common, "volumeName": CLAIM, "resources": {"requests": {"storage": "1Gi"}}}
    made.client.create("/api/v1/persistentvolumes", {"metadata": {"name": CLAIM}, "spec": volume})
    claims = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"
    made.client.create(claims, {"metadata": {"name": CLAIM}, "spec": claim})
