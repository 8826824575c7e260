"""Whether the garbage collector of a copy has worked off its queue is seen by an object that it has to delete."""

from __future__ import annotations

import threading
import time

from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.collector import wait_for_collector

PATH = "/api/v1/namespaces/default/configmaps/podnet-upkeep-rehearsal-of-nobody"


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
