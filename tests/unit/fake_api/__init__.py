"""A small Kubernetes API in memory, over real HTTP, that can be told to misbehave.

It knows what the operations use: paged lists with field and label selectors, get, create with uid, merge patch with
preconditions, delete with preconditions, evictions under PodDisruptionBudgets, SelfSubjectAccessReview. Faults are
queued for requests that match a method and a path.
"""

from __future__ import annotations

from .server import FakeApi, Fault, Request, status_body

__all__ = ["FakeApi", "Fault", "Request", "status_body"]
