# SPDX-License-Identifier: GPL-2.0
#
# signals.sh - signals that find their process, and processes that are bounded: to
# be sourced by run
#
# Signals go from any node to a process that is anywhere, and count once. rtcount
# counts them.

# counted SIG: how often that came, by $COUNTS, which must be whole.
counted() { on n1 awk -v s="$1" '$1 == s { n = $2 } END { print n + 0 }' "$COUNTS"; }

# start_rtcount: as start; COUNTS is what it writes.
start_rtcount() {
	COUNTS=$SHARED/rtcount.$count.counts
	start rtcount "$COUNTS"
}

# stop_rtcount: it ends well, and has written all of its counts.
stop_rtcount() { stop && on n1 grep -q '^end$' "$COUNTS"; }

# kill_many NODE SIG TIMES: that many, one after another; none may fail.
kill_many() {
	as "$1" sh -c 'i=0; while [ $i -lt "$3" ]; do
		"$0" kill -s "$2" "$1" || exit; i=$((i + 1)); done' "$ctl" "$GPID" "$2" "$3"
}

# Back and forth while every node signals it: each signal counts exactly once.
test_signals_while_moving() {
	local i n pids=() status=0 each=${1:-12}

	start_rtcount || return
	for n in "${NODES[@]}"; do
		kill_many "$n" $((40 + ${n#n})) "$each" >"$work/kill.$n" 2>&1 &
		pids+=($!)
	done
	for i in "${NODES[@]:1}" n1 n2 n1; do
		move "$i" || status=1
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}" || { echo "kills from ${NODES[i]}:"; cat "$work/kill.${NODES[i]}"; status=1; }
	done
	stop_rtcount || return
	for n in "${NODES[@]}"; do
		i=$(counted $((40 + ${n#n})))
		[ "$i" = "$each" ] || { echo "$n sent $each, $i came"; status=1; }
	done
	return $status
}

# Its home is cut off: the signal goes from node to node.
test_signals_home_cut_off() {
	local last=${NODES[-1]} status

	start_rtcount && move n2 || return
	lab net n1 cut
	as "$last" "$ctl" kill -s 50 "$GPID" >"$work/said" 2>&1
	status=$?
	lab net n1 heal
	[ $status = 0 ] || { echo "kill: exit status $status: $(cat "$work/said")"; return 1; }
	alive_again n2 && alive_again "$last" && stop_rtcount || return
	[ "$(counted 50)" = 1 ] || { echo "it came $(counted 50) times"; return 1; }
}

# Its host is cut off: ten seconds, and no word that it arrived.
test_signals_unconfirmed() {
	local said status begin took

	start counter && move n2 || return
	lab net n2 cut
	begin=$SECONDS
	said=$(as n1 "$ctl" kill -s TERM "$GPID" 2>&1)
	status=$? took=$((SECONDS - begin))
	lab net n2 heal
	[ $status = 1 ] && [[ $said == *"$GPID: unconfirmed"* ]] && ((took >= 9 && took <= 30)) ||
		{ echo "exit status $status after $took s: $said"; return 1; }
	alive_again n2 || return
	# late copies do not count: it is still there
	sleep 1
	[ "$(state)" = running ] || { echo "it is $(state)"; return 1; }
	stop
}

test_signals_nobody() {
	local said status

	said=$(as n2 "$ctl" kill n1.999999 2>&1)
	status=$?
	[ $status = 3 ] && [[ $said == *"n1.999999: no such process: there never was"* ]] ||
		{ echo "exit status $status: $said"; return 1; }
	start counter && stop || return
	said=$(as n2 "$ctl" kill "$GPID" 2>&1)
	status=$?
	[ $status = 3 ] && [[ $said == *"no such process: it has ended"* ]] ||
		{ echo "after its end: exit status $status: $said"; return 1; }
	# a line for each, and the others get it
	start counter || return
	said=$(as n2 "$ctl" kill -s TERM n1.999999 "$GPID" nowhere.5 2>&1)
	status=$?
	[ $status = 3 ] && [ "$(wc -l <<<"$said")" = 2 ] ||
		{ echo "exit status $status: $said"; return 1; }
	as n1 "$ctl" wait "$GPID"
	[ $? = 143 ] || { echo "the one that there is was not killed"; return 1; }
}

# -u, --all: whose they are; the own one of --all is spared.
test_signals_groups() {
	local mine theirs said status

	start counter && mine=$GPID && move n2 || return
	USER=daemon
	start counter && theirs=$GPID || return
	said=$(as n2 "$ctl" kill -s 0 "$mine" 2>&1)
	status=$?
	[ $status = 4 ] || { echo "a stranger's kill: exit status $status: $said"; return 1; }
	as n2 "$ctl" kill --all -s KILL || { echo "kill --all: exit status $?"; return 1; }
	as n1 "$ctl" wait "$theirs"
	[ $? = 137 ] || { echo "--all did not kill the caller's own"; return 1; }
	GPID=$mine
	[ "$(state)" = running ] || { echo "--all killed somebody else's"; return 1; }
	USER=nobody
	as n1 "$ctl" suspend --family "$mine" || return
	[ "$(state)" = suspended ] || { echo "suspend --family: it is $(state)"; return 1; }
	ctl n1 resume -u nobody || return
	[ "$(state)" = running ] || { echo "resume -u: it is $(state)"; return 1; }
	ctl n1 kill -u nobody -s TERM || return
	as n1 "$ctl" wait "$mine"
	[ $? = 143 ] || { echo "-u did not kill it"; return 1; }
	said=$(ctl n1 kill -u nobody -s TERM 2>&1)
	[ $? = 3 ] || { echo "nobody left to kill, but: $said"; return 1; }
}

# suspend and resume find it as signals do.
test_suspend_home_cut_off() {
	local last=${NODES[-1]} status

	start counter && move n2 || return
	lab net n1 cut
	as "$last" "$ctl" suspend "$GPID" && [ "$(state n2)" = suspended ] &&
		as n2 "$ctl" resume "$GPID" && [ "$(state n2)" = running ]
	status=$?
	lab net n1 heal
	[ $status = 0 ] || { echo "it is $(state n2)"; return 1; }
	alive_again n2 && stop
}

# ---- bounds ----

# ended REASON: the process $GPID was destroyed for that, and its record says so.
ended() {
	local said status

	said=$(as n1 "$ctl" wait -j "$GPID" 2>"$work/wait")
	status=$?
	[ $status = 137 ] && grep -q "\"end\": *\"$1\"" <<<"$said" && grep -q "($1)" "$work/wait" ||
		{ echo "wait: exit status $status: $said $(cat "$work/wait")"; return 1; }
	[ "$(field end)" = "$1" ] && ctl n1 ps -a "$GPID" | grep -q "ended ($1)" ||
		{ echo "ps -a does not say $1:"; ctl n1 ps -a "$GPID"; return 1; }
}

# Spins: its lease ends it, also when half of it was used elsewhere.
test_lease_spinning() {
	local run_options=(--lease 10s)

	start counter && move n2 || return
	ended lease
}

# Works: its lease is renewed by every line that it writes.
test_lease_working() {
	local i

	on n1 rm -f "$SHARED/lease.stop"
	GPID=$(as n1 "$ctl" run -d --lease 1s -- sh -c 'while [ ! -e "$0" ]; do i=0
		while [ $i -lt 500 ]; do i=$((i + 1)); done; echo line; done' "$SHARED/lease.stop") || return
	for ((i = 0; i < 120; i++)); do
		[ "$(state)" = running ] || break
		[ "$(field cpu_ms)" -lt 3000 ] || break
		sleep 0.5
	done
	[ "$(state)" = running ] && [ "$(field cpu_ms)" -ge 3000 ] ||
		{ echo "it is $(state) after $(field cpu_ms) ms of CPU"; return 1; }
	on n1 touch "$SHARED/lease.stop"
	as n1 "$ctl" wait "$GPID"
}

# hop NODE TTL: by the cluster; then so many are left.
hop() {
	local said

	said=$(ctl n1 migrate --cluster "$GPID" "$1" 2>&1) || { echo "migrate --cluster: $said"; return 1; }
	[ "$(field ttl)" = "$2" ] || { echo "ttl is $(field ttl), not $2"; return 1; }
}

# It never gets anything done: hops of the cluster are counted, an operator's are not.
test_ttl() {
	local said status

	GPID=$(as n1 "$ctl" run -d --ttl 2 -- sleep 600) || return
	move n2 && move n1 && [ "$(field ttl)" = 2 ] || { echo "ttl is $(field ttl)"; return 1; }
	hop n2 1 && hop n1 0 || return
	move n2 && move n1 || return
	as n1 "$ctl" migrate --cluster "$GPID" n2 >/dev/null 2>&1
	status=$?
	[ $status = 4 ] || { echo "a user counts hops: exit status $status"; return 1; }
	said=$(ctl n1 migrate --cluster "$GPID" n2 2>&1)
	status=$?
	[ $status = 1 ] && [[ $said == *"time to live is over"* ]] ||
		{ echo "exit status $status: $said"; return 1; }
	ended ttl
}

# What it says itself gives it all of its hops back, and so does some CPU time.
test_ttl_worked() {
	local i

	start worked && hop n2 31 && hop n1 30 || return
	as n1 "$ctl" kill -s USR1 "$GPID" || return
	for ((i = 0; i < 50; i++)); do
		[ "$(field ttl)" != 32 ] || break
		sleep 0.2
	done
	[ "$(field ttl)" = 32 ] || { echo "after WORKED, ttl is $(field ttl)"; return 1; }
	stop_by_term || return
	run_options=(--ttl 3)
	start counter && ctl n1 migrate --cluster "$GPID" n2 >/dev/null || return
	run_options=()
	for ((i = 0; i < 100; i++)); do
		[ "$(field ttl)" != 3 ] || break
		sleep 0.2
	done
	[ "$(field ttl)" = 3 ] || { echo "after some CPU time, ttl is $(field ttl)"; return 1; }
	stop
}

stop_by_term() {
	as n1 "$ctl" kill "$GPID" && as n1 "$ctl" wait "$GPID"
	[ $? = 0 ] && on n1 grep -q '^PASS$' "$OUT" || { on n1 cat "$OUT"; return 1; }
}

budget() { on n1 sh -c 'sed -i /family_budget/d /etc/continuum/continuum.conf
	[ -z "$0" ] || echo "family_budget = $0" >>/etc/continuum/continuum.conf' "$1" && ctl n1 reload; }

# A fork bomb stops itself, is told why, and so are others; a neighbour does not notice.
test_fork_bomb() {
	local neighbour out stop bomb status

	start counter || return
	neighbour=$GPID out=$OUT stop=$STOP
	budget 50 || return
	start forks
	status=$?
	bomb=$GPID
	budget ""
	[ $status = 0 ] || return
	says "$OUT" '^fork: Resource temporarily unavailable' || return
	on n1 sh -c 'for g in /sys/fs/cgroup/continuum/cap-*/process; do
		n=$(cat "$g/pids.current") && [ "$n" -le 50 ] || { echo "$g: $n"; exit 1; }; done' || return
	on n1 sh -c 'i=0; until dmesg | grep -q "process $0: its budget of processes"; do
		i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.2; done' "$bomb" ||
		{ echo "the kernel's log does not tell"; return 1; }
	on n1 "$ctl" explain "$bomb" | grep -q '^note: its budget of processes is used up' ||
		{ on n1 "$ctl" explain "$bomb"; return 1; }
	as n1 "$ctl" kill -s KILL "$bomb" || return
	as n1 "$ctl" wait "$bomb"
	GPID=$neighbour OUT=$out STOP=$stop
	[ "$(state)" = running ] && move n2 && stop || return
	! on n1 pgrep -x forks || { echo "children of the bomb are left"; return 1; }
}

signals_tests() {
	add "signals while it moves" test_signals_while_moving
	$brief || add "signals with its home cut off" test_signals_home_cut_off
	$brief || add "signals for nobody" test_signals_nobody
	$brief || add "signals for many" test_signals_groups
	add "lease of one that spins" test_lease_spinning
	$brief || add "time to live" test_ttl
	$brief || add "fork bomb" test_fork_bomb
	$brief || add "lease of one that works" test_lease_working
	$brief || add "time to live of one that works" test_ttl_worked
	$brief || add "signals unconfirmed" test_signals_unconfirmed
	$brief || add "suspend with its home cut off" test_suspend_home_cut_off
}
