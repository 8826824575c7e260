"""AWX as code: the real modules of awx.awx at a stand-in that checks every request against the recorded API schema."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from snapshots.make_sick_small import TARGET

from harness.awx_collection import awx_collections
from harness.fake_awx.server import TOKEN, TOKEN_OF_ORGANIZATION, USER, FakeAwx
from harness.playbook import PlaybookRun, run_playbook

pytestmark = [pytest.mark.testbed, pytest.mark.once]

SOME = {
    "configure_awx_playbooks": ["audit", "clean_endpoints", "maintain_kvstore"],
    "configure_awx_workflows": ["clean_endpoints"],
}
ONE: dict[str, Any] = {"configure_awx_playbooks": ["audit"], "configure_awx_workflows": []}
CREDENTIALS = [
    {
        **{"name": "production API", "kind": "kubernetes"},
        "inputs": {"host": "https://192.0.2.1:6443", "bearer_token": "secret-of-the-cluster"},
    },
    {"name": "node access", "kind": "machine", "inputs": {"username": "ops", "ssh_key_data": "secret-of-the-hosts"}},
    {
        "name": "members",
        "kind": "etcd",
        "inputs": {"ca_cert": "PEM", "client_cert": "PEM", "client_key": "secret-of-etcd"},
    },
]


class Scene:
    """A controller, the folder of the project that it reads, and runs of the role."""

    def __init__(self, awx: FakeAwx, project: Path) -> None:
        self.awx = awx
        self.project = project

    def run(self, *arguments: str, **variables: Any) -> PlaybookRun:
        """Run the playbook with what a user would set."""
        known: dict[str, Any] = {
            "configure_awx_host": self.awx.url,
            "configure_awx_token": TOKEN,
            "configure_awx_project_path": str(self.project),
            "configure_awx_project_url": "https://git.example.com/ops/awx.git",
            "configure_awx_execution_environment_image": "registry.example.com/podnet-upkeep-ee:1",
            "configure_awx_credentials": CREDENTIALS,
            "configure_awx_notifications": [
                {
                    **{"name": "on-call", "events": ["failure", "approval"], "type": "webhook"},
                    "configuration": {
                        "url": "https://hooks.example.com/podnet",
                        "headers": {},
                        "password": "secret-of-the-hook",
                    },
                }
            ],
            **variables,
        }
        return run_playbook("podnet.upkeep.configure_awx", arguments, variables=known, env=environment(), timeout=900)


def environment(*before: Path) -> dict[str, str]:
    """With awx.awx beside the collection under test, and no proxy before the loopback address."""
    paths = [*before, *own_collections(), awx_collections()]
    none = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), "")
    # each object is one module; without files that are copied first they take a third less
    return {"ANSIBLE_COLLECTIONS_PATH": ":".join(map(str, paths)), "ANSIBLE_PIPELINING": "true", **none}


def own_collections() -> list[Path]:
    """Where the collection under test is."""
    import ansible_collections.podnet.upkeep

    return [Path(next(iter(ansible_collections.podnet.upkeep.__path__))).parents[2]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A controller with everything that the role makes for two playbooks."""
    project = tmp_path_factory.mktemp("awx") / "project"
    with FakeAwx(project) as awx:
        scene = Scene(awx, project)
        first = scene.run(**SOME)
        assert first.returncode == 0, first.output
        assert first.changed > 10 and "secret-of" not in first.output
        yield scene


def test_it_is_made_once(scene: Scene) -> None:
    """The second run changes nothing and writes nothing, so it needs no system administrator; secrets are in no output."""
    before = len(scene.awx.writes)
    second = scene.run(configure_awx_token=TOKEN_OF_ORGANIZATION, **SOME)
    assert second.returncode == 0 and second.changed == 0, second.output
    # reading the repository anew is no change
    assert [write for write in scene.awx.writes[before:] if not write[1].endswith("/update/")] == []
    assert "secret-of" not in second.output


