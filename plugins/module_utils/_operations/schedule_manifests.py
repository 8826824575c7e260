# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A schedule as Kubernetes objects: its settings, the place of its summary, and the CronJob that runs it.

The pod is of Pod Security level "restricted": no root, no privileges, nothing writable but its own volumes.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Object = dict[str, t.Any]
#: Clean-ups that a schedule may run.
CLEAN_UPS: t.Final = ("clean_stale_pods", "clean_endpoints", "clean_identities", "clean_cilium_nodes")
REPORTS: t.Final = "/reports"
SETTINGS: t.Final = "/etc/podnet-upkeep"
SETTINGS_FILE: t.Final = "schedule.json"
PLAYBOOK: t.Final = "podnet.upkeep.scheduled_run"
_HOME: t.Final = "/tmp"


@dataclass(frozen=True)
class ScheduleOptions:
    """One schedule. Names are those of the options of the module schedule_objects."""

    name: str
    namespace: str
    image: str = ""
    schedule: str = ""
    time_zone: str = ""
    suspend: bool = False
    starting_deadline_seconds: int = 600
    active_deadline_seconds: int = 3600
    successful_jobs_kept: int = 3
    failed_jobs_kept: int = 3
    settings: Mapping[str, t.Any] = field(default_factory=dict)
    reports_claim: str = ""
    push_secret: str = ""
    run_as_user: int = 1000
    resources: Mapping[str, t.Any] = field(default_factory=dict)
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, t.Any]] = ()

    @property
    def labels(self) -> dict[str, str]:
        """By these the objects are found again."""
        return {
            "app.kubernetes.io/managed-by": "podnet.upkeep",
            "app.kubernetes.io/component": "schedule",
            "app.kubernetes.io/instance": self.name,
        }

    @property
    def summary(self) -> str:
        """Name of the ConfigMap of the summary."""
        return f"{self.name}-summary"


def settings_text(settings: Mapping[str, t.Any]) -> str:
    """What the run is told, as the file that it reads."""
    return json.dumps(settings, indent=2, sort_keys=True) + "\n"


def manifests(options: ScheduleOptions) -> list[Object]:
    """All objects, in the order in which they are to be created. None means: not set."""
    return [
        {**_head("v1", "ConfigMap", options, options.name), "data": {SETTINGS_FILE: settings_text(options.settings)}},
        _head("v1", "ConfigMap", options, options.summary),  # its data is written by the run
        {**_head("batch/v1", "CronJob", options, options.name), "spec": _cron_job(options)},
    ]


def _head(version: str, kind: str, options: ScheduleOptions, name: str) -> Object:
    metadata = {"name": name, "namespace": options.namespace, "labels": options.labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _cron_job(options: ScheduleOptions) -> Object:
    return {
        "schedule": options.schedule,
        "timeZone": options.time_zone or None,
        "suspend": options.suspend,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": options.starting_deadline_seconds,
        "successfulJobsHistoryLimit": options.successful_jobs_kept,
        "failedJobsHistoryLimit": options.failed_jobs_kept,
        "jobTemplate": {
            "metadata": {"labels": options.labels},
            "spec": {
                # a run that failed is looked at before it is tried again
                "backoffLimit": 0,
                "activeDeadlineSeconds": options.active_deadline_seconds,
                "template": {"metadata": {"labels": options.labels}, "spec": pod_spec(options)},
            },
        },
    }


def command() -> list[str]:
    """What the container runs."""
    return ["ansible-playbook", PLAYBOOK, "-e", f"@{SETTINGS}/{SETTINGS_FILE}"]


def pod_spec(options: ScheduleOptions) -> Object:
    """The pod of a run."""
    reports: Object = {"name": "reports", "emptyDir": {}}
    if options.reports_claim:
        reports = {"name": "reports", "persistentVolumeClaim": {"claimName": options.reports_claim}}
    return {
        "restartPolicy": "Never",
        "serviceAccountName": options.name,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": options.run_as_user,
            "runAsGroup": options.run_as_user,
            "fsGroup": options.run_as_user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(options)],
        "volumes": [
            {"name": "settings", "configMap": {"name": options.name}},
            reports,
            {"name": "tmp", "emptyDir": {}},
        ],
        "imagePullSecrets": [{"name": one} for one in options.image_pull_secrets] or None,
        "nodeSelector": dict(options.node_selector) or None,
        "tolerations": [dict(one) for one in options.tolerations] or None,
    }


def _container(options: ScheduleOptions) -> Object:
    env: list[Object] = [
        {"name": name, "value": value}
        for name, value in (
            ("HOME", _HOME),
            ("USER", "podnet-upkeep"),  # the uid has no name in the image
            ("ANSIBLE_HOME", f"{_HOME}/.ansible"),
            ("ANSIBLE_LOCAL_TEMP", f"{_HOME}/.ansible/tmp"),
            ("ANSIBLE_REMOTE_TMP", f"{_HOME}/.ansible/tmp"),  # by default in the home of USER, which has none
            ("ANSIBLE_LOCALHOST_WARNING", "false"),
            ("ANSIBLE_INVENTORY_UNPARSED_WARNING", "false"),
            ("ANSIBLE_NOCOLOR", "true"),
        )
    ]
    if options.push_secret:
        source = {"secretKeyRef": {"name": options.push_secret, "key": "token"}}
        env.append({"name": "PODNET_UPKEEP_PUSH_TOKEN", "valueFrom": source})
    return {
        "name": "run",
        "image": options.image,
        "imagePullPolicy": options.image_pull_policy,
        "command": command(),
        "workingDir": _HOME,
        "env": env,
        "resources": dict(options.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "settings", "mountPath": SETTINGS, "readOnly": True},
            {"name": "reports", "mountPath": REPORTS},
            {"name": "tmp", "mountPath": _HOME},
        ],
    }


def collection_path(kind: str, namespace: str) -> str:
    """Path of the collection of a kind."""
    root = "/api/v1" if kind == "ConfigMap" else "/apis/batch/v1"
    return f"{root}/namespaces/{namespace}/{kind.lower()}s"
