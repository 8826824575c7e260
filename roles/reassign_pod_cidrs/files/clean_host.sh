# shellcheck shell=sh disable=SC2086 # lists are separated by spaces on purpose
# Removes what pods and CNI left on a host, and prints one line for each thing; with MODE=plan it only prints.
# The kubelet is stopped. A sandbox is removed with its CNI state, so sandboxes come before the files that CNI needs.
# Environment, lists with one space between: CRICTL, SANDBOXES, LINKS, FOLDERS to be emptied, FILES.
set -eu
export LC_ALL=C

apply() { [ "$MODE" = plan ] || "$@"; }
require_deep() {
  case "$1" in
    */../* | */..) ;;
    /?*/?*) return ;;
  esac
  echo "$1 is not removed: name a path with at least two parts and without .." >&2
  exit 2
}

for path in $FOLDERS $FILES; do require_deep "$path"; done
if [ -n "$SANDBOXES" ]; then
  apply $CRICTL --timeout 120s rmp --force $SANDBOXES > /dev/null
  for sandbox in $SANDBOXES; do echo "sandbox $sandbox"; done
fi
for link in $LINKS; do
  [ -e "/sys/class/net/$link" ] || continue
  apply ip link delete "$link"
  echo "link $link"
done
for folder in $FOLDERS; do
  [ -d "$folder" ] || continue
  for entry in "$folder"/* "$folder"/.[!.]*; do
    [ -e "$entry" ] || continue
    apply rm -rf -- "$entry"
    echo "path $entry"
  done
done
for file in $FILES; do
  [ -e "$file" ] || continue
  apply rm -f -- "$file"
  echo "path $file"
done
