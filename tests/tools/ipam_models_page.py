"""Writes the documentation page of all IPAM models from the data in the code, so that the two cannot differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_ipam_models import KINDS
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_page import ModelPage
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_pages import PAGES

HEAD = """\
.. This page is written by tests/tools/ipam_models_page.py from the code: change _domain/ipam_model_pages.py, not the page.

.. _ansible_collections.podnet.upkeep.docsite.ipam_models:

IPAM models
===========

Where do addresses of pods come from? It depends on the CNI, and on one cluster Nodes may differ. Every audit finds it out
and writes the page "our IPAM model" into its report, with the sizes and flags of the cluster. This page has all models.

A podCIDR of a Node is judged only where Node.spec is the truth. Elsewhere it is empty or noise by design: an empty podCIDR
on EKS is no fault, and events ``CIDRNotAvailable`` beside Calico are none either.

How the model is found
----------------------

1. DaemonSets name the CNI. Cilium decides by its key ``ipam``, unless it is chained behind another CNI.
2. Calico uses Node.spec where its CNI configuration says host-local (ConfigMap ``calico-config``), else its own IPPools.
3. Without any known CNI: Nodes of GKE, or a kube-controller-manager that allocates, mean Node.spec.
4. Evidence that is missing or contradicts itself means *unknown*, and nothing is judged.

A single Node has another model when its labels say so (EKS Fargate and Auto Mode, virtual kubelets, Windows), or when the
agent of another CNI runs on it.

Who allocates podCIDRs of Nodes
-------------------------------

kube-controller-manager (``--cidr-allocator-type=RangeAllocator``)
  Cuts ``--cluster-cidr`` into blocks, one for each Node and family. It exits when it starts and sees a Node with a block of
  another range. ``--controllers`` can switch it off (``-node-ipam-controller``, formerly ``-nodeipam``).
The controller-manager of a cloud (``CloudAllocator``)
  GKE copies the alias range of the machine. Azure, Linode and others cut a range of their own.
An allocator with ClusterCIDR objects
  Kubernetes 1.25 to 1.28 had one behind a feature gate (``networking.k8s.io/v1alpha1``). Today it is
  kubernetes-sigs/node-ipam-controller (``networking.x-k8s.io/v1``). kube-controller-manager must not allocate beside it. All
  terms of a ``nodeSelector`` must match there, not one of them, and the smallest matching ClusterCIDR is used first. A block
  whose ClusterCIDR does not select its Node any more (a label is lost) is not remembered after a restart and can be given
  out again.
k3s and RKE2
  The same as kube-controller-manager, inside of their server: ``--cluster-cidr``, by default 10.42.0.0/16.
antrea-controller
  With ``nodeIPAM.enableNodeIPAM`` in ConfigMap ``antrea-config``.

"""

_FIELDS = (
    ("Where the truth is", "truth"),
    ("Who writes it", "writer"),
    ("What deleting a Node does", "deletion"),
    ("How to grow", "growth"),
    ("What the audit does not judge", "not_judged"),
)


def escaped(text: str) -> str:
    """Prose as reStructuredText: characters that begin markup, and an underscore that ends a word, lose their meaning."""
    return re.sub(r"([\\*`|]|_(?!\w))", r"\\\1", text)


def section(key: str, page: ModelPage) -> str:
    """One model as a section of the page."""
    lines = [page.title, "-" * len(page.title), "", f"In results: ``{key}``.", ""]
    for words, name in _FIELDS:
        lines += [f"*{words}:* {escaped(getattr(page, name))}", ""]
    return "\n".join([*lines, "*By hand:*", "", ".. code-block:: text", "", f"   {page.verify}", ""])


def page() -> str:
    """The whole page, models in the order of the code."""
    findings = "".join(f"- ``{kind.id}``: {escaped(kind.title)}\n" for kind in KINDS)
    tail = f"\nFindings about models\n---------------------\n\n{findings}"
    return HEAD + "\n".join(section(key, one) for key, one in PAGES.items()) + tail


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
