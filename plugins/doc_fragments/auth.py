# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file, or its content as a dictionary.
      - Without it, the file named by the environment variable E(KUBECONFIG), else C(~/.kube/config), else the service
        account of the pod that runs the module is used.
      - The environment variable E(K8S_AUTH_KUBECONFIG) is used when the option is not set.
    type: raw
  context:
    description:
      - Name of the kubeconfig context. Without it, the current context is used.
      - The environment variable E(K8S_AUTH_CONTEXT) is used when the option is not set.
    type: str
  host:
    description:
      - URL of the Kubernetes API server.
      - The environment variable E(K8S_AUTH_HOST) is used when the option is not set.
    type: str
  api_key:
    description:
      - Bearer token.
      - The environment variable E(K8S_AUTH_API_KEY) is used when the option is not set.
    type: str
  ca_cert:
    description:
      - Path of the certificate authority that signed the API server's certificate.
      - The environment variable E(K8S_AUTH_SSL_CA_CERT) is used when the option is not set.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of a client certificate.
      - The environment variable E(K8S_AUTH_CERT_FILE) is used when the option is not set.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key of O(client_cert).
      - The environment variable E(K8S_AUTH_KEY_FILE) is used when the option is not set.
    type: path
    aliases: [key_file]
  validate_certs:
    description:
      - Whether the API server's certificate is checked. Without it, the kubeconfig decides.
      - The environment variable E(K8S_AUTH_VERIFY_SSL) is used when the option is not set.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of an HTTP proxy.
      - The environment variable E(K8S_AUTH_PROXY) is used when the option is not set.
    type: str
  tls_server_name:
    description:
      - Name to expect in the API server's certificate, if it is not the name in the URL.
      - The environment variable E(K8S_AUTH_TLS_SERVER_NAME) is used when the option is not set.
    type: str
  impersonate_user:
    description:
      - User to act as.
      - The environment variable E(K8S_AUTH_IMPERSONATE_USER) is used when the option is not set.
    type: str
  impersonate_groups:
    description:
      - Groups to act as.
      - The environment variable E(K8S_AUTH_IMPERSONATE_GROUPS) (comma separated) is used when the option is not set.
    type: list
    elements: str
  request_timeout:
    description: Seconds to wait for the answer to one request.
    type: int
    default: 30
requirements:
  - python >= 3.11
  - kubernetes >= 31.0.0, != 36.0.0, != 36.0.1, < 38
"""
