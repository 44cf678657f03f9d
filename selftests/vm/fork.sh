# SPDX-License-Identifier: GPL-2.0
#
# fork.sh - processes that fork themselves over the cluster, sourced by run

# ends_well [SECONDS]: the program of the last start verifies by itself, says PASS and ends.
ends_well() {
	local status=0

	LIMIT=$((${1:-60} * SLOW)) as n1 "$ctl" wait "$GPID" >"$work/wait" 2>&1 || status=$?
	[ $status = 0 ] && grep -q '^PASS$' "$(here "$OUT")" && return
	echo "wait $GPID: exit status $status, $(cat "$work/wait"); $OUT:"
	cat "$(here "$OUT")"
	return 1
}

# family_of GPID: how many of its family live, as n1 knows; live NODE: processes there
family_of() {
	ctl n1 ps -j | python3 -c 'import json, sys
print(sum(p["family"] == sys.argv[1] for p in json.load(sys.stdin)))' "$1"
}

# capsules NODE: with a process in it
capsules() {
	on "$1" sh -c 'grep -l "populated 1" /sys/fs/cgroup/continuum/cap-*/process/cgroup.events 2>/dev/null | wc -l'
}

# Nobody has left anything: no process, no capsule but those that wait.
nothing_left() {
	local n

	becomes 30 '[]' sh -c "$(printf '%q ' "$top/tools/lab/lab" -L "$LAB" exec n1 -- "$ctl" ps -j) | tr -d ' \n'" || return
	for n in "${NODES[@]}"; do
		becomes 30 0 capsules "$n" || return
	done
}

# forks MODE COUNT [NODE...]: the program does that, and ends well
forks() {
	start "${fork_program:-dfork}" "$@" && ends_well "${fork_limit:-60}" && nothing_left
}

