# SPDX-License-Identifier: GPL-2.0
#
# balance.sh - the cluster moves work by itself; drain; ticks. Sourced by run.
#
# LONG=1: watches two minutes for what should not move, not twenty seconds.

# everywhere COMMAND...: continuumctl on all nodes
everywhere() {
	local n

	for n in "${NODES[@]}"; do
		ctl "$n" "$@" || return
	done
}

# valve_open FUNCTION...: the nodes may act by themselves meanwhile
valve_open() {
	local status=0

	everywhere set valve on || return
	"$@" || status=$?
	everywhere set valve off || return
	return $status
}

# spread: how many processes run on each node, as n1 sees it: "2 2 2"
spread() {
	ctl n1 ps -j | tr '{' '\n' | sed -n 's/.*"state": *"\([a-z]*\)".*"host": *"\([^"]*\)".*/\1 \2/p' |
		awk -v nodes="${NODES[*]}" '
			$1 == "running" { n[$2]++ }
			END { c = split(nodes, v, " "); for (i = 1; i <= c; i++) printf "%d%s", n[v[i]], i < c ? " " : "\n" }'
}

# moves: how often the process that has moved most has
hops() { ctl n1 ps -j | tr '{' '\n' | sed -n 's/.*"hops": *\([0-9]*\).*/\1/p' | sort -n; }

# A number of `status -j` of a node.
counter() { ctl "$1" status -j | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$2\": *\([0-9.]*\).*/\1/p" | head -n 1; }
word() { ctl "$1" status -j | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$2\": *\"\(.*\)\".*/\1/p" | head -n 1; }

# hogs N: CPU-bound programs on n1, in GPIDS; each notes that it goes on
hogs() {
	local i

	GPIDS=()
	for ((i = 0; i < $1; i++)); do
		GPIDS+=("$(as n1 "$ctl" run -d -- sh -c 'while :; do :; done')") || return
	done
}

end_all() {
	local g

	for g in "${GPIDS[@]}"; do
		as n1 "$ctl" kill -s KILL "$g" || return
	done
	GPIDS=()
}

# ---- the valve ----

# even N...: no node has two more than another one should have: 1 to 3 of two each.
even() {
	local n

	for n in "$@"; do
		((n >= 1 && n <= 3)) || return 1
	done
}

