"""The role install_monitoring with a real Prometheus that scrapes the real control plane and the real cilium-operator.

Rules are loaded by Prometheus, alerts go from inactive to firing and back as faults are made and mended, dashboards ask for
nothing that the targets do not serve, and objects are made on an API server that knows the kinds of prometheus-operator.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import names_in
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.dashboard import dashboards
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.manifests import ObjectOptions, manifests
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS, SCRAPED, Metric
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    API_SERVER,
    AUDIT,
    CILIUM_OPERATOR,
    CONTROLLER_MANAGER,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import rules
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.scraping import ScrapeTarget
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.monitoring_discovery import discover
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.monitoring_objects import MonitoringObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import Places, PlaybookAccess
from harness.playbook import PlaybookRun, run_playbook
from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec
from testbed.prometheus import Prometheus, install_operator_kinds

pytestmark = [
    pytest.mark.testbed,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed (Debian package prometheus)"
    ),
]

NAMESPACE = "monitoring"
OPERATOR_KINDS = f"/apis/monitoring.coreos.com/v1/namespaces/{NAMESPACE}"
RULE = f"{OPERATOR_KINDS}/prometheusrules/podnet-upkeep"
NODES, CILIUM_NODES = "/api/v1/nodes", "/apis/cilium.io/v2/ciliumnodes"
IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
SCRAPED_HERE = (API_SERVER, CONTROLLER_MANAGER, CILIUM_OPERATOR, AUDIT)
# ten identities are too many, one Node that is gone is
THRESHOLDS = {"identities_used_ratio": 0.0001, "identity_gc_window": "1m", "pool_left_ratio": 0.2}
#: Alerts that the faults of the test must make, and their repair must end.
PROVOKED = {
    # four blocks, five Nodes
    "PodnetNodeWaitsForCidr",
    "PodnetNodeCidrPoolFull",
    "PodnetNodeCidrPoolLow",
    "PodnetNodeCidrPoolLowByAudit",
    "PodnetNodeWaitsForCidrByAudit",
    "PodnetNodesDrifted",
    "PodnetFindingNodeCidrMissing",
    "PodnetFindingPodCidrPoolExhausted",
    # the operator is stopped
    "PodnetIdentityGcAbsent",
    "PodnetCiliumNodesDangling",
    "PodnetIdentitiesNearlyExhausted",
}


def wait_until(
    what: str, condition: Callable[[], object], *, says: Callable[[], object] = str, seconds: float = 180
) -> None:
    """Poll until the condition holds; `says` what is wrong where it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what} {says()}"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """Four blocks for Nodes, an operator that collects every few seconds, an API server that counts its objects each second."""
    spec = TestbedSpec(
        f"monitoring-{os.getpid()}",
        control_plane=ControlPlaneSpec(
            cluster_cidrs=("10.151.0.0/22",),
            control_plane_node="cp1",
            extra_arguments={"kube-apiserver": ("--etcd-count-metric-poll-period=1s",)},
        ),
        cilium=CiliumOperatorSpec(
            ipam="kubernetes",
            identity_gc_interval="4s",
            identity_heartbeat_timeout="4s",
            nodes_gc_interval="4s",
            config={"enable-metrics": "true"},
        ),
    )
    with Testbed.up(spec) as made:
        made.client.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        yield made


@pytest.fixture(scope="module")
def prometheus(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, with the rules that the playbook has written and told it of."""
    made = Prometheus(testbed, tmp_path_factory.mktemp("prometheus"))
    made.start()
    try:
        first = install_files(testbed, made)
        assert first.changed and handed_on(first)["paths"] == {"rules": str(made.rule_file)}
        assert not install_files(testbed, made).changed
        audited(testbed, made)
        yield made
    finally:
        made.stop()


