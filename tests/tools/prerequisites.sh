#!/bin/sh
# Installs the Debian packages that tests on real hosts, of shell scripts, and of ansible-rulebook need, where this is possible and something is missing.
set -eu
missing=""
for pair in systemd-nspawn:systemd-container debootstrap:debootstrap ip:iproute2 ssh:openssh-client \
    ssh-keygen:openssh-client git:git nsenter:util-linux shellcheck:shellcheck prometheus:prometheus \
    mawk:mawk gawk:gawk original-awk:original-awk busybox:busybox; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "prerequisites: installing$missing ..." >&2
  apt-get update -qq
  # services of these packages are for servers: here the tests start the programs themselves
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  # the words are package names
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  case "$missing" in
    *prometheus*) if command -v systemctl >/dev/null 2>&1; then systemctl --quiet disable prometheus.service; fi ;;
  esac
else
  echo "prerequisites: missing$missing (needs root and apt-get): parts that need them are left out" >&2
fi
