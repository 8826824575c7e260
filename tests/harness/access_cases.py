"""Further runs of playbooks, for what they need only in some clusters and with some options (see access_scenes)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unit.fake_api import Fault

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    PlaybookAccess,
    name_for,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import RUN, features_of, rules_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import PREFIX, RUNS
from testbed import Testbed, objects
from testbed.prometheus import install_operator_kinds

from . import access_scenes, cleanup_scene, lone_node
from .access_scenes import CONFIG, SYSTEM, Scene
from .fault_proxy import FaultProxy
from .playbook import PlaybookRun, run_playbook
from .simulated_pods import wait_running
from .waiting import wait_until

ETCD_SECRET = "cilium-etcd-secrets"
_POOLS = "/apis/cilium.io/v2alpha1/ciliumpodippools"
_VOLUMES = "/api/v1/persistentvolumes"
_CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
_SUMMARY = {"scheduled_run_summary_name": f"{name_for('scheduled_run')}-summary"}
_OF_A_SCHEDULE = {**_SUMMARY, "scheduled_run_summary_namespace": "kube-system"}
_ATTACHMENTS = "/apis/storage.k8s.io/v1/volumeattachments"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
_DEAD = {"holderIdentity": "dead", "leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00.000000Z"}
_CAUSE = {"reason": "DisruptionBudget", "message": "The disruption budget web is still being processed by the server."}
_NO_NUMBERS = {
    "kind": "Status",
    "status": "Failure",
    "reason": "TooManyRequests",
    "code": 429,
    "message": "Cannot evict pod as it would violate the pod's disruption budget.",
    "details": {"causes": [_CAUSE]},
}


@contextmanager
def as_it_is(testbed: Testbed, user: str, kubeconfig: Path) -> Iterator[Path]:
    """Nothing is done around a run."""
    del testbed, user
    yield kubeconfig


def _after_dead_runs(playbook: str) -> Callable[[Testbed, str, Path], Any]:
    """All other runs seem to have died while they had their Leases, before they had begun anything."""
    own = {name for rule in rules_of(playbook, features_of(playbook)) if rule.verb == "patch" for name in rule.names}
    others = [f"{PREFIX}{one}" for one in sorted(RUNS) if f"{PREFIX}{one}" not in own]

    @contextmanager
    def around(testbed: Testbed, user: str, kubeconfig: Path) -> Iterator[Path]:
        del user
        for name in others:
            if testbed.client.find(f"{_LEASES}/{name}") is None:
                testbed.client.create(_LEASES, {"metadata": {"name": name}, "spec": _DEAD})
            else:
                testbed.client.patch(f"{_LEASES}/{name}", {"spec": _DEAD})
            if testbed.client.find(f"{SYSTEM}/configmaps/{name}") is not None:
                testbed.client.delete(f"{SYSTEM}/configmaps/{name}")
        time.sleep(3)  # they last a second from the moment in which they were written
        yield kubeconfig
        for name in others:
            testbed.client.patch(f"{_LEASES}/{name}", {"spec": {"holderIdentity": ""}})

    return around


@dataclass(frozen=True)
class Case:
    """One run. ``scene`` makes its work, ``more`` are variables of other roles that it includes.

    ``around`` takes (testbed, user, kubeconfig) and gives the kubeconfig of the run, for as long as it lasts.
    """

    scene: Scene
    name: str = "as usual"
    more: Mapping[str, Any] = field(default_factory=dict)
    around: Callable[[Testbed, str, Path], Any] = as_it_is

    def play(self, testbed: Testbed, folder: Path, user: str, kubeconfig: Path) -> PlaybookRun:
        """Make the work, and run the playbook as this user."""
        made = self.scene.variables(testbed, folder, kubeconfig)
        with self.around(testbed, user, kubeconfig) as reached:
            own = f"{self.scene.prefix or self.scene.playbook}_kubeconfig"
            variables = {**made, own: str(reached), **self.more}
            return run_playbook(f"podnet.upkeep.{self.scene.playbook}", variables=variables)


def _with(playbook: str, more: Mapping[str, Any]) -> Callable[[Testbed, Path], Mapping[str, Any]]:
    """The work of its scene, and more variables."""
    return lambda testbed, folder: {**access_scenes.SCENES[playbook].prepare(testbed, folder), **more}


def _with_secret(playbook: str) -> Callable[[Testbed, Path], Mapping[str, Any]]:
    def prepare(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
        pki = testbed.control_plane.pki_dir
        files = {"etcd-client-ca.crt": "ca.crt", "etcd-client.crt": "admin.crt", "etcd-client.key": "admin.key"}
        data = {name: base64.b64encode((pki / file).read_bytes()).decode() for name, file in files.items()}
        if testbed.client.find(f"{SYSTEM}/secrets/{ETCD_SECRET}") is None:
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": ETCD_SECRET}, "data": data}
            testbed.client.create(f"{SYSTEM}/secrets", body)
        return {**access_scenes.SCENES[playbook].prepare(testbed, folder), "etcd_secret": ETCD_SECRET}

    return prepare


def _of_api_server(playbook: str) -> Callable[[Testbed, Path], Mapping[str, Any]]:
    """The static pod of its etcd tells where it is."""

    def prepare(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
        found = dict(access_scenes.SCENES[playbook].prepare(testbed, folder))
        (endpoint,) = found.pop("endpoints")
        command = ["etcd", f"--advertise-client-urls={endpoint}"]
        spec = {"containers": [{"name": "etcd", "image": "etcd", "command": command}]}
        if testbed.client.find(f"{SYSTEM}/pods/etcd-cp1") is None:
            metadata = {"name": "etcd-cp1", "labels": {"component": "etcd"}}
            testbed.client.create(f"{SYSTEM}/pods", {"metadata": metadata, "spec": spec})
        return {**found, "store": "apiserver"}

    return prepare


def _journal(folder: Path, pattern: str) -> Mapping[str, Any]:
    found = sorted((folder / "journals").rglob(pattern), key=lambda path: path.stat().st_mtime)
    return {"journal_path": str(found[-1])}


def _deleted(playbook: str, pattern: str) -> Callable[[Testbed, Path], Mapping[str, Any]]:
    """What this clean-up has deleted a moment ago."""

    def prepare(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
        variables = access_scenes.SCENES[playbook].variables(testbed, folder, testbed.kubeconfig)
        done = run_playbook(f"podnet.upkeep.{playbook}", variables=variables)
        assert done.returncode == 0, done.output
        return _journal(folder, pattern)

    return prepare


def _wrongly_deleted(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """A CiliumNode whose Node is there, as the journal says it: only then it comes back."""
    found = _deleted("clean_cilium_nodes", "cilium-nodes-*.jsonl")(testbed, folder)
    journal = Path(found["journal_path"])
    uid = testbed.client.create("/api/v1/nodes", {"metadata": {"name": f"owner-{time.monotonic_ns()}"}})["metadata"]
    text = journal.read_text(encoding="utf-8").replace(access_scenes.NO_UID, uid["uid"])
    journal.write_text(text.replace('"name":"gone"', f'"name":"{uid["name"]}"'), encoding="utf-8")
    return found


def _losing(method: str, path: str, fault: Mapping[str, Any]) -> Callable[[Testbed, str, Path], Any]:
    """The first request like this meets a fault on its way."""

    @contextmanager
    def around(testbed: Testbed, user: str, kubeconfig: Path) -> Iterator[Path]:
        with FaultProxy(testbed.kubeconfig_for(user)) as proxy:
            proxy.faults.append(Fault(method=method, path=path, **fault))
            own = kubeconfig.with_suffix(".proxy")
            server = {"name": "c", "cluster": {"server": proxy.host}}
            context = {"name": "x", "context": {"cluster": "c", "user": "user"}}
            content = {"apiVersion": "v1", "kind": "Config", "clusters": [server], "contexts": [context]}
            users = [{"name": "user", "user": {}}]
            own.write_text(json.dumps({**content, "users": users, "current-context": "x"}), encoding="utf-8")
            yield own

    return around


def _beside_pods(playbook: str, **more: Any) -> Callable[[Testbed, Path], Mapping[str, Any]]:
    """Its work, and a pod of the pod network beside each agent."""

    def prepare(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
        found = access_scenes.SCENES[playbook].prepare(testbed, folder)
        _tied(testbed)
        tied = {"labelSelector": "app=tied", "fieldSelector": "spec.nodeName=agent-a,status.phase=Running"}
        wait_until("a pod beside the agent", lambda: testbed.client.list(cleanup_scene.PODS, tied))
        return {**found, **more}

    return prepare


def _tune_agents(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """What agents read too."""
    value = str(32768 + time.monotonic_ns() % 1000)
    return _beside_pods("tune_cilium", values={"bpf-policy-map-max": value})(testbed, folder)


def _tune_labels(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    found = dict(access_scenes.SCENES["tune_cilium"].prepare(testbed, folder))
    return {**found, "values": {"labels": f"!job-{time.monotonic_ns()}"}, "accepted_risks": ["policies-affected"]}


def _pool(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """A CiliumPodIPPool that has room for more."""
    access_scenes.SCENES["tune_cilium"].prepare(testbed, folder)
    if testbed.client.find(f"{_POOLS}/default") is None:
        pool = {"apiVersion": "cilium.io/v2alpha1", "kind": "CiliumPodIPPool", "metadata": {"name": "default"}}
        testbed.client.create(_POOLS, {**pool, "spec": {"ipv4": {"cidrs": ["10.71.0.0/29"], "maskSize": 30}}})
    return {"pool": "default", "add_pool_cidrs": ["10.72.0.0/29"], "timeout": 240}


@contextmanager
def _multi_pool(testbed: Testbed, user: str, kubeconfig: Path) -> Iterator[Path]:
    """By its ConfigMap the cluster has pools; the operator is not told."""
    del user
    testbed.client.patch(CONFIG, {"data": {"ipam": "multi-pool"}})
    yield kubeconfig
    testbed.client.patch(CONFIG, {"data": {"ipam": "cluster-pool"}})


def _recover_by_hand(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """Nothing is waited for, so that our own clean-ups have something left to do."""
    found = dict(access_scenes.SCENES["recover_identities"].prepare(testbed, folder))
    endpoint = {"apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint", "metadata": {"name": "left"}}
    if testbed.client.find(f"{cleanup_scene.ENDPOINTS}/left") is None:
        testbed.client.create(cleanup_scene.ENDPOINTS, {**endpoint, "status": {"id": 7, "identity": {"id": 4711}}})
    return {**found, "stages": ["repair", "endpoints", "identities", "verify"]}


def claim(testbed: Testbed, name: str) -> dict[str, Any]:
    """A volume of a pod: its claim is bound to a folder of the machine."""
    if testbed.client.find(f"{_CLAIMS}/{name}") is None:
        size, modes = {"storage": "1Mi"}, ["ReadWriteOnce"]
        volume = {"capacity": size, "accessModes": modes, "hostPath": {"path": "/tmp"}, "storageClassName": ""}
        testbed.client.create(_VOLUMES, {"metadata": {"name": name}, "spec": volume})
        wanted = {"accessModes": modes, "resources": {"requests": size}, "volumeName": name, "storageClassName": ""}
        testbed.client.create(_CLAIMS, {"metadata": {"name": name}, "spec": wanted})
    return {"name": "v", "persistentVolumeClaim": {"claimName": name}}


def _attach(testbed: Testbed, volume: str, node: str) -> None:
    """As a driver does it; nobody detaches it again."""
    source = {"persistentVolumeName": volume}
    spec = {"attacher": "testbed.podnet", "nodeName": node, "source": source}
    name = f"{volume}-{node}"
    if testbed.client.find(f"{_ATTACHMENTS}/{name}") is None:
        testbed.client.create(_ATTACHMENTS, {"metadata": {"name": name}, "spec": spec})


def _tied(testbed: Testbed) -> None:
    """A DaemonSet beside each agent, whose pods have a volume."""
    path = "/apis/apps/v1/namespaces/default/daemonsets"
    if testbed.client.find(f"{path}/tied") is None:
        labels = {"app": "tied"}
        pod: dict[str, Any] = {"containers": [{"name": "c", "image": "c"}], "volumes": [claim(testbed, "of-tied")]}
        pod |= {"nodeSelector": objects.AGENT_NODE, "tolerations": [{"operator": "Exists"}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        testbed.client.create(path, {"metadata": {"name": "tied"}, "spec": spec})


def _retire_with_all(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """Its pods have a volume, and one is of a DaemonSet."""
    access_scenes.with_collection(testbed)
    name = f"spare-{time.monotonic_ns() % 10**6}"
    lone_node.create(testbed, name, ready=True)
    testbed.client.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": objects.AGENT_NODE}})
    access_scenes.deploy_on(testbed, name)
    _tied(testbed)
    tied = {"labelSelector": "app=tied", "fieldSelector": f"spec.nodeName={name}"}
    wait_until("a pod that stays", lambda: testbed.client.list(cleanup_scene.PODS, tied))
    _attach(testbed, "of-tied", name)
    return {
        "state_dir": str(folder / "retired"),
        "nodes": [name],
        "without_hosts": True,
        "accepted_risks": ["does-not-fit", "other-nodes-not-ready", "other-nodes-cordoned"],
    }


def _remove_with_volume(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    found = access_scenes.SCENES["remove_unreachable_nodes"].prepare(testbed, folder)
    spec = {"nodeName": "gone", "containers": [{"name": "c", "image": "c"}], "volumes": [claim(testbed, "of-gone")]}
    tolerations = [{"operator": "Exists"}]
    metadata = {"name": f"tied-{time.monotonic_ns()}", "ownerReferences": [cleanup_scene.OWNER]}
    testbed.client.create(cleanup_scene.PODS, {"metadata": metadata, "spec": {**spec, "tolerations": tolerations}})
    _attach(testbed, "of-gone", "gone")
    return {**found, "powered_off": ["gone"]}  # else its machine may still write to the volume


def _stale_with_agent(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """A pod that has ended where an agent of Cilium runs."""
    found = access_scenes.SCENES["clean_stale_pods"].prepare(testbed, folder)
    name = f"ended-{time.monotonic_ns()}"
    spec = {"nodeName": "agent-a", "tolerations": [{"operator": "Exists"}], "containers": [{"name": "c", "image": "c"}]}
    owned = {"metadata": {"name": name, "ownerReferences": [cleanup_scene.OWNER]}, "spec": spec}
    testbed.client.create(cleanup_scene.PODS, owned)
    path = f"{cleanup_scene.PODS}/{name}"
    wait_running(testbed.client, path)
    testbed.client.patch(f"{path}/status", {"status": {"phase": "Failed", "containerStatuses": None}})
    return {**found, "ask_agents": True}


def _admin(testbed: Testbed) -> KubeClient:
    return KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})


def _granted(testbed: Testbed, access: PlaybookAccess) -> None:
    AccessObjects(_admin(testbed), access).present()


def _not_wanted(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del folder
    _granted(testbed, PlaybookAccess(name=name_for("audit"), playbooks=("audit",)))
    return {"playbooks": ["audit"], "state": "absent"}


def _schedule(testbed: Testbed, folder: Path, **more: Any) -> dict[str, Any]:
    made = dict(access_scenes.SCENES["install_schedule"].prepare(testbed, folder))
    variables = {f"install_schedule_{key}": value for key, value in made.items()}
    variables["install_schedule_kubeconfig"] = str(testbed.kubeconfig)
    done = run_playbook("podnet.upkeep.install_schedule", variables=variables)
    assert done.returncode == 0, done.output
    return {**made, **more}


def _schedule_differs(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    made = _schedule(testbed, folder, schedule="16 4 * * *", variables={"audit_read_logs": False})
    access_scenes.damage(testbed, "nightly")
    return made


def _schedule_absent(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    return _schedule(testbed, folder, state="absent")


def _audit_access(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """It is there, damaged, and with a namespace too much."""
    return _audit_access_of(testbed, folder, ("default",), {})


def _audit_access_of(
    testbed: Testbed, folder: Path, namespaces: tuple[str, ...], more: Mapping[str, Any]
) -> Mapping[str, Any]:
    del folder
    given = {"kubeconfig": str(testbed.kubeconfig), "name": "auditor", "cni_namespaces": list(namespaces)}
    variables = {f"audit_access_{key}": value for key, value in given.items()}
    done = run_playbook("podnet.upkeep.install_audit_access", variables=variables)
    assert done.returncode == 0, done.output
    access_scenes.damage(testbed, "auditor")
    return {"name": "auditor", **more}


def _audit_access_absent(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    return _audit_access_of(testbed, folder, (), {"state": "absent"})


def _audit_access_new(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del folder
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    for path in (f"{rbac}/clusterroles/fresh", f"{rbac}/clusterrolebindings/fresh"):
        if testbed.client.find(path) is not None:
            testbed.client.delete(path)
    return {"name": f"fresh-{time.monotonic_ns()}"}


def serve_monitoring(testbed: Testbed) -> None:
    """The kinds of prometheus-operator."""
    if testbed.client.find("/apis/monitoring.coreos.com/v1/prometheusrules") is None:
        install_operator_kinds(testbed)


def _monitoring(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del folder
    serve_monitoring(testbed)
    testbed.client.patch(CONFIG, {"data": {"enable-metrics": "true"}})  # there is something to scrape
    return {"namespace": "kube-system"}


def _monitoring_absent(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    return {**_monitoring(testbed, folder), "state": "absent"}


def _scheduled(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    summary_of(testbed, name_for("scheduled_run"))
    return {"output_path": str(folder / "scheduled.json")}


def summary_of(testbed: Testbed, name: str) -> Mapping[str, Any]:
    """Variables of scheduled_run; the place of its summary is made as install_schedule does."""
    path = f"{SYSTEM}/configmaps"
    if testbed.client.find(f"{path}/{name}-summary") is None:
        testbed.client.create(path, {"metadata": {"name": f"{name}-summary"}})
    return {"scheduled_run_summary_name": f"{name}-summary", "scheduled_run_summary_namespace": "kube-system"}


def reading(playbook: str, testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """Variables of a playbook that only reads, so that it has to read all that it may."""
    if playbook != "audit_kvstore":
        return {}
    found = {**_with_secret(playbook)(testbed, folder), **_of_api_server(playbook)(testbed, folder)}
    del found["endpoints"]
    return {f"{playbook}_{key}": value for key, value in found.items()}


def _usual(playbook: str, **more: Any) -> Case:
    """Its scene, and with these options more of it."""
    scene = access_scenes.SCENES[playbook]
    if not more:
        return Case(scene)
    return Case(Scene(playbook, _with(playbook, more), prefix=scene.prefix), ", ".join(more))


def _lost(playbook: str, prepare: Callable[[Testbed, Path], Mapping[str, Any]], collection: str) -> Case:
    fault = {"status": 500, "after": True}
    scene = Scene("undo_deletions", prepare)
    return Case(scene, f"an answer is lost after {playbook}", around=_losing("POST", f"/{collection}$", fault))


def _case(playbook: str, prepare: Callable[[Testbed, Path], Mapping[str, Any]], name: str, **more: Any) -> Case:
    return Case(Scene(playbook, prepare, prefix=more.pop("prefix", "")), name, **more)


_AT_ONCE = {"clean_identities_grace": 3, "clean_identities_rate": 0}
_FURTHER: Mapping[str, tuple[Case, ...]] = {
    "audit": (_usual("audit", use_agents=True, read_logs=True),),
    "simulate_label_filter": (_usual("simulate_label_filter", use_agents=True),),
    **{
        one: (_case(one, _with_secret(one), "a Secret"), _case(one, _of_api_server(one), "of the API server"))
        for one in ("audit_kvstore", "maintain_kvstore")
    },
    "clean_stale_pods": (_case("clean_stale_pods", _stale_with_agent, "agents"),),
    "clean_endpoints": (_usual("clean_endpoints", ask_agents=True),),
    "undo_deletions": (
        _case(
            "undo_deletions",
            _deleted("clean_identities", "identities-*.jsonl"),
            "after runs that died",
            around=_after_dead_runs("undo_deletions"),
        ),
        _lost("clean_identities", _deleted("clean_identities", "identities-*.jsonl"), "ciliumidentities"),
        _lost("clean_cilium_nodes", _wrongly_deleted, "ciliumnodes"),
    ),
    "tune_cilium": (
        _case("tune_cilium", _tune_agents, "a key of agents"),
        _case("tune_cilium", _tune_labels, "the label filter"),
        _case("tune_cilium", _pool, "a pool", around=_multi_pool),
    ),
    "restart_cilium": (_case("restart_cilium", _beside_pods("restart_cilium"), "beside pods"),),
    "recover_identities": (
        _case(
            "recover_identities",
            _recover_by_hand,
            "by our own clean-ups",
            more=_AT_ONCE,
            around=_after_dead_runs("recover_identities"),
        ),
    ),
    "retire_nodes": (
        _case(
            "retire_nodes",
            _retire_with_all,
            "volumes, DaemonSets, and a budget without numbers",
            around=_losing("POST", "/eviction$", {"status": 429, "body": _NO_NUMBERS}),
        ),
    ),
    "remove_unreachable_nodes": (_case("remove_unreachable_nodes", _remove_with_volume, "volumes"),),
    "install_access": (_case("install_access", _not_wanted, "absent"),),
    "install_schedule": (
        _case("install_schedule", _schedule_differs, "differs"),
        _case("install_schedule", _schedule_absent, "absent"),
    ),
    "install_audit_access": (
        _case("install_audit_access", _audit_access_new, "new", prefix="audit_access"),
        _case("install_audit_access", _audit_access, "differs", prefix="audit_access"),
        _case("install_audit_access", _audit_access_absent, "absent", prefix="audit_access"),
    ),
    "install_monitoring": (
        _case("install_monitoring", _monitoring, "new"),
        _case("install_monitoring", _monitoring_absent, "absent"),
    ),
    "scheduled_run": (_case("scheduled_run", _scheduled, "a summary", prefix="audit", more=_OF_A_SCHEDULE),),
}


def cases_of(playbook: str) -> tuple[Case, ...]:
    """All runs that together use all that it may do."""
    locks = any(rule.where == RUN for rule in rules_of(playbook))
    around = _after_dead_runs(playbook) if locks else as_it_is
    scene = access_scenes.SCENES.get(playbook) if playbook != "undo_deletions" else None  # which needs one of another
    usual = (Case(scene, around=around),) if scene is not None else ()
    return (*usual, *_FURTHER.get(playbook, ()))
