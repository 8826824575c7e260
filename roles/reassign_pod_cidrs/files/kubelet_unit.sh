# shellcheck shell=sh
# Stops or starts the unit of the kubelet, and prints what it changes; with MODE=plan it only prints.
# While it is stopped it is disabled as well: on a host that is started again meanwhile, the kubelet would register its Node
# by itself, schedulable and before anybody has looked at it. A marker remembers that it was enabled; whatever moment the
# power fails at, the unit is enabled in the end if it was so before. By hand it can be started at any time.
# Environment: UNIT, and ACT: stop, enable, start (which enables it as well), or restart (the same, and a kubelet that
# somebody else has started meanwhile has read what was there before).
set -eu
export LC_ALL=C
marker=/var/lib/podnet-upkeep/enable-$UNIT

apply() { [ "$MODE" = plan ] || "$@"; }
state() { systemctl "$1" "$UNIT" 2> /dev/null || true; }

case "$ACT" in
  stop)
    if [ "$(state is-enabled)" = enabled ]; then
      apply mkdir -p "${marker%/*}"
      apply touch "$marker"
      apply sync "$marker"
      apply systemctl disable --quiet "$UNIT"
      echo "disable $UNIT"
    fi
    case "$(state is-active)" in
      inactive) ;;
      *)
        apply systemctl stop "$UNIT"
        echo "stop $UNIT"
        ;;
    esac
    ;;
  enable | start | restart)
    if [ -e "$marker" ]; then
      apply systemctl enable --quiet "$UNIT"
      apply rm "$marker"
      echo "enable $UNIT"
    fi
    active=$(state is-active)
    if [ "$ACT" = restart ] && [ "$active" = active ]; then
      apply systemctl restart "$UNIT"
      echo "restart $UNIT"
    elif [ "$ACT" != enable ] && [ "$active" != active ]; then
      apply systemctl start "$UNIT"
      echo "start $UNIT"
    fi
    ;;
esac
