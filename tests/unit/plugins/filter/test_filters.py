"""The filters as a playbook runs them: every answer and every refusal comes out of a real ansible-playbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import run_playbook

VARIABLES = {
    "report": {"findings": [{"id": "a", "severity": "critical", "n": 2}, {"id": "b", "severity": "info", "n": 1}]},
    "cidrs": ["10.0.0.0/24", "10.0.2.0/23", "192.0.2.0/24", "fd00::/64"],
    "interval": "15m0s",
    "pod_labels": {"app": "report", "job-name": "report-1", "pod-template-hash": "x"},
}
# expression -> what it is worth
ANSWERS: list[tuple[str, Any]] = [
    ("'10.0.0.0/30' | podnet.upkeep.cidr_blocks(31)", ["10.0.0.0/31", "10.0.0.2/31"]),
    ("'10.0.0.9/24' | podnet.upkeep.cidr_blocks('24')", ["10.0.0.0/24"]),
    ("'10.0.0.0/8' | podnet.upkeep.cidr_blocks(30, count=true)", 4194304),
    ("'fd00::/32' | podnet.upkeep.cidr_blocks(64, count=true)", 1 << 32),
    ("'fd00::/32' | podnet.upkeep.cidr_blocks(64, limit=2)", ["fd00::/64", "fd00:0:0:1::/64"]),
    ("'10.0.0.0/16' | podnet.upkeep.cidr_blocks(24, limit=0)", []),
    ("'10.0.0.0/24' | podnet.upkeep.cidr_blocks(26, limit=3)", ["10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/26"]),
    ("'10.0.0.0/22' | podnet.upkeep.free_blocks(24, cidrs)", ["10.0.1.0/24"]),
    ("'10.0.0.0/22' | podnet.upkeep.free_blocks(24, cidrs, count=true)", 1),
    ("'10.0.0.0/22' | podnet.upkeep.free_blocks(24, service_ranges=['10.0.0.0/23'])", ["10.0.2.0/24", "10.0.3.0/24"]),
    ("'10.0.0.0/16' | podnet.upkeep.free_blocks(24, limit=2)", ["10.0.0.0/24", "10.0.1.0/24"]),
    ("'10.0.0.0/8' | podnet.upkeep.free_blocks(30, ['10.0.0.0/8'])", []),
    (
        "['10.96.0.0/12', '10.100.0.0/16', '::/0'] | podnet.upkeep.overlapping_cidrs",
        [["10.96.0.0/12", "10.100.0.0/16"]],
    ),
    ("['10.0.0.0/24', '10.0.0.0/24'] | podnet.upkeep.overlapping_cidrs", [["10.0.0.0/24", "10.0.0.0/24"]]),
    ("cidrs | podnet.upkeep.overlapping_cidrs", []),
    ("interval | podnet.upkeep.go_duration", 900),
    ("'-1.5s' | podnet.upkeep.go_duration", -1.5),
    ("'0' | podnet.upkeep.go_duration", 0),
    ("900 | podnet.upkeep.to_go_duration", "15m0s"),
    ("'0.3' | podnet.upkeep.to_go_duration", "300ms"),
    ("interval | podnet.upkeep.go_duration | podnet.upkeep.to_go_duration", "15m0s"),
    (
        "pod_labels | podnet.upkeep.security_labels('shop', {'team': 'x'}, labels='k8s:!job-name')",
        {
            "k8s:app": "report",
            "k8s:io.cilium.k8s.namespace.labels.team": "x",
            "k8s:io.cilium.k8s.policy.cluster": "default",
            "k8s:io.cilium.k8s.policy.serviceaccount": "default",
            "k8s:io.kubernetes.pod.namespace": "shop",
        },
    ),
    (
        "{} | podnet.upkeep.security_labels('shop', version='1.20.0', cluster_name='c', named_ports=[['http', 'TCP', 80]])",
        {
            "gen:io.cilium.k8s.named-ports": "http.TCP.80",
            "k8s:io.cilium.k8s.policy.cluster": "c",
            "k8s:io.cilium.k8s.policy.serviceaccount": "default",
            "k8s:io.kubernetes.pod.namespace": "shop",
        },
    ),
    ("report | podnet.upkeep.select(\"findings[?severity=='critical'].id\")", ["a"]),
    ("report | podnet.upkeep.select('sort_by(findings, &n)[].id')", ["b", "a"]),
    ("report | podnet.upkeep.select(\"findings[?contains(id, 'b')] | [0].n\")", 1),
    ("report | podnet.upkeep.select(\"join(',', findings[].id)\")", "a,b"),
    ("report | podnet.upkeep.select('nothing')", None),
    ("[1, 2] | select('odd') | list", [1]),  # Jinja's own is still there
]
# expression -> words of its refusal
REFUSALS: list[tuple[str, str]] = [
    ("'banana' | podnet.upkeep.cidr_blocks(24)", "podnet.upkeep.cidr_blocks: 'banana' is not a CIDR"),
    ("7 | podnet.upkeep.cidr_blocks(24)", "the CIDR is a number; give a text such as 10.244.0.0/16"),
    ("'10.0.0.0/16' | podnet.upkeep.cidr_blocks(8)", "mask_size is 8; give a whole number from 16 to 32"),
    ("'10.0.0.0/16' | podnet.upkeep.cidr_blocks('wide')", "mask_size is 'wide'; give a whole number from 16 to 32"),
    ("'10.0.0.0/16' | podnet.upkeep.cidr_blocks(true)", "mask_size is true or false; give"),
    ("'10.0.0.0/8' | podnet.upkeep.cidr_blocks(30)", "10.0.0.0/8 has 4194304 blocks of /30; give limit or count=true"),
    ("'10.0.0.0/16' | podnet.upkeep.free_blocks(24, '10.0.0.0/24')", "used is a text; give a list of texts"),
    ("'10.0.0.0/16' | podnet.upkeep.free_blocks(24, ['x'])", "podnet.upkeep.free_blocks: 'x' is not a CIDR"),
    ("'fd00::/32' | podnet.upkeep.free_blocks(64)", "kube-controller-manager does not start with it"),
    ("'10.0.0.0/8' | podnet.upkeep.overlapping_cidrs", "the list of CIDRs is a text; give a list of texts"),
    ("[1] | podnet.upkeep.overlapping_cidrs", "an item of the list of CIDRs is a number"),
    ("'600' | podnet.upkeep.go_duration", 'time: missing unit in duration "600"'),
    ("600 | podnet.upkeep.go_duration", "the duration is a number; give a text such as 15m0s"),
    ("'soon' | podnet.upkeep.to_go_duration", "'soon' is no number of seconds"),
    ("true | podnet.upkeep.to_go_duration", "a bool is no number of seconds"),
    ("1e30 | podnet.upkeep.to_go_duration", "the longest is 292 years"),
    ("{} | podnet.upkeep.security_labels('shop', labels='k8s:(a')", "is no pattern that Cilium can compile"),
    ("{} | podnet.upkeep.security_labels('shop', version='new')", "version is 'new'; give a version of Cilium"),
    ("[] | podnet.upkeep.security_labels('shop')", "the pod's labels is a list; give a dictionary of texts"),
    ("{'a': 1} | podnet.upkeep.security_labels('shop')", "the pod's labels.a is a number; give a text"),
    ("{} | podnet.upkeep.security_labels('shop', named_ports=[['http']])", "named_ports has the item ['http']"),
    ("report | podnet.upkeep.select('findings[')", "'findings[' cannot be evaluated"),
    ("report | podnet.upkeep.select('length(`1`)')", "'length(`1`)' cannot be evaluated"),
    ("report | podnet.upkeep.select(7)", "the expression is a number; give a text"),
]


def playbook(tasks: list[dict[str, Any]]) -> str:
    """A play on this machine without facts; JSON is YAML."""
    return json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": VARIABLES, "tasks": tasks}])


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """{expression: answer, or the message of its refusal} of one run of ansible-playbook."""
    folder = tmp_path_factory.mktemp("filters")
    expressions = [expression for expression, _expected in [*ANSWERS, *REFUSALS]]
    tasks: list[dict[str, Any]] = [
        # an action without a module: a hundred of them take no time
        {"ansible.builtin.set_fact": {f"answer_{at}": "{{ " + expression + " }}"}, "register": f"result_{at}"}
        for at, expression in enumerate(expressions)
    ]
    parts = [f"'{at}': result_{at}.msg | default(answer_{at} | default(none))" for at in range(len(tasks))]
    content = "{{ {" + ", ".join(parts) + "} | to_json }}"
    for task in tasks:
        task["ignore_errors"] = True
    tasks.append({"ansible.builtin.copy": {"dest": str(folder / "answers"), "mode": "0600", "content": content}})
    path = folder / "play.yml"
    path.write_text(playbook(tasks), encoding="utf-8")
    done = run_playbook(str(path), env={"ANSIBLE_INJECT_FACT_VARS": "true"})
    assert done.returncode == 0, done.output
    said = json.loads((folder / "answers").read_text(encoding="utf-8"))
    return {expression: said[str(at)] for at, expression in enumerate(expressions)}


@pytest.mark.parametrize(("expression", "expected"), ANSWERS)
def test_answers(expression: str, expected: Any, answers: dict[str, Any]) -> None:
    """The value, of the right type."""
    assert answers[expression] == expected
    assert type(answers[expression]) is type(expected)


@pytest.mark.parametrize(("expression", "words"), REFUSALS)
def test_refusals(expression: str, words: str, answers: dict[str, Any]) -> None:
    """One sentence that names the filter, the argument and what to give; never a traceback."""
    message = " ".join(str(answers[expression]).split())
    name = expression.split("podnet.upkeep.")[1].split("(")[0].split(" ")[0]
    assert f"podnet.upkeep.{name}" in message and words in message
    assert "Traceback" not in message and "line " not in message.split(words)[-1]


def test_without_jmespath(tmp_path: Path) -> None:
    """Said in a sentence, with what to install."""
    (tmp_path / "jmespath.py").write_text("raise ImportError('not here')\n", encoding="utf-8")
    path = tmp_path / "play.yml"
    task = {"ansible.builtin.debug": {"msg": "{{ report | podnet.upkeep.select('findings') }}"}}
    path.write_text(playbook([task]), encoding="utf-8")
    paths = [str(tmp_path)]
    done = run_playbook(str(path), env={"PYTHONPATH": ":".join(paths)})
    assert done.returncode == 2
    assert "podnet.upkeep.select needs the Python library jmespath on the controller" in done.flat_output