def install(testbed: Testbed, *options: str, **variables: Any) -> PlaybookRun:
    """Run the playbook; its variables without the role's name."""
    given = {f"install_monitoring_{key}": value for key, value in variables.items()}
    kubeconfig = {"install_monitoring_kubeconfig": str(testbed.kubeconfig)}
    env = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}
    return run_playbook("podnet.upkeep.install_monitoring", options, variables={**kubeconfig, **given}, env=env)


def handed_on(done: PlaybookRun) -> dict[str, Any]:
    """The summary that AWX keeps with the job."""
    text = done.stdout.partition("CUSTOM STATS")[2]
    summary: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])["podnet_upkeep"]
    assert summary["playbook"] == "podnet.upkeep.install_monitoring"
    return summary


def install_files(testbed: Testbed, prometheus: Prometheus, **more: Any) -> PlaybookRun:
    """Files for this Prometheus, which can scrape what is bound to loopback; all alerts fire after a second."""
    folder = prometheus.rule_file.parent
    done = install(
        testbed,
        destination="files",
        rule_file=str(prometheus.rule_file),
        dashboard_directory=str(folder),
        scrape_file=str(folder / "scrape.yml"),
        reload_url=f"{prometheus.url}/-/reload",
        components={CONTROLLER_MANAGER: True},
        thresholds=THRESHOLDS,
        **{"for": "1s", **more},
    )
    assert done.returncode == 0, done.output
    return done


def audited(testbed: Testbed, prometheus: Prometheus) -> None:
    """Audit the cluster into the file that Prometheus scrapes."""
    variables = {"audit_kubeconfig": str(testbed.kubeconfig), "audit_report_prometheus": str(prometheus.metrics_file)}
    done = run_playbook("podnet.upkeep.audit", variables=variables)
    assert done.returncode == 0, done.output


