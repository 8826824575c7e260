# shellcheck shell=sh disable=SC2086 # lists are separated by spaces on purpose
# Removes what pods and CNI left on a host, and prints one line for each thing; with MODE=plan it only prints.
# The kubelet is stopped. A sandbox is removed with its CNI state, so sandboxes come before the files that CNI needs.
# Environment, lists with one space between: CRICTL, SANDBOXES (all, or empty for none), LINKS, FOLDERS to be emptied, FILES.
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

# Ids of the sandboxes in what crictl answers, without those of static pods: nobody but this kubelet starts them again.
removable() {
  awk '
    {
      gsub(/\\./, "") # escaped characters, so that a quotation mark begins or ends a text
      line = $0
      while (match(line, /"[^"]*"|[][{}:,]/)) {
        token = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (token == ":") { key[depth] = text; value = 1 }
        else if (token == ",") value = 0
        else if (token == "{" || token == "[") { depth++; value = 0; tokens++ }
        else if (token == "}" || token == "]") {
          if (depth == 3 && token == "}") {
            if (id != "" && source != "file" && source != "http") print id
            id = source = ""
          }
          delete key[depth--]
          value = 0
        } else {
          text = substr(token, 2, length(token) - 2)
          if (value && depth == 3 && key[3] == "id") id = text
          if (value && depth == 4 && key[3] == "annotations" && key[4] == "kubernetes.io/config.source") source = text
          value = 0
        }
      }
    }
    END { if (depth != 0 || tokens == 0) exit 1 }'
}

for path in $FOLDERS $FILES; do require_deep "$path"; done
if [ -n "$SANDBOXES" ]; then
  answer=$($CRICTL --timeout 120s pods --output json)
  sandboxes=$(printf '%s\n' "$answer" | removable) || {
    echo "The answer of $CRICTL pods cannot be read, so no sandbox is removed." >&2
    exit 3
  }
  if [ -n "$sandboxes" ]; then
    apply $CRICTL --timeout 120s rmp --force $sandboxes > /dev/null
    for sandbox in $sandboxes; do echo "sandbox $sandbox"; done
  fi
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