# Twice as many programs as nodes, all started on one: soon two on each, and then rest.
# To look at an emulated node takes a good part of it, which the valve sees as well: so
# it is looked at seldom, and with one more or less on a node the valve is right, too.
spread_out() {
	local n=$((2 * ${#NODES[@]})) want begin now seen="" i before

	want=$(printf '2 %.0s' "${NODES[@]}")
	want=${want% }
	hogs "$n" || return
	begin=$SECONDS
	# ten seconds of a real node's time: an emulated one's handoff takes several
	while ((SECONDS - begin < ${BALANCE_S:-45})); do
		now=$(spread)
		[ "$now" = "$seen" ] || echo "after $((SECONDS - begin)) s: $now"
		seen=$now
		[ "$now" != "$want" ] || break
		sleep 5
	done
	# shellcheck disable=SC2086
	even $seen || { ctl n1 peers; ctl n1 ps; for i in "${NODES[@]}"; do ctl "$i" status; done; return 1; }
	[ "$(hops | tail -n 1)" -le 2 ] || { echo "moved more than twice:"; ctl n1 ps; return 1; }
	sleep 5				# what was begun may end
	before=$(hops | awk '{ n += $1 } END { print n }')
	sleep "${LONG:+1}20"
	now=$(hops | awk '{ n += $1 } END { print n }')
	((now - before <= 1)) || { echo "hops were $before and are $now"; ctl n1 ps; return 1; }
	# shellcheck disable=SC2046
	even $(spread) || { echo "it did not stay so: $(spread)"; ctl n1 ps; return 1; }
	[ "$(counter n1 valve_moved)" -ge $((n - 3)) ] || { echo "n1 does not count it:"; ctl n1 status; return 1; }
}

test_spread() {
	local status=0

	valve_open spread_out || status=$?
	end_all || return
	return $status
}

# A pinned process stays, whatever happens; unpinned it goes.
pin_holds() {
	local i

	hogs 3 || return
	for i in "${GPIDS[@]}"; do
		as n1 "$ctl" set "$i" pin on || return
	done
	everywhere set valve on || return
	sleep 6
	[ "$(spread | cut -d ' ' -f 1)" = 3 ] || { echo "pinned, and yet: $(spread)"; return 1; }
	[ "$(word n1 mode)" = ejecting ] || { echo "n1 is $(word n1 mode), not ejecting"; ctl n1 status; return 1; }
	as n1 "$ctl" explain "${GPIDS[0]}" | grep -q pinned || { echo "explain does not say so"; return 1; }
	USER=daemon fails as n1 "$ctl" set "${GPIDS[0]}" pin off || return
	as n1 "$ctl" set "${GPIDS[0]}" pin off || return
	for ((i = 0; i < 60; i++)); do
		[ "$(spread | cut -d ' ' -f 1)" = 3 ] || return 0
		sleep 0.5
	done
	echo "unpinned, it does not go"
	ctl n1 status
	return 1
}

test_pin() {
	local status=0

	pin_holds || status=$?
	everywhere set valve off
	end_all || return
	return $status
}

# Memory runs short on n1: one of those that have it leaves before the kernel kills.
relieve() {
	local i killed

	# filled slowly; all together they are more than the 512 MiB of a node
	for ((i = 0; i < 5; i++)); do
		GPIDS+=("$(as n1 "$ctl" run -d -- python3 -c '
import time, sys
held = []
for _ in range(85):
    held.append(bytearray(b"x" * (1 << 20)))
    time.sleep(0.7)
time.sleep(600)')") || return
		sleep 1
	done
	for ((i = 0; i < 240; i++)); do
		killed=$(on n1 dmesg | grep -c 'Out of memory\|oom-kill')
		[ "$killed" = 0 ] || { echo "the OOM killer was faster"; ctl n1 status; return 1; }
		if [ "$(spread | cut -d ' ' -f 1)" -lt 5 ] && [ "$(word n1 mode)" = normal ]; then
			break
		fi
		sleep 0.5
	done
	[ "$(spread | cut -d ' ' -f 1)" -lt 5 ] || { echo "nobody left"; ctl n1 status; ctl n1 peers; return 1; }
	for i in "${GPIDS[@]}"; do
		GPID=$i
		[ "$(state)" = running ] || { echo "$i is $(state)"; return 1; }
	done
}

test_memory_pressure() {
	local status=0

	GPIDS=()
	# emulated machines encrypt at a crawl: no node fills up so slowly
	everywhere set encrypt off || return
	valve_open relieve || status=$?
	end_all || status=1
	everywhere set encrypt on || return
	return $status
}

# ---- drain ----

test_drain() {
	local i n=${DRAIN:-20} status=0 said sleeper last

	GPIDS=()
	for ((i = 1; i < n; i++)); do
		GPIDS+=("$(as n1 "$ctl" run -d -- sleep 900)") || return
	done
	# one with a pipe that stays here, and one that is pinned
	as n1 sh -c '"$0" run -- sh -c "echo \$\$; exec sleep 900" | cat >/tmp/drain.pipe' "$ctl" >"$work/pipe" 2>&1 &
	sleeper=$!
	GPIDS+=("$(as n1 "$ctl" run -d --pin -- sleep 900)") || return
	for ((i = 0; i < 60; i++)); do
		[ "$(spread | cut -d ' ' -f 1)" = $((n + 1)) ] && break
		sleep 0.5
	done
	fails ctl n1 drain nonsense || return
	LIMIT=300 ctl n1 drain >"$work/said" 2>&1 || status=$?
	said=$(cat "$work/said")
	[ $status = 1 ] && grep -q "1 process is left" <<<"$said" || { echo "exit status $status: $said"; return 1; }
	grep -q "stays behind: .*pipe" <<<"$said" || { echo "no descriptor is named: $said"; return 1; }
	grep -q "is left: it is pinned" <<<"$said" || { echo "the pinned one is not named: $said"; return 1; }
	[ "$(grep -c "moved to n[23]" <<<"$said")" = "$n" ] || { echo "not $n moved: $said"; return 1; }
	[ "$(word n1 mode)" = draining ] || return
	fails as n1 "$ctl" migrate "${GPIDS[0]}" n1 || return	# nothing lands meanwhile
	LIMIT=300 ctl n1 drain --force || { echo "not with --force either"; return 1; }
	[ "$(counter n1 processes)" = 0 ] || { ctl n1 status; return 1; }
	ctl n1 drain off || return
	[ "$(word n1 mode)" = normal ] || return
	# none is lost
	[ "$(ctl n1 ps -j | grep -o '"state": *"running"' | wc -l)" = $((n + 1)) ] || { ctl n1 ps; return 1; }
	last=$(ctl n1 ps | awk '$NF == "sleep" || $NF == "sh" { print $1 }')
	for i in $last; do
		ctl n1 kill -s KILL "$i" || return
	done
	GPIDS=()
	wait $sleeper
	return 0
}

# The daemon's end empties the node first, and the next one takes over.
test_stop_drains() {
	local i

	GPIDS=("$(as n2 "$ctl" run -d -- sleep 900)") || return
	on n2 sh -c 'kill -TERM $(cat /run/continuum/continuumd.pid)' || return
	for ((i = 0; i < 120; i++)); do
		on n2 sh -c '! pgrep -x continuumd' >/dev/null && break
		sleep 0.5
	done
	GPID=${GPIDS[0]}
	[[ "$(host)" = n[13] ]] || { echo "it is on $(host), $(state)"; on n2 cat /var/log/continuum/continuumd.log; return 1; }
	ctl n2 up || return
	alive_again n2 || return
	end_all
}

# ---- settings ----

test_settings() {
	local said

	ctl n1 set t_high 150 || return
	[ "$(ctl n1 get t_high)" = 150 ] || { ctl n1 get; return 1; }
	said=$(ctl n1 set t_low 160 2>&1) && { echo "thresholds out of order were taken"; return 1; }
	grep -q 't_low must be below t_high' <<<"$said" || { echo "said: $said"; return 1; }
	[ "$(ctl n1 get t_low)" = 100 ] || { ctl n1 get; return 1; }
	fails ctl n1 set t_high 301 || return
	fails ctl n1 set t_high much || return
	fails as n1 "$ctl" set t_high 200 || return		# not an administrator
	ctl n1 set t_high 290 t_low 190 || return		# both at once
	[ "$(ctl n1 get t_low)" = 190 ] || { ctl n1 get; return 1; }
	ctl n1 set t_high 180 t_low 100 || return
	ctl n1 get -j | python3 -m json.tool >/dev/null
}

# ---- ticks ----

tick_parameter=/sys/module/continuum/parameters/tick

tick_from() { on n1 sh -c 'echo "$1" >"$0"' $tick_parameter "$1"; }

# hits_grow: ticks hit the process that runs
hits_grow() {
	local first

	first=$(counter n1 tick_hits)
	sleep 2
	[ "$(counter n1 tick_hits)" -gt "$first" ] || { echo "$1: no tick hits it"; ctl n1 status -j; return 1; }
}

test_ticks() {
	local i status=0

	hogs 2 || return
	{
		[ "$(word n1 tick)" = ftrace ] && hits_grow ftrace &&
		tick_from hrtimer && [ "$(word n1 tick)" = hrtimer ] && hits_grow hrtimer &&
		# under load, to and fro
		for i in 1 2 3 4 5 6; do
			tick_from ftrace && tick_from hrtimer || break
		done && [ "$(word n1 tick)" = hrtimer ] &&
		tick_from auto && [ "$(word n1 tick)" = ftrace ] && hits_grow auto
	} || { status=1; ctl n1 status; }
	end_all || return
	return $status
}

# Somebody switches ftrace off: the timer takes over, and status says why.
test_tick_fallback() {
	local i status=1

	hogs 1 || return
	on n1 sysctl -qw kernel.ftrace_enabled=0 || return
	for ((i = 0; i < 60; i++)); do
		[ "$(word n1 tick)" != hrtimer ] || { status=0; break; }
		sleep 0.5
	done
	[ $status = 0 ] && [[ "$(word n1 tick_why)" = ftrace:* ]] && hits_grow fallback || { status=1; ctl n1 status; }
	on n1 sysctl -qw kernel.ftrace_enabled=1
	tick_from auto || return
	[ "$(word n1 tick)" = ftrace ] || status=1
	end_all || return
	return $status
}

# The module goes and comes while all CPUs are busy, with either source of ticks.
test_reload_under_load() {
	local m last=${NODES[-1]} ko

	ko=$top/build/$(on "$last" uname -r)/$BUILD/continuum.ko
	on "$last" sh -c '(while :; do :; done) & echo $! >/tmp/busy' || return
	for m in ftrace hrtimer auto; do
		LIMIT=300 ctl "$last" down || return
		on "$last" insmod "$ko" tick=$m || return
		LIMIT=300 ctl "$last" up || return
		[ "$(word "$last" tick)" = "${m/auto/ftrace}" ] || { ctl "$last" status; return 1; }
	done
	on "$last" sh -c 'kill $(cat /tmp/busy)'
	fails on "$last" insmod "$ko" tick=nonsense || return
	alive_again "$last"
}

balance_tests() {
	$brief || add "settings of the valve" test_settings
	add "ticks from ftrace and from timers" test_ticks
	add "ticks without ftrace" test_tick_fallback
	add "balance: work spreads out" test_spread
	$brief || add "balance: pinned" test_pin
	$brief || add "balance: memory pressure" test_memory_pressure
	$brief || add "drain" test_drain
	$brief || add "drain at the daemon's end" test_stop_drains
	$brief || add "module reloaded under load" test_reload_under_load
}
