"""A cluster in which a rolling re-registration can be interrupted again and again: two hosts, a workload, the observer.

Making hosts drift again costs a second or two, so that one cluster serves many cases.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.waiting import wait_until
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec
from testbed.hosts import drift

from . import workload
from .cluster_watch import ClusterWatch
from .end_state import UNIT, end_state, wait_for_state
from .playbook import PlaybookRun
from .safety_rules import violations
from .static_pods import StaticPods
from .stepped_run import Handler, SteppedRun

OPERATOR = "upkeep-operator"
PLAYBOOK = "podnet.upkeep.reassign_pod_cidrs"
ROLE = "reassign_pod_cidrs"
REPLICAS = 3
LABELS = {"rack": "r1", "node-role.kubernetes.io/worker": ""}
ANNOTATIONS = {"example.com/note": "keep"}
TAINT = {"key": "dedicated", "value": "x", "effect": "PreferNoSchedule"}
# the taint is there to be kept, not to keep the Deployment away
_TOLERATING = {"spec": {"template": {"spec": {"tolerations": [{"key": TAINT["key"], "operator": "Exists"}]}}}}
_FOREIGN = {"h1": "10.200.7.0/24", "h2": "10.200.8.0/24", "h3": "10.200.9.0/24"}


class Scene:
    """The cluster, and the command that mends it."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.state_dir = Path(testbed.directory) / "before-images"
        self.kubeconfig = testbed.kubeconfig_for(OPERATOR, ("system:masters",))
        self.healthy: dict[str, Any] = {}
        self.is_healthy = True

    @classmethod
    @contextmanager
    def up(cls, name: str, hosts: Sequence[str] = ("h1", "h2"), cluster_cidr: str = "10.121.0.0/16") -> Iterator[Scene]:
        """Bring it up, with something on the Nodes that can be lost."""
        spec = TestbedSpec(
            name=f"{name}-{os.getpid()}",
            control_plane=ControlPlaneSpec(cluster_cidrs=(cluster_cidr,), control_plane_node="cp1"),
            hosts=tuple(HostSpec(host) for host in hosts),
        )
        with Testbed.up(spec) as testbed:
            for host in hosts:
                patch = {"metadata": {"labels": {**LABELS, "host": host}, "annotations": ANNOTATIONS}}
                testbed.client.patch(f"/api/v1/nodes/{host}", patch)
            testbed.client.patch(f"/api/v1/nodes/{hosts[0]}", {"spec": {"taints": [TAINT]}})
            workload.deploy(testbed, replicas=REPLICAS)
            testbed.client.patch("/apis/apps/v1/namespaces/default/deployments/web", _TOLERATING)
            scene = cls(testbed)
            scene.wait_workload()
            wait_until("the hosts are tidy", scene._is_tidy)
            with StaticPods(testbed):
                yield scene

    def _is_tidy(self) -> bool:
        """Whether nothing on the hosts is without its pod, so that this is the state to compare with."""
        self.healthy = end_state(self.testbed, self.state_dir)
        return not any(value for host in self.healthy["hosts"].values() for name, value in host.items() if name != UNIT)

    # -- before a case ---------------------------------------------------------------------------------------------

    def drift(self, *hosts: str) -> None:
        """Give hosts podCIDRs out of range: all looks healthy, and the audit names them."""
        with ThreadPoolExecutor(len(hosts)) as pool:
            list(pool.map(lambda host: drift.make_drifted(self.testbed, host, (_FOREIGN[host],)), hosts))
        self.spread_workload()

    def spread_workload(self) -> None:
        """Move the Deployment's pods until each host has one, so that there is something to evict everywhere."""
        for _attempt in range(10):
            self.wait_workload()
            pods = self.testbed.client.list("/api/v1/namespaces/default/pods", params={"labelSelector": "app=web"})
            on_host = {pod["spec"].get("nodeName", ""): pod["metadata"]["name"] for pod in pods}
            if on_host.keys() == set(self.testbed.hosts):
                return
            counts = Counter(pod["spec"].get("nodeName", "") for pod in pods)
            crowded = on_host[counts.most_common(1)[0][0]]
            now = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
            self.testbed.client.delete(f"/api/v1/namespaces/default/pods/{crowded}", now)
        raise AssertionError("the scheduler does not place pods of the Deployment on every host")

    def wait_workload(self) -> None:
        """Wait until every pod of the workload is Ready."""
        wait_until("the workload is ready", lambda: workload.workload_ready(self.testbed, REPLICAS))

    # -- the command -----------------------------------------------------------------------------------------------

    def variables(self, **more: Any) -> dict[str, Any]:
        """Variables of the playbook: what the testbed needs, and waits that are long enough on a machine with much to do."""
        return {
            "reassign_pod_cidrs_kubeconfig": str(self.kubeconfig),
            "reassign_pod_cidrs_state_dir": str(self.state_dir),
            "reassign_pod_cidrs_probe_image": workload.IMAGE,
            "reassign_pod_cidrs_drain_retry_interval": 1,
            "reassign_pod_cidrs_drain_timeout": 240,
            "reassign_pod_cidrs_host_timeout": 60,
            "reassign_pod_cidrs_delete_timeout": 180,
            "reassign_pod_cidrs_ready_timeout": 180,
            "reassign_pod_cidrs_pods_timeout": 180,
            "reassign_pod_cidrs_probe_timeout": 180,
            **more,
        }

    def start(self, handler: Handler | None = None, *, env: Mapping[str, str] | None = None, **more: Any) -> SteppedRun:
        """Start the command; `handler` is asked at each task, `env` adds to its environment."""
        arguments = ["-i", str(self.testbed.inventory)]
        return SteppedRun(PLAYBOOK, arguments, variables=self.variables(**more), env=env, handler=handler)

    def run(self, handler: Handler | None = None, **more: Any) -> PlaybookRun:
        """Run the command to its end, whatever that is."""
        return self.start(handler, **more).finish()

    # -- what must hold --------------------------------------------------------------------------------------------

    @contextmanager
    def safe(self) -> Iterator[ClusterWatch]:
        """The safety rules hold at every moment of the block."""
        with ClusterWatch(self.testbed) as watch:
            originals = {sight.uid for sight in watch.sights if sight.kind == "Node"}
            yield watch
        broken = violations(watch.sights, set(self.testbed.hosts), originals)
        assert broken == [], "\n".join(broken)

    def wait_healthy(self, changed: Mapping[str, Any] | None = None) -> None:
        """The state becomes that of the healthy cluster at the beginning; `changed` replaces parts of it."""
        wait_for_state(self.testbed, self.state_dir, {**self.healthy, **(changed or {})})
        self.is_healthy = not changed

    def uids(self) -> dict[str, str]:
        """Uid of each host's Node."""
        return {host: self.node(host)["metadata"]["uid"] for host in self.testbed.hosts}

    def node(self, name: str) -> dict[str, Any]:
        """The Node object."""
        node: dict[str, Any] = self.testbed.client.get(f"/api/v1/nodes/{name}")
        return node


