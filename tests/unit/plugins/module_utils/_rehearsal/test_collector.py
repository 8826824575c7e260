"""Whether the garbage collector of a copy has worked off its queue is seen by an object that it has to delete."""

from __future__ import annotations

import threading
import time

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal import collector
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.collector import (
    wait_for_collector,
    write_followers,
)

NAME = "podnet-upkeep-rehearsal-of-nobody"
PATH = f"/api/v1/namespaces/default/configmaps/{NAME}"


def test_waits_until_it_is_gone() -> None:
    """Somebody else deletes it: then the queue is worked off. Its owner is one that never was."""
    with FakeApi() as api:
        client = KubeClient.from_options(api.options)
        seen: list[object] = []

        def collect() -> None:
            while (found := client.find(PATH)) is None:
                time.sleep(0.05)
            time.sleep(0.3)
            seen.append(found["metadata"]["ownerReferences"][0]["uid"])
            client.delete(PATH)

        thread = threading.Thread(target=collect)
        thread.start()
        assert wait_for_collector(KubeClient.from_options(api.options), 20) == ""
        thread.join()
        assert seen == ["00000000-0000-4000-8000-00000000dead"]


def test_nobody_collects() -> None:
    """Then a sentence says so, and nothing is left."""
    with FakeApi() as api:
        client = KubeClient.from_options(api.options)
        assert "had not looked at everything after 1 s" in wait_for_collector(client, 0.6)
        assert client.find(PATH) is None


def test_followers_are_written_between_two_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """First the collector has to know the pods, then what belongs to them; without any, one wait does."""
    done: list[object] = []

    def waited(_client: object, _seconds: float, kind: str = "ConfigMap") -> str:
        done.append(kind)
        return f"{kind} is late"

    monkeypatch.setattr(collector, "wait_for_collector", waited)
    monkeypatch.setattr(collector, "load", lambda port, objects: done.append((port, objects)))
    with FakeApi() as api:
        client = KubeClient.from_options(api.options)
        followers = [("/registry/cilium.io/ciliumendpoints/a/b", {"kind": "CiliumEndpoint"})]
        assert write_followers(client, 7, followers, 1) == "CiliumEndpoint is late"
        assert done == ["Pod", (7, followers), "CiliumEndpoint"]
        done.clear()
        assert write_followers(client, 7, [], 1) == "ConfigMap is late"
        assert done == ["ConfigMap"]


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("Pod", "/api/v1/namespaces/default/pods"),
        ("CiliumEndpoint", "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"),
    ],
)
def test_what_is_waited_for_is_of_the_kind(kind: str, folder: str) -> None:
    """Each kind has a list of its own, which the collector reads when it comes to it."""
    with FakeApi() as api:
        client = KubeClient.from_options(api.options)
        thread = threading.Thread(target=wait_for_collector, args=(client, 20, kind))
        thread.start()
        while (found := client.find(f"{folder}/{NAME}")) is None:
            time.sleep(0.05)
        client.delete(f"{folder}/{NAME}")
        thread.join()
        assert found["kind"] == kind and found["metadata"]["ownerReferences"][0]["uid"].endswith("dead")
