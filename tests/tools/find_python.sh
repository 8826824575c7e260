#!/bin/sh
# find_python.sh VERSION...: prints the first interpreter of one of the versions that really runs; exit 1 when none does.
# Names in PATH can be shims that fail, so each candidate is executed; pyenv's own folder is the second place to look.
for version in "$@"; do
  for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python "python3"; do
    found=$("$candidate" -c 'import sys; print("%d.%d %s" % (*sys.version_info[:2], sys.executable))' 2>/dev/null) || continue
    if [ "${found%% *}" = "$version" ]; then
      echo "${found#* }"
      exit 0
    fi
  done
done
exit 1