class Scenes:
    """One scene after another: a case that did not leave its cluster healthy leaves none to the next."""

    def __init__(self, name: str, **settings: Any) -> None:
        """`settings` are those of `Scene.up`."""
        self._name = name
        self._settings = settings
        self._stack = ExitStack()
        self._scene: Scene | None = None

    def __enter__(self) -> Scenes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def healthy(self) -> Iterator[Scene]:
        """A healthy scene for one case, which has to say (`wait_healthy`) that it leaves it healthy."""
        if self._scene is None or not self._scene.is_healthy:
            self._stack.close()
            self._scene = self._stack.enter_context(Scene.up(self._name, **self._settings))
        self._scene.is_healthy = False
        yield self._scene


def assert_succeeded(done: PlaybookRun) -> None:
    """The run ended well, and no worker of it died of a defect."""
    assert done.returncode == 0, done.output
    assert "Traceback" not in done.output, done.output


def at_host(hosts: Sequence[str], then: Callable[[SteppedRun, Any, str], None]) -> Handler:
    """A handler that also knows whose turn it is: the host of the last result ("" while none of them had one)."""
    current = ""

    def handle(run: SteppedRun, event: Any) -> None:
        nonlocal current
        if event.kind == "end" and (event.host in hosts or event.host == "localhost"):
            current = event.host
        then(run, event, current)

    return handle
