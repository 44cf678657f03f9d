# SPDX-License-Identifier: GPL-2.0
#
# lib.sh - what the tests on virtual machines need, to be sourced by bash
#
#   . lib.sh; lab_begin KERNEL NODES; try NAME COMMAND...; lab_end
#
# The lab is $LAB. Programs run as USER (nobody) unless a test says otherwise, and
# see the directory $DIR, which all nodes share. A test is a command that returns
# 0; what it prints is shown if it does not. SLOW multiplies every time that is
# waited for (1; four times that on the debug kernel). 4 from it means: skipped, and the last
# line says why.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
bin=$top/build/selftests/vm
ctl=$top/build/tools/continuumctl
: "${LAB:=check-$$}"
USER=nobody
: "${BUILD:=module}"		# which build of the module
work=$(mktemp -d)
count=0 failed=0 skipped=0
NODES=()
: "${SLOW:=1}"

lab() { "$top/tools/lab/lab" -L "$LAB" "$@"; }

# on NODE COMMAND...: as root; as NODE COMMAND...: as $USER. Never for ever. Addresses
# are fixed, for speed; those of what continuumd starts are random, as anywhere.
on() { local n=$1; shift; timeout "${LIMIT:-$((120 * SLOW))}" "$top/tools/lab/lab" -L "$LAB" exec -F "$n" -- "$@" </dev/null; }
as() { local n=$1; shift; timeout "${LIMIT:-$((120 * SLOW))}" "$top/tools/lab/lab" -L "$LAB" exec -F -u "$USER" "$n" -- "$@" </dev/null; }
ctl() { local n=$1; shift; on "$n" "$ctl" "$@"; }

# ---- the lab ----

lab_begin() {
	KERNEL=$1
	local i mib=512

	if [ "$KERNEL" = debug ]; then
		mib=1024 SLOW=$((4 * SLOW))
		export LAB_BOOT_TIMEOUT=${LAB_BOOT_TIMEOUT:-600}
	fi

	for ((i = 1; i <= $2; i++)); do NODES+=("n$i"); done
	trap lab_end EXIT
	trap 'exit 143' TERM HUP
	trap 'exit 130' INT
	# nothing moves by itself but where a test wants it
	LAB_CONF="valve = no" lab up -n "$2" -k "$KERNEL" -m "${LAB_MIB:-$mib}" --cpus "${LAB_CPUS:-1}" \
		--build "$BUILD" >"$work/up" 2>&1 || return 1
	SHARED=/shared/test
	shared_here=${XDG_RUNTIME_DIR:-/tmp}/continuum-lab-$UID/$LAB/shared
	on n1 mkdir -m 1777 "$SHARED"
}

lab_end() {
	trap - EXIT
	lab down >/dev/null 2>&1
	rm -rf "$work"
}

# ---- the kernel's log ----

# Lines that no healthy kernel writes, of all nodes.
complaints='WARNING:|BUG:|Oops|general protection|[Ll]ockup|detected stall|self-detected|hung_task'
complaints+='|blocked for more than|refcount_t|Call Trace|sleeping function|scheduling while atomic'
complaints+='|bad frame from node'
complaints+='|list_(add|del) corruption|suspected memory leak|still has locks|unexpected.*continuum|KASAN|UBSAN'

# look: asks all nodes at once for their logs; $work/look.NODE has the complaints and
# ends with "up" if the node answers.
look() {
	local n asked=()

	for n in "${NODES[@]}"; do
		on "$n" sh -c 'dmesg | grep -E "$0"; echo up' "$complaints" >"$work/look.$n" 2>/dev/null &
		asked+=($!)
	done
	wait "${asked[@]}"
}

# The log is clean, but for what earlier tests have been blamed for. After look.
log_clean() {
	local now n

	now=$(for n in "${NODES[@]}"; do sed "\$ { /^up\$/d }; s/^/$n: /" "$work/look.$n"; done)
	[ "$now" != "$(cat "$work/logs" 2>/dev/null)" ] || return 0
	[ -n "$now" ] || { : >"$work/logs"; return 0; }
	echo "the kernel's log:"
	diff "$work/logs" - <<<"$now" 2>/dev/null | sed -n 's/^> //p' | head -n 20
	printf '%s\n' "$now" >"$work/logs"
	return 1
}

