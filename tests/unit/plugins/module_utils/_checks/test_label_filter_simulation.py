"""Simulated label filters against a slow model, and what is said of versions, policies, mistakes and things not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshots.label_filter_clusters import (
    SPACES,
    cilium_policy,
    cluster,
    labelled,
    network_policy,
    universe,
)

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import label_filter_simulation as simulation
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import simulate
from ansible_collections.podnet.upkeep.plugins.module_utils._report import label_filter as report
from ansible_collections.podnet.upkeep.plugins.module_utils._report import label_filter_report
from harness import label_filter_model as model

UNIVERSE = universe()
FILTERS = (
    "",
    "k8s:!a$",
    "k8s:!b",
    "k8s:a$",
    "k8s:a k8s:b",
    "!k8s:a",
    "any:b",
    r"k8s:!io\.cilium\.k8s\.namespace\.labels\.team",
    r"k8s:!io\.kubernetes\.pod\.namespace",
    r"k8s:!io\.kubernetes\.pod\.namespace k8s:!io\.cilium\.k8s\.namespace\.labels k8s:!a",
    r"k8s:b k8s:!io\.cilium\.k8s\.policy\.serviceaccount",
)
KEYS, VALUES = st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])
EXPRESSIONS = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": sorted(values)},
        KEYS,
        st.sampled_from(["In", "NotIn"]),
        st.sets(VALUES, min_size=1),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator}, KEYS, st.sampled_from(["Exists", "DoesNotExist"])
    ),
)


def selectors(keys: st.SearchStrategy[str] = KEYS) -> st.SearchStrategy[Any]:
    """Label selectors of Kubernetes."""
    return st.fixed_dictionaries(
        {},
        optional={
            "matchLabels": st.dictionaries(keys, VALUES, max_size=2),
            "matchExpressions": st.lists(EXPRESSIONS, max_size=2),
        },
    )


TEAMS = st.fixed_dictionaries({}, optional={"matchLabels": st.dictionaries(st.just("team"), VALUES, max_size=1)})
PEERS = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors()}),
    st.fixed_dictionaries({"namespaceSelector": TEAMS}, optional={"podSelector": selectors()}),
)
POLICIES = st.builds(
    lambda selector, namespace, sources: network_policy(
        "p", selector, namespace, ingress=[{"from": sources}] if sources else []
    ),
    selectors(),
    st.sampled_from(sorted(SPACES)),
    st.lists(PEERS, max_size=2),
)


@settings(deadline=None)
@given(st.sampled_from(FILTERS), st.sampled_from(FILTERS), st.sets(st.sampled_from(range(len(UNIVERSE))), min_size=1))
def test_counts_are_those_of_the_slow_model(before: str, later: str, chosen: set[int]) -> None:
    """Identities now and afterwards, by namespace, and pods that get another one."""
    pods = [UNIVERSE[place] for place in sorted(chosen)]
    found = simulate(cluster(pods, before), later)
    now, after = (model.identities(one, pods, SPACES) for one in (before, later))
    assert (found.now, found.after) == (len(now), len(after))
    assert found.pods is not None
    expected = {frozenset((f"k8s:{key}", value) for key, value in one) for one in after}
    assert {frozenset(one.items()) for one in found.pods.after.labels} == expected
    assert found.peak == len(after) and found.objects == 0
    changed = sum(1 for pod in pods if model.identity(before, pod, SPACES) != model.identity(later, pod, SPACES))
    assert sum(row["pods"] for row in found.pods.changed()) == changed
    for row in found.pods.by_namespace():
        own = [pod for pod in pods if pod["metadata"]["namespace"] == row["namespace"]]
        assert row["now"] == len(model.identities(before, own, SPACES))
        assert row["after"] == len(model.identities(later, own, SPACES))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILTERS), st.sampled_from(FILTERS), POLICIES)
def test_policies_are_those_of_the_slow_model(before: str, later: str, policy: Any) -> None:
    """Of all pods that there could be: who is selected otherwise is in the answer, and nobody else is."""
    found = simulate(cluster(UNIVERSE, before, networkpolicies=[policy]), later)
    effects = {one.effect.selector.place: one for one in found.policies.effects}
    now = [model.selected(policy, model.identity(before, pod, SPACES)) for pod in UNIVERSE]
    after = [model.selected(policy, model.identity(later, pod, SPACES)) for pod in UNIVERSE]
    for place in now[0]:
        old, new = [one[place] for one in now], [one[place] for one in after]
        effect = effects.pop(place, None)
        if effect is None:
            assert old == new, place
            continue
        assert (effect.pods_now, effect.pods_after) == (sum(old), sum(new))
        # a selector that contradicts itself selects nobody, whatever the filter
        assert old != new or not any(old + new)
        more, fewer = (
            all(late or not early for early, late in zip(old, new, strict=True)),
            all(early or not late for early, late in zip(old, new, strict=True)),
        )
        becomes = effect.effect.becomes
        assert {"dead": not any(new), "wider": more, "alive": not any(old), "narrower": fewer, "other": True}[becomes]
    assert not effects


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FILTERS), POLICIES)
def test_nothing_changes_where_nothing_is_changed(labels: str, policy: Any) -> None:
    """The filter that is there: no effect, no reason against it; what is broken already is told."""
    found = simulate(cluster(UNIVERSE, labels, networkpolicies=[policy]))
    assert not found.changes and not found.policies.effects and not found.refusals
    bare = [model.selected(policy, model.identity("", pod, SPACES)) for pod in UNIVERSE]
    present = [model.selected(policy, model.identity(labels, pod, SPACES)) for pod in UNIVERSE]
    broken = {place for old, new in zip(bare, present, strict=True) for place in old if old[place] != new[place]}
    assert broken <= {one.effect.selector.place for one in found.policies.already}


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(FILTERS[:5]), st.integers(1, 12), st.sets(st.sampled_from(range(len(UNIVERSE))), min_size=1))
def test_a_suggestion_reaches_its_target_and_has_nothing_to_spare(labels: str, target: int, chosen: set[int]) -> None:
    """Or nothing does that drops no label of namespaces' names."""
    pods = [UNIVERSE[place] for place in sorted(chosen)]
    context = cluster(pods, labels)
    made = simulate(context, target_identities=target).suggestion
    assert made is not None
    assert simulate(context, made.labels).after == made.identities
    assert made.reached is (made.identities <= target)
    base = " ".join(labels.split())
    for place in range(len(made.items)):
        rest = [one for number, one in enumerate(made.items) if number != place]
        left = simulate(context, " ".join([base, *rest])).after
        assert left is not None and left > max(target, made.identities)
    if not made.reached:
        everything = f"{base} k8s:!a$ k8s:!b$ k8s:!io\\.cilium\\.k8s\\.namespace\\.labels\\.team$"
        assert (simulate(context, everything).after or 0) > target


