# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file. A relative one is looked for beside the inventory file.
      - Without it, the file named by the environment variable E(KUBECONFIG), else C(~/.kube/config), else the service
        account of the pod that runs Ansible is used.
    type: str
    env:
      - name: K8S_AUTH_KUBECONFIG
  context:
    description: Name of the kubeconfig context. Without it, the current context is used.
    type: str
    env:
      - name: K8S_AUTH_CONTEXT
  host:
    description: URL of the Kubernetes API server.
    type: str
    env:
      - name: K8S_AUTH_HOST
  api_key:
    description: Bearer token. Do not write it into the inventory file; a template that looks it up is fine.
    type: str
    env:
      - name: K8S_AUTH_API_KEY
  ca_cert:
    description: Path of the certificate authority that signed the API server's certificate.
    type: str
    aliases: [ssl_ca_cert]
    env:
      - name: K8S_AUTH_SSL_CA_CERT
  client_cert:
    description: Path of a client certificate.
    type: str
    aliases: [cert_file]
    env:
      - name: K8S_AUTH_CERT_FILE
  client_key:
    description: Path of the key of O(client_cert).
    type: str
    aliases: [key_file]
    env:
      - name: K8S_AUTH_KEY_FILE
  validate_certs:
    description: Whether the API server's certificate is checked. Without it, the kubeconfig decides.
    type: bool
    aliases: [verify_ssl]
    env:
      - name: K8S_AUTH_VERIFY_SSL
  proxy:
    description: URL of an HTTP proxy.
    type: str
    env:
      - name: K8S_AUTH_PROXY
  tls_server_name:
    description: Name to expect in the API server's certificate, if it is not the name in the URL.
    type: str
    env:
      - name: K8S_AUTH_TLS_SERVER_NAME
  impersonate_user:
    description: User to act as.
    type: str
    env:
      - name: K8S_AUTH_IMPERSONATE_USER
  impersonate_groups:
    description: Groups to act as.
    type: list
    elements: str
    env:
      - name: K8S_AUTH_IMPERSONATE_GROUPS
  request_timeout:
    description: Seconds to wait for the answer to one request.
    type: int
    default: 30
requirements:
  - kubernetes >= 31.0.0, != 36.0.0, != 36.0.1, < 38 (for O(source=live))
"""