# Nodes that went down without being told to: shown, and started again. After look.
nodes_up() {
	local n status=0

	for n in "${NODES[@]}"; do
		[ "$(tail -n 1 "$work/look.$n")" != up ] || continue
		status=1
		echo "$n went down; the end of its console:"
		lab console "$n" | tail -n 60
		lab boot "$n"
	done
	return $status
}

# Programs that a test has left running, which would be in the way of all that follow.
left_running() {
	local i

	for ((i = 0; i < 10 * SLOW; i++)); do
		[[ $(ctl n1 ps -j 2>/dev/null) == *gpid* ]] || return 0
		sleep 1
	done
	echo "left running:"
	ctl n1 ps
	sweep
	return 1
}

# ---- tests ----

: >"$work/logs"

# What a failed test has left behind is not to disturb the next.
sweep() {
	local g

	for g in $(ctl n1 ps -j 2>/dev/null | tr "{" "\n" | sed -n 's/.*"gpid": *"\([^"]*\)".*/\1/p'); do
		ctl n1 kill -s KILL "$g"
	done >/dev/null 2>&1
}

# try NAME COMMAND...
try() {
	local name=$1 begin=$SECONDS status=0
	shift

	count=$((count + 1))
	("$@") >"$work/log" 2>&1 </dev/null || status=$?
	look
	nodes_up >>"$work/log" 2>&1 || status=1
	log_clean >>"$work/log" || status=1
	[ $status != 0 ] || left_running >>"$work/log" 2>&1 || status=1
	case $status in
	0) echo "ok $count $name" ;;
	4) skipped=$((skipped + 1)); echo "ok $count $name # SKIP $(tail -n 1 "$work/log")" ;;
	*)
		failed=$((failed + 1))
		sed 's/^/# /' "$work/log"
		echo "not ok $count $name"
		sweep
		;;
	esac
	[ ! -s "$work/notes" ] || sed 's/^/# /' "$work/notes"
	: >"$work/notes"
	((SECONDS - begin < 30)) || echo "# $name took $((SECONDS - begin)) s"
}

# note WORDS...: shown with the test's result, whatever that is.
note() { echo "$*" >>"$work/notes"; }
: >"$work/notes"

tries_end() {
	echo "# Totals: pass:$((count - failed - skipped)) fail:$failed skip:$skipped"
	((!failed)) || return 1
	((skipped < count)) || return 4
}

# fails COMMAND...: it has to fail, and not by a timeout or a signal.
fails() {
	local status=0

	"$@" || status=$?
	((status > 0 && status < 124)) || { echo "exit status $status: $*"; return 1; }
}

# goes_up NODE: after a down, with the module that the lab has for it.
goes_up() {
	LIMIT=300 ctl "$1" up --module "$top/build/$(on "$1" uname -r)/$BUILD/continuum.ko"
}

# ---- processes ----

# start PROGRAM [ARGUMENT...]: detached on n1, as $USER; sets GPID, OUT, STOP, and
# returns when it is "ready". It opens its output itself, on the shared file system.
start() {
	local name=$1
	shift

	run_nr=$((${run_nr:-0} + 1))
	OUT=$SHARED/$name.$count.$run_nr.out STOP=$SHARED/$name.$count.$run_nr.stop
	GPID=$(as n1 "$ctl" run -d "${run_options[@]}" -- \
		sh -c 'out=$0; exec "$@" >"$out" 2>&1' "$OUT" "$bin/$name" "$STOP" "$@") ||
		{ echo "run: exit status $?"; return 1; }
	says "$OUT" '^ready|^SKIP|^FAIL' || return
	! skip=$(grep ^SKIP "$(here "$OUT")") || { echo "${skip#SKIP }"; return 4; }
}
run_options=()

# here FILE: where this computer has a file of the nodes' shared directory. To look
# there costs no command on a node.
here() { echo "$shared_here${1#/shared}"; }