def test_a_suggestion_drops_what_changes_together_and_spares_policies() -> None:
    """Labels of Jobs have one value each in two keys; the version is selected by a policy."""
    pods = [
        labelled(
            f"p-{number}",
            {"job-name": f"j-{number}", "batch.kubernetes.io/job-name": f"j-{number}", "v": f"{number % 3}"},
        )
        for number in range(30)
    ]
    policy = network_policy("p", {"matchLabels": {"v": "1"}})
    context = cluster(pods, networkpolicies=[policy])
    made = simulate(context, target_identities=3).suggestion
    assert made is not None and made.reached and made.identities == 3
    assert set(made.keys) == {"k8s:job-name", "k8s:batch.kubernetes.io/job-name"}
    assert made.labels == " ".join(made.items)
    fewer = simulate(context, target_identities=1).suggestion
    assert fewer is not None and not fewer.reached and fewer.identities == 3 and fewer.spared == ("k8s:v",)
    enough = simulate(context, target_identities=30).suggestion
    assert enough is not None and enough.reached and enough.items == ()


def test_a_suggestion_puts_back_what_it_needs_no_more() -> None:
    """The label that costs most is dropped first, and is not needed any more once the two others are."""
    pairs = (("1", "1"), ("2", "2"), ("3", "3"), ("1", "2"))
    pods = [labelled(f"p-{a}{b}{c}", {"a": a, "b": b, "c": c}) for a in "xy" for b, c in pairs]
    made = simulate(cluster(pods), target_identities=2).suggestion
    assert made is not None and made.reached and made.identities == 2 and set(made.keys) == {"k8s:b", "k8s:c"}


