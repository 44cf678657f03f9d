# SPDX-License-Identifier: GPL-2.0
#
# examples.sh - the programs in examples/, in NASM and in C, sourced by run

# example NAME ARGUMENT...: its output in $work/out
example() {
	local status=0 name=$1
	shift

	as n1 "$ctl" run "$top/build/examples/$name" "$@" >"$work/out" 2>"$work/err" || status=$?
	[ $status = 0 ] || { echo "$name $*: exit status $status"; cat "$work/out" "$work/err"; return 1; }
}

test_pingpong() {
	example "$1" 5 n2 n1 || return
	cmp "$work/out" <(printf 'n2 1\nn1 2\nn2 3\nn1 4\nn2 5\n') || { cat "$work/out"; return 1; }
}

test_census() {
	local n

	example "$1" "${NODES[@]}" || return
	cmp <(sort "$work/out") <( (for n in "${NODES[@]}"; do echo "$n answers from $n"; done
		echo "${#NODES[@]} of ${#NODES[@]}") | sort) || { cat "$work/out"; return 1; }
}

# The counter goes on when the node that counts loses its power.
test_healing() {
	local runner status=0 last=${NODES[-1]}

	as n1 "$ctl" run "$top/build/examples/$1" 60 "$last" n2 >"$work/out" 2>"$work/err" &
	runner=$!
	for _ in $(seq 1200); do ! grep -q "^$last [12]0" "$work/out" || break; sleep 0.1; done
	sleep 1.5
	lab crash "$last"
	wait $runner || { echo "$1: exit status $?"; status=1; }
	cat "$work/out" "$work/err"
	# while it counted, or just as it was to begin
	grep -qE "^(died|cannot begin) on $last, goes on from " "$work/out" && [ "$(tail -n 1 "$work/out")" = "n2 60" ] || status=1
	lab boot "$last" && alive_again "$last" || return
	return $status
}

examples_tests() {
	add "ping-pong" test_pingpong pingpong
	$brief || add "ping-pong in C" test_pingpong pingpong-c
	add "census" test_census census
	$brief || add "census in C" test_census census-c
	add "a counter heals" test_healing healing
	$brief || add "a counter heals in C" test_healing healing-c
}
