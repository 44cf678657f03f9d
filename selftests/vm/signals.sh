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

	start calls still && move n2 || return
	lab net n1 cut
	as "$last" "$ctl" suspend "$GPID" && [ "$(state n2)" = suspended ] &&
		as n2 "$ctl" resume "$GPID" && [ "$(state n2)" = running ]
	status=$?
	lab net n1 heal
	[ $status = 0 ] || { echo "it is $(state n2)"; return 1; }
	alive_again n2 && stop
}

signals_tests() {
	add "signals while it moves" test_signals_while_moving
	add "signals with its home cut off" test_signals_home_cut_off
	add "signals for nobody" test_signals_nobody
	add "signals for many" test_signals_groups
	$brief || add "signals unconfirmed" test_signals_unconfirmed
	$brief || add "suspend with its home cut off" test_suspend_home_cut_off
}