# -- versions ------------------------------------------------------------------------------------------------------------

LABELS = {
    "app": "x",
    "controller-uid": "1",
    "batch.kubernetes.io/controller-uid": "1",
    "batch.kubernetes.io/job-completion-index": "1",
    "statefulset.kubernetes.io/pod-name": "1",
    "apps.kubernetes.io/pod-index": "1",
    "topology.kubernetes.io/zone": "1",
}
_CLUSTER, _ACCOUNT = "io.cilium.k8s.policy.cluster", "io.cilium.k8s.policy.serviceaccount"


@pytest.mark.parametrize(
    ("version", "target", "labels", "lost", "gained"),
    [
        (
            *("1.14.0", (1, 15, 0), ""),
            {
                "batch.kubernetes.io/job-completion-index",
                "statefulset.kubernetes.io/pod-name",
                "apps.kubernetes.io/pod-index",
            },
            set(),
        ),
        ("1.15.9", (1, 16, 0), "", {"controller-uid", "batch.kubernetes.io/controller-uid"}, set()),
        ("1.15.9", (1, 16, 0), "k8s:app", set(), {_CLUSTER}),
        ("1.16.0", (1, 17, 3), "", set(), set()),
        ("1.17.0", (1, 18, 0), "", set(), set()),
        ("1.17.0", (1, 18, 0), "k8s:app", set(), {_ACCOUNT}),
        ("1.18.4", (1, 18, 7), "", {"topology.kubernetes.io/zone"}, set()),
        ("1.18.6", (1, 19, 0), "", {"topology.kubernetes.io/zone"}, set()),
        ("1.19.0", (1, 20, 0), "", set(), set()),
        ("1.20.0", (1, 19, 0), "", set(), set()),
        ("1.19.1", (1, 18, 1), "", set(), {"topology.kubernetes.io/zone"}),
    ],
)
def test_what_a_version_changes(
    version: str, target: tuple[int, ...], labels: str, lost: set[str], gained: set[str]
) -> None:
    """By its defaults: labels that make identities no longer, or from then on."""
    found = simulate(cluster([labelled("p", LABELS)], labels, version), target_version=target)
    assert set(found.dropped) == {f"k8s:{key}" for key in lost}
    assert set(found.new) == {f"k8s:{key}" for key in gained}
    assert found.upgrade is not None and found.changes
    assert bool(found.upgrade.added or found.upgrade.removed) >= bool(lost or gained)


def test_named_ports_make_a_label_from_1_20_on() -> None:
    """Whatever the filter; the identities that they cost are told."""
    pods = [labelled(f"p-{port}", {"app": "x"}, namedPorts=[["http", "TCP", port]]) for port in (80, 81, 82)]
    context = cluster(pods, "k8s:app", "1.19.0")
    found = simulate(context, target_version=(1, 20, 0))
    assert (found.now, found.after, found.new) == (1, 3, ("gen:io.cilium.k8s.named-ports",))
    assert found.upgrade is not None and found.upgrade.named_ports == 2
    assert any("2 identities more" in one for one in report.lines(found.to_dict()))
    back = simulate(cluster(pods, "k8s:app", "1.20.0"), target_version=(1, 19, 0))
    assert (back.now, back.after) == (3, 1) and back.upgrade is not None and back.upgrade.named_ports is None


def test_an_upgrade_kills_selectors() -> None:
    """Who selected one pod of a StatefulSet by its name selects none from 1.15 on."""
    policy = network_policy("first", {"matchLabels": {"statefulset.kubernetes.io/pod-name": "db-0"}})
    pods = [labelled(f"db-{one}", {"statefulset.kubernetes.io/pod-name": f"db-{one}"}) for one in (0, 1)]
    found = simulate(cluster(pods, version="1.14.5", networkpolicies=[policy]), target_version=(1, 15, 0))
    (effect,) = found.policies.effects
    assert (effect.effect.becomes, effect.pods_now, effect.pods_after, effect.effect.opens) == ("dead", 1, 0, True)
    assert [one.kind for one in found.refusals] == [simulation.POLICIES_AFFECTED]