def test_what_is_there(scene: Scene) -> None:
    """Safe defaults, an approval before the only run that writes, and an audit after it."""
    store = scene.awx.store
    audit, clean, etcd = (
        store.named("job_templates", f"podnet.upkeep {name}") for name in SOME["configure_awx_playbooks"]
    )
    credentials = {audit["id"]: ["production API", "node access"], clean["id"]: ["production API"]}
    credentials[etcd["id"]] = ["production API", "node access", "members"]
    for template in (audit, clean, etcd):
        assert template["allow_simultaneous"] is False and template["job_slice_count"] == 1
        for prompt in ("job_type", "diff_mode", "limit", "variables"):
            assert template[f"ask_{prompt}_on_launch"] is True
        assert [each["name"] for each in store.related("job_templates", template, "labels")] == ["podnet.upkeep"]
        given = [each["name"] for each in store.related("job_templates", template, "credentials")]
        assert sorted(given) == sorted(credentials[template["id"]])
        assert [each["name"] for each in store.related("job_templates", template, "notification_templates_error")] == [
            "on-call"
        ]
    assert audit["job_type"] == "run" and clean["job_type"] == "check"
    workflow = store.named("workflow_job_templates", "podnet.upkeep clean_endpoints with approval")
    assert [
        each["name"] for each in store.related("workflow_job_templates", workflow, "notification_templates_approvals")
    ] == ["on-call"]
    nodes = {node["identifier"]: node for node in store.objects["workflow_job_template_nodes"].values()}
    name = "workflow_job_template_nodes"
    path, at = ["audit"], nodes["audit"]
    while after := store.related(name, at, "success_nodes") + store.related(name, at, "always_nodes"):
        (at,) = after
        path.append(at["identifier"])
    assert path == ["audit", "plan", "approval", "repair", "audit-after"]
    assert nodes["plan"]["job_type"] == "check" and nodes["repair"]["job_type"] == "run"
    assert {nodes[each]["unified_job_template"] for each in ("plan", "repair")} == {clean["id"]}
    assert {nodes[each]["unified_job_template"] for each in ("audit", "audit-after")} == {audit["id"]}
    approval = store.objects["workflow_approval_templates"][nodes["approval"]["unified_job_template"]]
    assert approval["timeout"] == 86400
    source = store.named("inventory_sources", "podnet.upkeep cluster")
    assert (
        (scene.project / source["source_path"]).read_text(encoding="utf-8").endswith("plugin: podnet.upkeep.cluster\n")
    )
    assert source["update_on_launch"] is True and source["credential"] is not None
    schedule = store.named("schedules", "podnet.upkeep every day")
    assert schedule["unified_job_template"] == audit["id"]


def test_a_job_runs_the_written_playbook(scene: Scene, tmp_path: Path) -> None:
    """What AWX hands over for the default answers of the survey is what the playbook of the project takes."""
    store = scene.awx.store
    job = store.launch("job_templates", store.named("job_templates", "podnet.upkeep audit"), {})
    assert job["extra_vars"]["answer_audit_use_agents"] == "false"
    extra = {**job["extra_vars"], "audit_source": "snapshot", "audit_snapshot": str(TARGET)}
    done = run_playbook(
        str(scene.project / "playbooks/audit.yml"),
        variables=extra,
        env={"ANSIBLE_SHOW_CUSTOM_STATS": "true"},
        timeout=300,
    )
    assert done.returncode == 0, done.output
    assert '"playbook": "podnet.upkeep.audit"' in re.sub(r"\s+", " ", done.output)


@pytest.mark.long
def test_check_mode_and_drift(scene: Scene) -> None:
    """What somebody changed by hand is shown by check mode, which writes nothing, and put back by a run."""
    store = scene.awx.store
    clean = store.named("job_templates", "podnet.upkeep clean_endpoints")
    clean.update(allow_simultaneous=True, job_type="run")
    before = len(scene.awx.writes)
    checked = scene.run("--check", **SOME)
    assert checked.returncode == 0 and checked.changed == 1, checked.output
    assert len(scene.awx.writes) == before
    again = scene.run(**SOME)
    assert again.returncode == 0 and again.changed == 1
    assert clean["allow_simultaneous"] is False and clean["job_type"] == "check"


@pytest.mark.long
def test_it_is_taken_away(scene: Scene) -> None:
    """Twice, the second time without a change; the organization and what AWX had before stay."""
    named = [{"name": "production API", "kind": "kubernetes"}, *CREDENTIALS[1:]]
    kept = scene.run(configure_awx_state="absent", configure_awx_credentials=named)
    assert kept.returncode == 0 and kept.changed > 0, kept.output
    assert "stays: credential type podnet.upkeep Kubernetes API, because production API of" in kept.flat_output
    assert [each["name"] for each in scene.awx.store.objects["credentials"].values()] == ["production API"]
    first = scene.run(configure_awx_state="absent")
    assert first.returncode == 0 and first.changed > 0, first.output
    second = scene.run(configure_awx_state="absent")
    assert second.returncode == 0 and second.changed == 0, second.output
    left = {name: len(things) for name, things in scene.awx.store.objects.items() if things}
    assert left.pop("workflow_approval_templates", 1) == 1
    assert left == {"organizations": 1, "credential_types": 1, "labels": 1}


