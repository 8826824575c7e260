#!/usr/bin/env bash
# galaxy_importer.sh TARBALL VENV: what Galaxy does with an upload; its lint runs on a copy outside the work tree.
set -euo pipefail
tarball=$(realpath "$1")
venv=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
printf '[galaxy-importer]\nCHECK_REQUIRED_TAGS=True\nRUN_ANSIBLE_TEST=False\nRUN_FLAKE8=False\n' >importer.cfg
# its checks look for collections where ansible looks for them: give it this one only
env -u PYTHONPATH -u ANSIBLE_COLLECTIONS_PATH GALAXY_IMPORTER_CONFIG="$scratch/importer.cfg" \
  "$venv/bin/python" -m galaxy_importer.main "$tarball" 2>&1 | tee importer.log
if grep -qE 'ERROR|FAILURE|Importer processing failed' importer.log; then exit 1; fi