# -- policies of Cilium ----------------------------------------------------------------------------------------------------

PODS = [
    labelled("a-0", {"app": "a", "role": "db"}),
    labelled("b-0", {"app": "b"}),
    labelled("a-1", {"app": "a", "role": "db"}, "tools"),
]


def effects(later: str, before: str = "", pods: Any = PODS, **policies: Any) -> dict[str, tuple[str, bool, int, int]]:
    """{place: (becomes, opens, pods now, pods afterwards)}."""
    found = simulate(cluster(pods, before, **policies), later)
    return {
        one.effect.selector.place: (one.effect.becomes, one.effect.opens, one.pods_now, one.pods_after)  # type: ignore[misc]
        for one in found.policies.effects
    }


def test_every_use_of_a_selector_in_a_policy_of_cilium() -> None:
    """In both forms, allowed, denied and required; selectors of Nodes and reserved identities are not touched."""
    role = {"matchLabels": {"role": "db"}}
    not_role = {"matchExpressions": [{"key": "k8s:role", "operator": "NotIn", "values": ["db"]}]}
    rule = {
        "endpointSelector": role,
        "ingress": [
            {"fromEndpoints": [{"matchLabels": {"app": "b"}}, not_role, {"matchLabels": {"reserved:host": ""}}]}
        ],
        "ingressDeny": [{"fromEndpoints": [role, not_role]}],
        "egress": [{"toEndpoints": [{"matchLabels": {"any:role": "db"}}], "toServices": [{}]}],
        "egressDeny": [{"toRequires": [{"matchLabels": {"k8s:role": "db"}}]}],
    }
    nodes = {"nodeSelector": role, "ingress": [{"fromEndpoints": [{}]}]}
    policy = cilium_policy("p", spec=rule, specs=[{"endpointSelector": not_role}])
    wide = cilium_policy("w", "", specs=[nodes, {"endpointSelector": {"matchLabels": {"k8s:role": "db"}}}])
    found = effects("k8s:!role$", ciliumnetworkpolicies=[policy], ciliumclusterwidenetworkpolicies=[wide])
    assert found == {
        "spec.endpointSelector": ("dead", True, 1, 0),
        "spec.ingress[0].fromEndpoints[1]": ("wider", True, 1, 2),
        "spec.ingressDeny[0].fromEndpoints[0]": ("dead", True, 1, 0),
        "spec.ingressDeny[0].fromEndpoints[1]": ("wider", False, 1, 2),
        "spec.egress[0].toEndpoints[0]": ("dead", False, 1, 0),
        "spec.egressDeny[0].toRequires[0]": ("dead", False, 1, 0),
        "specs[0].endpointSelector": ("wider", False, 1, 2),
        "specs[1].endpointSelector": ("dead", True, 2, 0),
    }
    back = effects("", "k8s:!role$", ciliumnetworkpolicies=[policy])
    assert {place: one[0] for place, one in back.items() if place.startswith("specs[0]")} == {
        "specs[0].endpointSelector": "narrower"
    }
    assert back["spec.endpointSelector"] == ("alive", False, 0, 1)
    services = simulate(cluster(PODS, ciliumnetworkpolicies=[policy]), "k8s:!role$")
    assert services.policies.by_services == 1 and any("toServices" in one for one in services.notes)


