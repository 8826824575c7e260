#!/usr/bin/env bash
# sanity.sh TARBALL VENV: ansible-test sanity on the built collection, without containers and without ignore files.
# ansible-test wants a git work tree below ansible_collections/ and keeps its environments in its HOME: it gets both here.
set -euo pipefail
tarball=$(realpath "$1")
venv=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
home=${PODNET_UPKEEP_CACHE:-$HOME/.cache/podnet-upkeep}/ansible-test
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/ansible_collections/podnet/upkeep
mkdir -p "$tree" "$home/.ansible/test/cache"
if [ -f "$HOME/.config/pip/pip.conf" ]; then mkdir -p "$home/.config/pip" && cp "$HOME/.config/pip/pip.conf" "$home/.config/pip/"; fi
tar -xzf "$tarball" -C "$tree"
if [ -d "$tree/tests/sanity" ]; then echo "sanity: ignore files are not allowed" >&2; exit 1; fi
# the file name that ansible-test looks for carries the version of pip that it pins
pip_versions=$("$venv/bin/python" - <<'PYTHON'
import pathlib, re
import ansible_test

sources = pathlib.Path(ansible_test.__path__[0]).rglob("*.py")
print(*sorted(set(re.findall(r"['\"](2\d\.\d(?:\.\d)?)['\"]", "".join(p.read_text() for p in sources if "requirements" in p.name)))))
PYTHON
)
for pip_version in $pip_versions; do
  cp "$here/get_pip_stand_in.py" "$home/.ansible/test/cache/get_pip_${pip_version//./_}.py"
done
version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
cd "$tree"
git init -q .
git add -A
HOME=$home PATH=$venv/bin:$PATH "$venv/bin/ansible-test" sanity --python "$version" --color no