test_fork_each() { forks each $((2 * ${#NODES[@]})) "${NODES[@]}" && fork_program=dfork.static forks each 4; }
test_fork_threads() { forks threads "${#NODES[@]}" "${NODES[@]}"; }
test_fork_nest() { forks nest 2; }
test_fork_errors() { forks errors 2 "${NODES[@]:0:2}"; }

test_fork_refuses() {
	local what

	for what in pipe socketpair eventfd timerfd epoll memfd shared; do
		start dfork refuse $what && ends_well || return
		grep -q '^reason: .*cannot share' "$(here "$OUT")" || { cat "$(here "$OUT")"; return 1; }
	done
}

# What is no Continuum process cannot fork, and is told why.
test_fork_alone() {
	as n1 "$bin/dfork" /nowhere time 1 >"$work/alone"
	grep -q 'no Continuum process' "$work/alone" && return
	cat "$work/alone"
	return 1
}

# Children print to their parent's pipe, and to its terminal, at home.
test_fork_prints() {
	local n=${#NODES[@]} i

	as n1 sh -c '"$@" | cat' - "$ctl" run -- "$bin/dfork" /nowhere print "$n" "${NODES[@]}" >"$work/printed"
	timeout $((120 * SLOW)) "$top/tools/lab/lab" -L "$LAB" exec -t -u "$USER" n1 -- "$ctl" run -- \
		"$bin/dfork" /nowhere print "$n" "${NODES[@]}" </dev/null >"$work/printed.tty"
	for i in "$work/printed" "$work/printed.tty"; do
		[ "$(grep -cE 'child [0-9]+ prints' "$i")" = "$n" ] && grep -q PASS "$i" ||
			{ cat "$i"; return 1; }
	done
	nothing_left
}

# The parent is away from home; its home decides and keeps the records all the same.
test_fork_away() {
	local run_options=()

	start dfork move_each 4 n2 "${NODES[@]}" && ends_well && nothing_left
}

# A family that has no more room hears why, and others do not notice.
test_fork_budget() {
	local neighbour out stop status=0

	start counter || return
	neighbour=$GPID out=$OUT stop=$STOP
	ctl n1 set family_budget 12 || return
	start dfork bomb && says "$OUT" '^stopped: Resource temporarily unavailable: .*budget' 60 || status=1
	ctl n1 set family_budget 4096
	[ $status = 0 ] || return
	ends_well || return	# the first has said why, and ends: so do all others
	becomes 30 0 family_of "$GPID" || return
	GPID=$neighbour OUT=$out STOP=$stop
	stop && nothing_left
}

# When the first of a family ends, or is killed, so do all others, wherever they are.
test_fork_family_ends() {
	start dfork sleep 6 && says "$OUT" ^forked 60 || return
	[ "$(family_of "$GPID")" = 7 ] || { ctl n1 ps; return 1; }
	stop && nothing_left || return
	start dfork sleep 6 && says "$OUT" ^forked 60 || return
	as n1 "$ctl" kill -s KILL "$GPID" || return
	nothing_left || return
	run_options=(--linger)
	start dfork sleep 3 && says "$OUT" ^forked 60 && stop || return
	run_options=()
	sleep 3
	[ "$(family_of "$GPID")" = 3 ] || { echo "with --linger:"; ctl n1 ps; return 1; }
	as n1 "$ctl" kill --family "$GPID" || return
	nothing_left
}

# A node goes, and comes back: its children were lost, and their parent is told.
test_fork_host_lost() {
	local last=${NODES[-1]}

	start dfork lost 4 n1 "$last" && says "$OUT" ^forked 60 || return
	lab crash "$last" && lab boot "$last" && alive_again "$last" || return
	says "$OUT" "^ended 3 on $last" 60 || return
	becomes 30 3 family_of "$GPID" || return
	as n1 "$ctl" kill -s KILL "$GPID"
	nothing_left
}

# A node goes while children are being made there: each exists and is reported, or does not exist.
test_fork_host_crashes() {
	local last=${NODES[-1]} status=0

	start dfork crash 24 "${NODES[@]}" || return
	sleep 1.$((RANDOM % 10))
	lab crash "$last"
	lab boot "$last" && alive_again "$last" || return
	ends_well 240 && nothing_left
}

# The caller is killed while it forks, sooner and later: no child is left, half done or whole.
test_fork_killed() { slowly n2 killed_in_forks && nothing_left; }
killed_in_forks() {
	local after status early=0

	for after in 0.2 0.8 1.6 3; do
		start dfork sleep 9 "${NODES[@]}" || return
		sleep "$after"
		grep -q ^forked "$(here "$OUT")" || early=$((early + 1))
		as n1 "$ctl" kill -s KILL "$GPID" || return
		status=0
		as n1 "$ctl" wait "$GPID" || status=$?
		[ $status = 137 ] || { echo "wait: exit status $status, not 137"; return 1; }
	done
	note "$early of 4 were killed in the call"
	((early))
}

# who_lives NODE...: as home knows them, and as they have capsules, when both agree
who_lives() {
	local n known there

	for n in "$@"; do
		known=$(ctl n1 ps -j | python3 -c 'import json, sys
print(sum(p["host"] == sys.argv[1] and p["state"] == "running" for p in json.load(sys.stdin)))' "$n")
		there=$(capsules "$n")
		[ "$known" = "$there" ] || { echo "$n: $known known, $there there"; return; }
	done
	echo agreed
}

# Away from home, the node of the caller loses its power while it forks: home knows who lives.
test_fork_caller_crashes() {
	local after last=${NODES[-1]} run_options=(--linger)

	for after in 0.5 2; do
		start dfork move_sleep 12 n2 n1 "$last" && says "$OUT" ^moved || return
		slowly "$last" crash_after "$after" n2 || return
		becomes 60 missing blocks_of n2 blocks && becomes 60 agreed who_lives n1 "$last" || return
		note "$(($(capsules n1) + $(capsules "$last"))) of 12 lived"
		lab boot n2 && alive_again n2 || return
		as n1 "$ctl" kill --family "$GPID"
		nothing_left || return
	done
}
crash_after() { sleep "$1"; lab crash "$2"; }

# Home is cut off while children ask it whether they may start: each exists and is
# reported, or does not exist, once it is back.
test_fork_home_cut() {
	local after last=${NODES[-1]} status=0

	for after in 0.5 2; do
		start dfork move_crash 12 n2 n2 "$last" && says "$OUT" ^moved || return
		slowly n1 cut_after "$after" n1 || return
		alive_again n2 && alive_again "$last" && ends_well 240 && nothing_left || return
		note "$(grep ^made "$(here "$OUT")")"
	done
}

cut_after() { sleep "$1"; lab net "$2" cut; sleep 12; }

# Many. How long it takes beside fork and exec of the same on one node is noted; see also
# selftests/bench/forks.
test_fork_many() {
	local n=${FORK_MANY:-300} spawned forked

	fork_program=dfork.static fork_limit=400 forks spawn $((n / 3)) || return
	spawned=$(sed -n 's/^spawned .* all_ms //p' "$(here "$OUT")")
	fork_program=dfork.static fork_limit=400 forks time "$n" || return
	forked=$(sed -n 's/^children .* all_ms //p' "$(here "$OUT")")
	note "$n children: $forked ms, fork and exec of as many on one node: $((spawned * 3)) ms"
}

fork_tests() {
	add "fork onto nodes" test_fork_each
	add "fork with threads" test_fork_threads
	add "children fork" test_fork_nest
	add "fork and bad input" test_fork_errors
	$brief || add "fork refuses what cannot be shared" test_fork_refuses
	$brief || add "fork outside of the cluster" test_fork_alone
	add "children print at home" test_fork_prints
	add "fork away from home" test_fork_away
	add "fork bomb in the cluster" test_fork_budget
	add "families end together" test_fork_family_ends
	$brief || add "many children" test_fork_many
	add "children are lost with their host" test_fork_host_lost
	add "a node crashes during a fork" test_fork_host_crashes
	add "killed while it forks" test_fork_killed
	add "the forking node crashes" test_fork_caller_crashes
	add "home is cut off during a fork" test_fork_home_cut
}