def test_labels_that_cilium_adds_to_selectors() -> None:
    """The namespace, which cannot be dropped, and labels of namespaces, which can."""
    policies = {
        "networkpolicies": [
            network_policy(
                "n", {}, ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}, {"ipBlock": {}}]}]
            )
        ],
        "ciliumnetworkpolicies": [
            cilium_policy(
                "c",
                spec={
                    "endpointSelector": {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "elsewhere", "app": "a"}},
                    "ingress": [{"fromEndpoints": [{"matchLabels": {"io.cilium.k8s.namespace.labels.team": "y"}}, {}]}],
                },
            )
        ],
        "ciliumclusterwidenetworkpolicies": [
            cilium_policy("w", "", spec={"endpointSelector": {}, "ingress": [{"fromEndpoints": [{}]}]}),
        ],
    }
    # a shorter default exclude counts in its place, so that no exclude drops the namespace
    assert effects(r"k8s:!io\.kubernetes\.pod\.namespace", **policies) == {}
    spaces = effects(r"k8s:!io\.cilium\.k8s\.namespace\.labels\.team", **policies)
    assert spaces == {
        "spec.ingress[0].from[0]": ("dead", False, 2, 0),
        "spec.ingress[0].fromEndpoints[0]": ("dead", False, 1, 0),
    }


@pytest.mark.parametrize(
    ("version", "setting", "dead"),
    [("1.18.4", "", False), ("1.19.0", "", True), ("1.18.4", "true", True), ("1.19.0", "false", False)],
)
def test_the_label_of_the_cluster(version: str, setting: str, dead: bool) -> None:
    """From 1.19 on peers are those of the own cluster, unless the configuration says otherwise."""
    config = {"policy-default-local-cluster": setting} if setting else {}
    policy = network_policy("n", {}, ingress=[{"from": [{"podSelector": {}}]}])
    context = cluster(PODS, version=version, config=config, networkpolicies=[policy])
    found = simulate(context, r"k8s:!io\.cilium\.k8s\.policy\.cluster")
    assert [one.effect.selector.place for one in found.policies.effects] == (
        ["spec.ingress[0].from[0]"] if dead else []
    )


# -- what speaks against it, and what is not known -------------------------------------------------------------------------


def kinds(found: simulation.FilterSimulation) -> list[str]:
    """Kinds of the refusals."""
    return [one.kind for one in found.refusals]


@pytest.mark.parametrize(
    ("labels", "kind", "words"),
    [
        ("k8s:!(?=x)", simulation.INVALID, "agents would not start with it"),
        ("k8s:(a+)+$", simulation.NOT_SIMULATED, "cannot be simulated"),
        ("!k8s:foo", simulation.MISTAKE, "write k8s:!foo"),
        ("any:app", simulation.MISTAKE, "no label of a pod has the source any"),
        ("k8s:app,k8s:role", simulation.MISTAKE, "commas separate nothing"),
    ],
)
def test_values_that_do_not_do_what_they_seem_to(labels: str, kind: str, words: str) -> None:
    """One sentence each, and no number where nothing could be simulated."""
    found = simulate(cluster(PODS), labels)
    assert kind in kinds(found) and any(words in one.sentence for one in found.refusals)
    assert (found.after is None) is (kind in (simulation.INVALID, simulation.NOT_SIMULATED))
    assert any(words in line for line in report.lines(found.to_dict()))


def test_policies_that_could_not_be_read_are_never_unaffected() -> None:
    """They are unknown, by name; what others say is said all the same."""
    unknown = {"networkpolicies": "forbidden"}
    found = simulate(cluster(PODS, unknown=unknown), "k8s:!role$")
    assert kinds(found) == [simulation.POLICIES_UNKNOWN] and set(found.policies.unknown) == {"networkpolicies"}
    assert found.to_dict()["policies"]["affected"] is None and (found.now, found.after) == (3, 3)
    lines = report.lines(found.to_dict())
    assert any(line.startswith("UNKNOWN  networkpolicies: forbidden") for line in lines)
    assert not any("nothing speaks against it" in line for line in lines)
    policy = cilium_policy("p", spec={"endpointSelector": {"matchLabels": {"role": "db"}}})
    more = simulate(cluster(PODS, unknown=unknown, ciliumnetworkpolicies=[policy]), "k8s:!role$")
    assert kinds(more) == [simulation.POLICIES_AFFECTED, simulation.POLICIES_UNKNOWN]
    absent = cluster(PODS)
    assert kinds(simulate(absent, "k8s:!role$")) == []