@pytest.mark.long
def test_check_mode_before_anything_is_there(tmp_path: Path) -> None:
    """Says what would be made, and writes neither to the controller nor to the disk."""
    with FakeAwx(tmp_path / "project") as awx:
        done = Scene(awx, tmp_path / "project").run("--check", **SOME)
        assert done.returncode == 0, done.output
        assert "would be made: workflow podnet.upkeep clean_endpoints with approval" in done.flat_output
        assert awx.writes == [] and not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"configure_awx_playbooks": ["audit", "clean_everything"]}, "clean_everything: no playbook of podnet.upkeep"),
        (
            {"configure_awx_playbooks": ["audit"], "configure_awx_workflows": ["audit"]},
            "audit only reads, so there is nothing",
        ),
        (
            {"configure_awx_playbooks": ["clean_endpoints"], "configure_awx_workflows": ["clean_endpoints"]},
            "audit: a workflow needs the job templates",
        ),
        ({"configure_awx_organization": "Nobody", **SOME}, "the controller has no organization Nobody"),
        ({"configure_awx_token": "wrong", **SOME}, "The controller was not asked: Invalid authentication credentials"),
    ],
)
def test_refusals(variables: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    """One sentence, and nothing is written."""
    with FakeAwx() as awx:
        done = Scene(awx, tmp_path).run(configure_awx_project_path="", **variables)
        assert done.returncode == 2 and sentence in done.flat_output, done.output
        assert awx.writes == []


def test_taking_away_what_others_use(tmp_path: Path) -> None:
    """A credential that nobody named keeps its type, so nothing is begun; all of them are named, also those of another page."""
    with FakeAwx() as awx:
        wanted = {"name": "podnet.upkeep Kubernetes API", "kind": "cloud"}
        of_type = {"credential_type": awx.store.create("credential_types", wanted)["id"], "organization": 1}
        for name in ("production API", "old API", "older API", "oldest API"):
            awx.store.create("credentials", {**of_type, "name": name})
        done = Scene(awx, tmp_path).run(configure_awx_state="absent")
        assert done.returncode == 2, done.output
        assert (
            "configure_awx_credentials does not name old API, older API, oldest API in the organization Default, and AWX keeps a type "
            "of credentials as long as there is a credential of it; nothing was taken away. Name each with inputs"
            in done.flat_output
        )
        assert awx.writes == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        pytest.param(
            {"configure_awx_project_path": ""},
            "configure_awx_token: the controller does not let this user POST to /api/v2/credential_types/ (HTTP 403) in the task "
            '\\"Make the types of credentials\\". Types of credentials and organizations need a system administrator, all else an '
            "administrator of the organization Default: give the token or the name of one",
            id="types-of-credentials",
        ),
        pytest.param(
            {"configure_awx_create_organization": True, "configure_awx_organization": "Ops"},
            "configure_awx_token: the controller does not let this user POST to /api/v2/organizations/ (HTTP 403)",
            id="organization",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_user_who_may_not(variables: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    """AWX's bare refusal becomes the option to set and whom to ask."""
    with FakeAwx(tmp_path / "project") as awx:
        more = {**ONE, "configure_awx_token": TOKEN_OF_ORGANIZATION, **variables}
        done = Scene(awx, tmp_path / "project").run(**more)
        assert done.returncode == 2 and sentence in done.flat_output, done.output


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        pytest.param(
            {"configure_awx_playbooks": ["audit", "forecast"]},
            "configure_awx_project_url: the project podnet.upkeep project has no file playbooks/audit.yml (and 1 more) in "
            "https://git.example.com/ops/awx.git yet. Commit and push what was written to",
            id="nothing-was-pushed",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"configure_awx_credentials": [{"name": "node access", "kind": "machine"}]},
            "configure_awx_credentials: the controller has 0 objects of the name node access (credentials) that this user can see, and "
            "one is needed. Correct the name, make it in AWX, or give its inputs",
            id="no-credential",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"configure_awx_notifications": [{"name": "on-call", "events": ["failure"]}]},
            "configure_awx_notifications: the controller has 0 objects of the name on-call",
            id="no-notification",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"configure_awx_execution_environment_image": ""},
            "configure_awx_execution_environment: the controller has 0 objects of the name podnet.upkeep",
            id="no-execution-environment",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {
                "configure_awx_credentials": [
                    {"name": "API", "kind": "kubernetes", "inputs": {"url": "secret-of-the-cluster"}}
                ]
            },
            "Make the credentials: the controller refused API. What it said may hold secrets and is not shown.",
            id="wrong-inputs",
            marks=pytest.mark.long,
        ),
    ],
)
def test_what_is_not_there(variables: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    """One sentence with the option and what to do, also at the first run of all, before the files are pushed."""
    with FakeAwx(tmp_path / "repository") as awx:
        few = {**ONE, "configure_awx_credentials": [], "configure_awx_notifications": []}
        done = Scene(awx, tmp_path / "project").run(**{**few, **variables})
        assert done.returncode == 2 and sentence in done.flat_output, done.output
        assert "secret-of" not in done.output


@pytest.mark.long
def test_a_project_without_a_collection(tmp_path: Path) -> None:
    """Where the execution environment has it, AWX has nothing to install; files are written before the controller is asked."""
    with FakeAwx() as awx:
        Scene(awx, tmp_path).run(configure_awx_collection_source="", configure_awx_token="wrong", **ONE)
    assert yaml.safe_load((tmp_path / "collections/requirements.yml").read_text(encoding="utf-8")) == {
        "collections": []
    }


def test_without_the_collection(tmp_path: Path) -> None:
    """Said in one sentence with the command that installs it."""
    none = {"ANSIBLE_COLLECTIONS_PATH": ":".join(map(str, own_collections()))}
    done = run_playbook("podnet.upkeep.configure_awx", variables={"configure_awx_collection": "awx.awx"}, env=none)
    assert done.returncode == 2
    assert (
        "The collection awx.awx is not installed where this playbook runs; install it with ansible-galaxy collection install"
        in done.flat_output
    )


@pytest.mark.long
def test_everything_twice(tmp_path: Path) -> None:
    """All playbooks and all workflows, with two objects on each page; the second run finds nothing to change."""
    with FakeAwx(tmp_path / "project", page_size=2) as awx:
        scene = Scene(awx, tmp_path / "project")
        first = scene.run()
        assert first.returncode == 0, first.output
        assert len(awx.store.objects["workflow_job_templates"]) == 13
        second = scene.run()
        assert second.returncode == 0 and second.changed == 0, second.output


@pytest.mark.long
def test_the_modules_of_ansible_controller(tmp_path: Path) -> None:
    """The same objects by the modules of the other name, by a user with a password, in an organization that has to be made."""
    with FakeAwx(tmp_path / "project") as awx:
        scene = Scene(awx, tmp_path / "project")
        user = {"configure_awx_token": "", "configure_awx_username": USER[0], "configure_awx_password": USER[1]}
        more = {**user, **SOME, "configure_awx_prefix": "production", "configure_awx_organization": "Ops"}
        more["configure_awx_collection"] = "ansible.controller"
        first = scene.run(configure_awx_create_organization=True, **more)
        assert first.returncode == 0, first.output
        assert all("/api/controller/v2/" in request[1] for request in awx.requests)
        other = scene.run(**{**more, "configure_awx_collection": "awx.awx"})
        assert other.returncode == 0 and other.changed == 0, other.output
        without = scene.run(configure_awx_plan_before_approval=False, **more)
        assert without.returncode == 0, without.output
        nodes = {node["identifier"]: node for node in awx.store.objects["workflow_job_template_nodes"].values()}
        assert "plan" not in nodes
        after = awx.store.related("workflow_job_template_nodes", nodes["audit"], "success_nodes")
        assert [node["identifier"] for node in after] == ["approval"]
        gone = scene.run(configure_awx_state="absent", **more)
        assert gone.returncode == 0, gone.output
        assert not awx.store.objects["job_templates"] and not awx.store.objects["projects"]


@pytest.mark.long
def test_the_summary_of_the_largest_cluster(tmp_path: Path) -> None:
    """5,000 Nodes without pod CIDR, all findings returned: what is handed to AWX stays small."""
    nodes = [
        {"metadata": {"name": f"worker-{number:05}.{'x' * 200}", "uid": str(number)}, "spec": {}}
        for number in range(5000)
    ]
    folder = tmp_path / "kubectl"
    folder.mkdir()
    for node in nodes:
        node.update(apiVersion="v1", kind="Node", status={})
    (folder / "nodes.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "NodeList", "items": nodes}), encoding="utf-8"
    )
    done = run_playbook(
        "podnet.upkeep.audit",
        variables={"audit_source": "snapshot", "audit_snapshot": str(folder), "audit_max_findings_returned": 100_000},
        env={"ANSIBLE_SHOW_CUSTOM_STATS": "true"},
    )
    assert done.returncode == 0, done.output[-3000:]
    statistics = done.stdout.partition("CUSTOM STATS")[2]
    assert '"podnet_upkeep"' in statistics and len(statistics.encode()) < 140_000
    shutil.rmtree(folder)