# says FILE PATTERN [SECONDS]: waits until a line of a node's file matches.
says() {
	local end=$((SECONDS + ${3:-30} * SLOW))

	if [[ $1 == "$SHARED"/* ]]; then
		until grep -qsE "$2" "$(here "$1")"; do
			((SECONDS < end)) || { echo "nothing like \"$2\" in $1:"; cat "$(here "$1")"; return 1; }
			sleep 0.1
		done
		return 0
	fi
	on "${NODE:-n1}" sh -c 'i=0; while ! grep -qE "$1" "$0" 2>/dev/null; do
		i=$((i + 1)); [ $i -lt "$2" ] || exit 1; sleep 0.1; done' "$1" "$2" "$((${3:-30} * 10 * SLOW))" && return
	echo "nothing like \"$2\" in $1:"
	on "${NODE:-n1}" cat "$1"
	return 1
}

# alive_again NODE: n1 sees it so.
alive_again() {
	local i

	for ((i = 0; i < 60 * SLOW; i++)); do
		! ctl n1 peers -j | tr '{' '\n' | grep "\"name\": *\"$1\"" | grep -q '"alive"' || return 0
		sleep 0.5
	done
	ctl n1 peers
	return 1
}

# move NODE: the process $GPID goes there, and is there.
move() {
	local said

	said=$(as n1 "$ctl" migrate "$GPID" "$1" 2>&1) || { echo "migrate $GPID $1: $said"; return 1; }
	[[ $said =~ ^"$GPID $1 "downtime_us=[0-9]+\ total_us=[0-9]+\ bytes=[0-9]+$ ]] ||
		{ echo "migrate said: $said"; return 1; }
	[ "$(host)" = "$1" ] || { echo "ps does not show it on $1: $(host)"; return 1; }
}

# A field of the process $GPID, as the node $1 (n1) shows it.
field() { ctl "${2:-n1}" ps -a -j "$GPID" | sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1; }
host() { field host "$@"; }
state() { field state "$@"; }

# stop [STATUS]: the program verifies and ends; it has to say PASS.
stop() {
	local status=0

	touch "$(here "$STOP")"
	as n1 "$ctl" wait "$GPID" >"$work/wait" 2>&1 || status=$?
	if [ "$status" = "${1:-0}" ] && grep -q '^PASS$' "$(here "$OUT")"; then
		return 0
	fi
	echo "wait $GPID: exit status $status, $(cat "$work/wait"); $OUT:"
	cat "$(here "$OUT")"
	[ "$status" != 124 ] || where_it_hangs
	return 1
}

# Each thread of $GPID: what it waits for, what signals it has, its timers.
where_it_hangs() {
	local node

	node=$(host)
	on "$node" sh -c 'cd "/proc/$0" || exit
		grep -H . timers
		for t in task/*; do
			grep -E "^(Name|State|SigPnd|ShdPnd|SigBlk):" "$t/status" | xargs echo "$t:"
			cat "$t/syscall" "$t/stack"
		done' "$(field pid "$node")" 2>&1 | sed "s/^/$node: /"
}

# ---- signals to late ----

# sends NODE US [PID]: queues signals to $GPID, which is on NODE, from now on, in the
# background; sent: until the process has gone from there, and notes their number.
sends() {
	on "$1" "$bin/late" send "${3:-$(field pid)}" "$2" "${sent_before:-0}" >"$work/sent" &
	sender=$!
}

sent() {
	wait $sender || { echo "the sender failed"; return 1; }
	sent_before=$(cat "$work/sent")
	on n1 sh -c 'echo "$1" >"$0.sent"' "$STOP" "$sent_before"
}

# wakes NODE: the process looks whether it is to stop.
wakes() {
	on n1 touch "$STOP"
	for _ in 1 2 3; do on "$1" pkill -RTMIN -x late; sleep 0.3; done
}

# travels PROGRAM [ARGUMENT...]: started, moved over all nodes and home, verified.
travels() {
	local n

	start "$@" || return
	for n in "${NODES[@]:1}" n1; do
		move "$n" || { cat "$(here "$OUT")"; ctl n1 ps; return 1; }
		! grep '^FAIL' "$(here "$OUT")" || return 1
	done
	stop
}