def node(name: str) -> dict[str, Any]:
    """A Node that somebody registers."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def break_everything(testbed: Testbed) -> None:
    """Stop the operator; leave a CiliumNode and unused identities behind; register more Nodes than there are blocks."""
    testbed.cilium.stop()
    head = {"apiVersion": "cilium.io/v2"}
    for name in ("cp1", "n0", "n1", "n2", "n3", "gone"):
        testbed.client.create(CILIUM_NODES, {**head, "kind": "CiliumNode", "metadata": {"name": name}, "spec": {}})
    for number in range(10):
        labels = {"k8s:app": f"a{number}", "k8s:io.kubernetes.pod.namespace": "default"}
        body = {**head, "kind": "CiliumIdentity", "metadata": {"name": str(9000 + number)}, "security-labels": labels}
        testbed.client.create(IDENTITIES, body)
    for number in range(4):
        testbed.client.create(NODES, node(f"n{number}"))
    wait_until(
        "one Node waits", lambda: len([one for one in testbed.client.list(NODES) if "podCIDR" not in one["spec"]]) == 1
    )


def mend_everything(testbed: Testbed) -> None:
    """Start the operator, which removes what is left behind; take Nodes away, so that the one that waits gets a block."""
    testbed.cilium.start_process()
    for number in range(3):
        testbed.client.delete(f"{NODES}/n{number}")
    wait_until("no Node waits", lambda: all("podCIDR" in one["spec"] for one in testbed.client.list(NODES)))


def test_alerts_fire_and_end(testbed: Testbed, prometheus: Prometheus) -> None:
    """Rules are loaded by a reload that the role asks for; each fault makes its alerts, and its repair ends them."""
    groups = prometheus.ask("rules")["groups"]
    loaded = [rule for group in groups for rule in group["rules"]]
    assert len(loaded) > 150 and {rule["health"] for rule in loaded} <= {"ok", "unknown"}
    wait_until(
        "nothing of it fires yet",
        lambda: prometheus.query("podnet_upkeep_nodes") and not prometheus.firing() & PROVOKED,
        says=prometheus.firing,
    )

    break_everything(testbed)
    audited(testbed, prometheus)
    wait_until("all alerts fire", lambda: prometheus.firing() >= PROVOKED, says=lambda: PROVOKED - prometheus.firing())
    for alert in prometheus.alerts():
        for key in ("summary", "description", "runbook_url"):
            assert not re.search(r"<no value>|<error|\{\{", alert["annotations"][key]), alert
    (waiting,) = [one for one in prometheus.alerts() if one["labels"]["alertname"] == "PodnetFindingNodeCidrMissing"]
    assert waiting["labels"]["severity"] == "critical" and waiting["labels"]["finding"] == "node-cidr-missing"
    assert waiting["annotations"]["playbook"] == "podnet.upkeep.reassign_pod_cidrs"

    mend_everything(testbed)
    audited(testbed, prometheus)
    wait_until(
        "all alerts end", lambda: not PROVOKED & prometheus.firing(), says=lambda: PROVOKED & prometheus.firing()
    )
    assert {rule["health"] for group in prometheus.ask("rules")["groups"] for rule in group["rules"]} == {"ok"}


def test_metrics_are_what_the_table_says(prometheus: Prometheus) -> None:
    """Each metric that is said to be scraped is there, from its component, with its labels; no other series has its name."""
    for metric in METRICS.values():
        if metric.component in SCRAPED_HERE and metric.known_by == SCRAPED and exists_here(metric):
            found = [one["metric"] for one in prometheus.query(metric.name)]
            of_component = [one for one in found if one["job"] == metric.component]
            # what an audit of this cluster has is less than there can be: see test_metric_table.py
            if not of_component and metric.component == AUDIT:
                continue
            assert of_component, f"{metric.component} serves no {metric.name}"
            for label in metric.labels:
                assert any(label in one for one in of_component), (metric.name, label)


def exists_here(metric: Metric) -> bool:
    """Whether the releases of the testbed have it."""
    release = (1, 18) if metric.name.startswith("cilium_") else (1, 36)
    return metric.since <= release and (metric.until is None or release <= metric.until)


def test_no_panel_without_a_metric(prometheus: Prometheus) -> None:
    """Every expression of the dashboards that were written is answered; what has only scraped metrics has data."""
    boards = sorted(prometheus.rule_file.parent.glob("podnet-upkeep-*.json"))
    assert len(boards) == 2
    empty = []
    for path in boards:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets") or ():
                named = [METRICS[name] for name in names_in(target["expr"])]
                known = all(one.component in SCRAPED_HERE and one.known_by == SCRAPED for one in named)
                if not prometheus.query(target["expr"]) and known:
                    empty.append((panel["title"], target["expr"]))
    # what a cluster without identities, pools and addresses does not tell; test_alert_rules.py asks for it with a full report,
    # molecule/install_monitoring for that of a real kubelet, and for that of agents nobody can: none runs here
    allowed = re.compile(r"podnet_upkeep_(identit|cilium_pool|node_addresses|endpoints|pods_without|findings)")
    assert [one for one in empty if not allowed.search(one[1])] == []


def test_objects_of_a_cluster(testbed: Testbed) -> None:
    """Without the kinds it is refused; then check mode, creation, correction and removal, and nobody else's object is touched."""
    admin = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    options = ObjectOptions(NAMESPACE)
    with pytest.raises(InputError, match="The cluster has no kind PrometheusRule; install prometheus-operator"):
        MonitoringObjects(admin, options).present(manifests(options, [{"name": "g", "rules": []}], {}))
    install_operator_kinds(testbed)
    foreign = {"kind": "PrometheusRule", "apiVersion": "monitoring.coreos.com/v1", "spec": {"groups": []}}
    testbed.client.create(f"{OPERATOR_KINDS}/prometheusrules", {**foreign, "metadata": {"name": "theirs"}})

    checked = install(testbed, "--check", "--diff")
    assert checked.returncode == 0 and checked.changed and testbed.client.find(RULE) is None, checked.output
    planned = handed_on(checked)
    assert planned["check_mode"] and planned["counts"]["created"] > 0 and planned["paths"] == {}
    labels = {"release": "stack"}
    done = install(testbed, rule_labels=labels, scrape_interval="15s")
    assert done.returncode == 0 and done.changed, done.output
    assert handed_on(done) == {**planned, "check_mode": False}
    assert "listens at 127.0.0.1 only (--bind-address)" in done.flat_output
    assert "agents of Cilium serve no metrics" in done.flat_output
    rule = testbed.client.get(RULE)
    assert rule["metadata"]["labels"]["release"] == "stack"
    assert {one["manager"] for one in rule["metadata"]["managedFields"]} == {"podnet.upkeep"}
    alerts = [one["alert"] for group in rule["spec"]["groups"] for one in group["rules"]]
    assert "PodnetIdentityGcAbsent" in alerts and "PodnetNodeCidrPoolFull" not in alerts
    assert planned["counts"]["alerts"] == len(alerts) and planned["counts"]["left_out"] > 0
    assert "PodnetEndpointsNotReady" not in alerts and "PodnetFindingNodeCidrMissing" in alerts
    monitor = testbed.client.get(f"{OPERATOR_KINDS}/servicemonitors/podnet-upkeep-cilium-operator")
    service = testbed.client.get("/api/v1/namespaces/kube-system/services/podnet-upkeep-cilium-operator")
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    assert selected <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    board = testbed.client.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/podnet-upkeep-identities")
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["podnet-upkeep-identities.json"])["panels"]
    again = install(testbed, "--diff", rule_labels=labels, scrape_interval="15s")
    assert again.returncode == 0 and not again.changed, again.output
    assert handed_on(again)["counts"] == {**planned["counts"], "created": 0}

    # somebody has edited the rule, and somebody else's monitor scrapes the operator now
    edited = {**rule["spec"]["groups"][0], "rules": [{"alert": "X", "expr": "vector(1)"}]}
    testbed.client.patch(RULE, {"spec": {"groups": [{**edited, "name": "mine"}, edited]}})
    theirs = {**monitor, "metadata": {"name": "theirs", "namespace": NAMESPACE}}
    testbed.client.create(
        f"{OPERATOR_KINDS}/servicemonitors",
        {**theirs, "spec": {**monitor["spec"], "selector": {"matchLabels": {"a": "b"}}}},
    )
    named = {**service["spec"], "clusterIPs": ["None"]}
    meta = {"name": "theirs", "labels": {"a": "b"}}
    testbed.client.create(
        "/api/v1/namespaces/kube-system/services", {"kind": "Service", "metadata": meta, "spec": named}
    )
    corrected = install(testbed, rule_labels=labels, scrape_interval="15s")
    assert corrected.returncode == 0 and corrected.changed, corrected.output
    groups = {one["name"]: one for one in testbed.client.get(RULE)["spec"]["groups"]}
    # what somebody has added is theirs
    assert groups.pop("mine")["rules"] == edited["rules"]
    assert groups == {one["name"]: one for one in rule["spec"]["groups"]}
    assert testbed.client.find(f"{OPERATOR_KINDS}/servicemonitors/podnet-upkeep-cilium-operator") is None
    assert "ServiceMonitor monitoring/theirs" in corrected.flat_output

    gone = install(testbed, state="absent")
    assert gone.returncode == 0 and gone.changed and testbed.client.find(RULE) is None, gone.output
    assert handed_on(gone)["counts"]["deleted"] > 0
    for kind in ("prometheusrules", "servicemonitors"):
        assert [one["metadata"]["name"] for one in testbed.client.list(f"{OPERATOR_KINDS}/{kind}")] == ["theirs"]
    left = testbed.client.list(f"/api/v1/namespaces/{NAMESPACE}/configmaps")
    assert [one["metadata"]["name"] for one in left] == ["kube-root-ca.crt"]


