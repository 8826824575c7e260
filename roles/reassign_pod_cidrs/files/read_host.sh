# shellcheck shell=sh
# Reads what the role has to know of a host, and writes one fact a line. It changes nothing and prints no key or token.
# The first word of a line says what it is; _domain/host_report.py of the collection reads it.
# Environment, lists with one space between: UNITS of kubelets, CONFIGS of kubelets, CERTIFICATES, KUBECONFIGS, CONTAINERD
# configurations, CNI_DIRS, DISKS that must have room; CRICTL is a command, or empty for that of the distribution.
set -u
export LC_ALL=C

echo "user-id $(id -u 2>/dev/null)"
echo "machine-id $(cat /etc/machine-id 2>/dev/null)"
echo "boot-id $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
echo "hostname $(cat /proc/sys/kernel/hostname 2>/dev/null)"

# one question for all units: what is said about each is a paragraph, in their order
active='' known='' states=$(
  # shellcheck disable=SC2086 # separated by spaces on purpose
  systemctl show $UNITS --property=LoadState --property=ActiveState --property=UnitFileState --property=MainPID 2>/dev/null \
    | awk -F= 'function tell() { print load, active, pid + 0, enabled; load = active = pid = enabled = "" }
      /^LoadState=/ { load = $2 } /^ActiveState=/ { active = $2 } /^UnitFileState=/ { enabled = $2 } /^MainPID=/ { pid = $2 }
      /^$/ { tell() } END { tell() }'
)
for unit in $UNITS; do
  read -r load runs pid enabled << END
$states
END
  states=$(printf '%s\n' "$states" | sed 1d)
  [ "$load" = loaded ] || continue
  [ -e "/var/lib/podnet-upkeep/enable-$unit" ] && enabled=enabled # kubelet_unit.sh has disabled it for a while
  echo "unit $unit $runs $enabled"
  known=${known:-$unit}
  [ "$runs" = active ] && active=${active:-$unit}
  if [ "$pid" -gt 0 ] && [ -r "/proc/$pid/cmdline" ]; then
    tr '\0' '\n' < "/proc/$pid/cmdline" \
      | sed -nE 's/^(--kubelet-arg=)?(--)?((register-node|hostname-override|node-name)=.*)$/\3/p' | sed "s|^|argument $unit |"
  fi
done

for file in $CONFIGS; do
  [ -r "$file" ] && echo "kubelet-config $file" \
    && grep -E '^[[:space:]]*"?registerNode"?[[:space:]]*:' "$file" | head -n 1 | sed 's/^/register-node /; s/[",]//g'
done

for file in $CERTIFICATES; do
  [ -r "$file" ] && echo "certificate $file $(sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p;/END CERTIFICATE/q' "$file" | sed '1d;$d' | tr -d '\n')"
done
for file in $KUBECONFIGS; do
  [ -r "$file" ] && echo "kubeconfig-certificate $file $(sed -n 's/^.*client-certificate-data[": ]*\([A-Za-z0-9+/=]*\).*$/\1/p' "$file" | head -n 1)"
done

for file in $CONTAINERD; do
  [ -r "$file" ] && grep -qE "^[[:space:]]*['\"]?conf_template['\"]?[[:space:]]*=[[:space:]]*['\"][^'\"]+['\"]" "$file" && echo "conf-template $file"
done

for folder in $CNI_DIRS; do
  for file in "$folder"/*.conf "$folder"/*.conflist "$folder"/*.json; do
    [ -r "$file" ] || continue
    echo "cni-file $file"
    grep -oE '"(type|subnet|bridge)"[[:space:]]*:[[:space:]]*"[^"]*"' "$file" \
      | sed -E 's/^"([a-z]+)"[[:space:]]*:[[:space:]]*"([^"]*)"$/cni-value \1 \2/'
  done
done
[ -r /run/flannel/subnet.env ] && sed -n 's/^FLANNEL_\(IPV6_\)\{0,1\}SUBNET=/flannel-subnet /p' /run/flannel/subnet.env
for link in /sys/class/net/*; do
  [ -d "$link/bridge" ] || case "${link##*/}" in flannel*) ;; *) continue ;; esac
  echo "link ${link##*/}"
done
ip -o address show 2>/dev/null | awk '$3 ~ /^inet/ { print "address", $2, $4 }'

if [ -z "$CRICTL" ]; then
  case "${active:-$known}" in
    k3s*) CRICTL="k3s crictl" ;;
    rke2*) CRICTL="/var/lib/rancher/rke2/bin/crictl --runtime-endpoint unix:///run/k3s/containerd/containerd.sock" ;;
    snap.microk8s*) CRICTL="crictl --runtime-endpoint unix:///var/snap/microk8s/common/run/containerd.sock" ;;
    k0s*) CRICTL="crictl --runtime-endpoint unix:///run/k0s/containerd.sock" ;;
    *) CRICTL=crictl ;;
  esac
fi
echo "crictl-command $CRICTL"
if answer=$($CRICTL --timeout 30s version 2>&1); then echo "crictl ok"; else echo "crictl failed $(printf '%s' "$answer" | tail -n 1)"; fi

for folder in $DISKS; do
  [ -d "$folder" ] || continue
  df -Pk "$folder" 2>/dev/null | awk -v f="$folder" 'NR == 2 { print "disk", f, $4, $2 }'
  df -Pi "$folder" 2>/dev/null | awk -v f="$folder" 'NR == 2 && $2 ~ /^[0-9]+$/ && $2 > 0 { print "inodes", f, $4, $2 }'
done
exit 0