@pytest.mark.parametrize("key", ["enable-egress-gateway", "enable-ipv4-egress-gateway"])
def test_policies_of_an_egress_gateway_are_not_taken_for_unaffected(key: str) -> None:
    """They select by labels of identities and are not read: unknown where the gateway is on, no word where it is off."""
    found = simulate(cluster(PODS, config={key: "true"}), "k8s:!role$")
    assert kinds(found) == [simulation.POLICIES_UNKNOWN] and found.to_dict()["policies"]["affected"] is None
    lines = " ".join(report.lines(found.to_dict()))
    assert "UNKNOWN  ciliumegressgatewaypolicies: the egress gateway is on" in lines
    assert kinds(simulate(cluster(PODS, config={key: "false"}), "k8s:!role$")) == []


@pytest.mark.parametrize("resource", ["pods", "namespaces", "configmaps", "ciliumnodeconfigs"])
def test_without_what_identities_are_made_of_nothing_is_simulated(resource: str) -> None:
    """One sentence that names it."""
    found = simulate(cluster(PODS, unknown={resource: "forbidden"}), "k8s:!role$")
    assert kinds(found) == [simulation.NOT_SIMULATED] and resource in found.not_simulated
    assert found.to_dict()["identities"] == dict.fromkeys(("now", "after", "objects", "peak", "capacity"))
    assert report.lines(found.to_dict())


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (cluster(PODS, version="latest"), "give it as version, such as 1.18.4"),
        (cluster(PODS, config={"label-prefix-file": "/x"}), "label-prefix-file /x replaces"),
        (
            cluster(PODS, ciliumnodeconfigs=[{"metadata": {"name": "n"}, "spec": {"defaults": {"labels": "x"}}}]),
            "CiliumNodeConfig n gives some Nodes another value",
        ),
        (cluster(PODS, labels="k8s:!(?=x)"), "what is configured now cannot be judged"),
        (cluster(PODS, daemonsets=(), configmaps=()), "nothing of Cilium was found"),
        (cluster(PODS, configmaps=()), "no ConfigMap cilium-config"),
    ],
)
def test_clusters_on_which_nothing_can_be_simulated(context: Any, words: str) -> None:
    """And why."""
    found = simulate(context, "k8s:!role$")
    assert kinds(found) == [simulation.NOT_SIMULATED] and words in found.not_simulated


def test_the_version_can_be_stated_or_told_by_agents() -> None:
    """Where the image has none."""
    stated = simulate(cluster(PODS, version="latest"), "k8s:!role$", version=(1, 17, 0))
    assert stated.version_now == stated.version_after == (1, 17, 0) and stated.after == 3
    agents = [{"node": "n", "pod": "p", "version": version} for version in ("1.19.0", "1.18.4", "")]
    assert simulate(cluster(PODS, version="latest", agents=agents)).version_now == (1, 18, 4)


def test_agents_are_the_authority() -> None:
    """They know what makes identities; who differs is named, and speaks against the change."""
    labels = {"security-relevant": ["k8s:app", "reserved:host"], "derived": ["k8s:pod-template-hash", "container:x"]}
    agree = simulate(cluster(PODS, agents=[{"node": "n", "pod": "p", "labels": labels}]), "k8s:!role$")
    assert agree.agents is not None and (agree.agents.asked, agree.agents.agreed) == (1, 2) and not kinds(agree)
    other = {"security-relevant": ["k8s:pod-template-hash"], "derived": ["k8s:app"]}
    differ = simulate(cluster(PODS, agents=[{"node": "n", "labels": one} for one in (labels, other)]), "k8s:!role$")
    assert kinds(differ) == [simulation.AGENTS_DISAGREE] and differ.agents is not None
    assert [one["agents"] for one in differ.agents.different] == ["both", "both"]
    assert simulate(cluster(PODS, agents=[{"node": "n", "error": "silent"}])).agents is None