def test_its_rules_are_enough_and_each_is_used(testbed: Testbed, tmp_path: Path) -> None:
    """With the role of install_access; used are exactly its rules. Applying what is not there yet needs to create too."""
    if testbed.client.find("/apis/monitoring.coreos.com/v1/prometheusrules") is None:
        install_operator_kinds(testbed)
    admin = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    access = PlaybookAccess(name="monitors", playbooks=("install_monitoring",), chosen=Places(install=NAMESPACE))
    AccessObjects(admin, access).present()
    client = KubeClient.from_options({"kubeconfig": str(credentials(testbed, access, tmp_path / "kubeconfig"))})
    wait_until("the rules are in force", lambda: client.allowed("patch", "configmaps", namespace=NAMESPACE))

    found = discover(client)
    assert found.cluster.cilium == (1, 18) and CILIUM_OPERATOR in found.cluster.components
    objects = MonitoringObjects(client, ObjectOptions(NAMESPACE, "permitted"))
    groups, boards = rules(found.cluster).groups, dashboards(found.cluster)
    target = ScrapeTarget(CILIUM_OPERATOR, "kube-system", (("io.cilium/app", "operator"),), 9963)
    wanted = manifests(ObjectOptions(NAMESPACE, "permitted"), groups, boards, [target])
    assert objects.present(wanted).changed and not objects.present(wanted).changed
    assert objects.absent().changed and not objects.absent().changed

    events = [json.loads(line) for line in testbed.audit_log.read_text(encoding="utf-8").splitlines()]
    about = [(one.get("objectRef"), one["verb"]) for one in events if one["user"]["username"] == access.user]
    used = {(ref.get("apiGroup", ""), ref["resource"], verb) for ref, verb in about if ref}
    needed = {rule.triple for rule in access.rules}
    creates = {triple for triple in needed if triple[2] == "create"}
    assert used - {("authorization.k8s.io", "selfsubjectaccessreviews", "create")} == needed - creates
    without = PlaybookAccess(name="monitors", playbooks=("install_monitoring",), chosen=Places(install="kube-system"))
    AccessObjects(admin, without).present()
    wait_until("the rules are out of force", lambda: not client.allowed("create", "configmaps", namespace=NAMESPACE))
    with pytest.raises(ApiError, match="forbidden"):
        objects.present(wanted)


def credentials(testbed: Testbed, access: PlaybookAccess, path: Path) -> Path:
    """A kubeconfig with a token of the ServiceAccount."""
    accounts = f"/api/v1/namespaces/{access.namespace}/serviceaccounts"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = testbed.client.create(f"{accounts}/{access.name}/token", request)["status"]["token"]
    content = json.loads(testbed.kubeconfig.read_text(encoding="utf-8"))
    content["users"] = [{"name": "user", "user": {"token": token}}]
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_files_of_others_stay(testbed: Testbed, tmp_path: Path) -> None:
    """A file that is not ours is neither replaced nor removed; what promtool does not take is not installed."""
    theirs = tmp_path / "rules.yml"
    theirs.write_text("groups: []\n", encoding="utf-8")
    done = install(testbed, destination="files", rule_file=str(theirs), state="absent")
    assert done.returncode != 0
    assert f"{theirs} exists and was not written by podnet.upkeep" in done.flat_output
    assert theirs.read_text(encoding="utf-8") == "groups: []\n"
    ours = tmp_path / "ours.yml"
    done = install(testbed, destination="files", rule_file=str(ours), promtool="/bin/false")
    assert done.returncode != 0 and "failed to validate" in done.flat_output and not ours.exists()


def test_removal_of_files(testbed: Testbed, prometheus: Prometheus) -> None:
    """Nothing is left, and Prometheus has no rule any more."""
    done = install_files(testbed, prometheus, state="absent")
    assert done.changed and not prometheus.ask("rules")["groups"]
    assert not [*prometheus.rule_file.parent.glob("podnet-upkeep-*")] and not prometheus.rule_file.exists()