def test_old_and_new_identities_have_to_fit_side_by_side() -> None:
    """The objects that exist, and those that are new."""
    keys = {"k8s:app": "a", "k8s:io.kubernetes.pod.namespace": "shop"}
    existing = [
        {"metadata": {"name": str(number)}, "security-labels": {**keys, "k8s:old": str(number)}}
        for number in range(300, 310)
    ]
    small = {"identity-range": {"min-identity": 300, "max-identity": 311}}
    agents = [{"node": "n", "pod": "p", "status": small}]
    found = simulate(cluster(PODS, ciliumidentities=existing, agents=agents), "k8s:!role$")
    assert (found.objects, found.peak, found.capacity) == (10, 13, 12)
    assert kinds(found) == [simulation.RANGE_EXCEEDED]


def test_workloads_and_costs() -> None:
    """Pods are named by their controller, the costs of labels are those before for dropped ones, and those after for others."""
    pods = [
        *(
            labelled(f"web-1-{one}", {"app": "web", "pod-template-hash": "1", "v": "1"}, owner=("ReplicaSet", "web-1"))
            for one in "ab"
        ),
        *(labelled(f"r-{one}", {"job-name": f"r-{one}"}, owner=("Job", f"r-2938400{one}")) for one in range(8)),
        labelled("alone", {"job-name": "alone"}),
        labelled("host", {"v": "9"}, hostNetwork=True),
        {**labelled("done", {"v": "8"}), "status": {"phase": "Succeeded"}},
        labelled("lost", {"v": "7"}, "gone"),
    ]
    found = simulate(cluster(pods, "k8s:!pod-template-hash k8s:!v"), "k8s:!job-name$")
    made = found.to_dict()
    assert made["pods"] == {"judged": 11, "changed": 11, "without_namespace": 1}
    assert [(row["kind"], row["name"], row["pods"]) for row in made["workloads"]] == [
        ("CronJob", "r", 8),
        ("Deployment", "web", 2),
        ("Pod", "alone", 1),
    ]
    assert made["workloads"][1]["gained"] == ["k8s:v"] and made["workloads"][0]["lost"] == ["k8s:job-name"]
    by_key = {row["key"]: row for row in made["by_label_key"]}
    assert (by_key["k8s:job-name"]["state"], by_key["k8s:job-name"]["contribution"]) == ("dropped", 8)
    assert (by_key["k8s:v"]["state"], by_key["k8s:v"]["distinct_values"]) == ("new", 1)
    assert made["identities"]["now"] == 10 and made["identities"]["after"] == 2
    assert "1 pods are left out" in made["notes"][0] and made["helm_values"] == {"labels": "k8s:!job-name$"}
    assert found.exploding == ()
    assert len(found.to_dict(1)["workloads"]) == 1 and found.to_dict(1)["workloads_count"] == 3


def test_what_explodes() -> None:
    """A label that makes more than a fifth of the identities and 2 % of the range: before for a dropped one, else after."""
    pods = [labelled(f"p-{number}", {"run": f"r-{number}", "app": f"a-{number % 10}"}) for number in range(1500)]
    context = cluster(pods)
    assert [one.key.key for one in simulate(context).exploding] == ["k8s:run"]
    dropped = simulate(context, "k8s:!run$")
    assert dropped.exploding == ()
    assert [(one.key.key, one.state) for one in dropped.keys if one.explodes] == [("k8s:run", "dropped")]


def test_reports_show_everything_as_text() -> None:
    """In HTML and Markdown: names of the cluster stay text, whatever they are."""
    policy = network_policy("<b>bad</b>", {"matchLabels": {"role": "db"}})
    found = simulate(cluster(PODS, networkpolicies=[policy]), "k8s:!role$ k8s:!x.y", target_identities=1)
    html, markdown = (
        make(found.to_dict(), "now", "here") for make in (label_filter_report.html, label_filter_report.markdown)
    )
    assert "<b>bad" not in html and "&lt;b&gt;bad" in html and "spec.podSelector" in html
    assert "spec.podSelector" in markdown and "## Label filter" in markdown
    for text in (html, markdown):
        assert "k8s:role" in text and "a dot without a backslash" in text and "select by labels whose part" in text
    assert report.filter_chapter(None) is None
