# SPDX-License-Identifier: GPL-2.0
#
# console.sh - what the operator looks at: events, metrics, top; sourced by run
#
# For each its text, its JSON where there is one, a wrong argument, and what an
# ordinary user may.

# events_begin FILE [OPTION...]: as $USER on n1, into a file that the nodes share
events_begin() {
	local out=$1 i
	shift

	as n1 sh -c 'echo $$ >"$0.pid"; exec "$@" >"$0" 2>&1' "$out" "$ctl" events "$@" &
	events_pid=$!
	for ((i = 0; i < 50 * SLOW; i++)); do
		# it has joined a group of generic netlink (16)
		! on n1 sh -c 'awk -v pid="$(cat "$0.pid")" '\''$2 == 16 && $3 == pid && $4 != "00000000" { n++ }
			END { exit !n }'\'' /proc/net/netlink' "$out" || return 0
		sleep 0.2
	done
	echo "events does not begin to listen"
	return 1
}

# events_end FILE SIGNAL: it has to end, with 0
events_end() {
	local status=0

	on n1 sh -c 'kill -s "$1" "$(cat "$0.pid")"' "$1" "$2"
	wait "$events_pid" || status=$?
	[ $status = 0 ] || { echo "events: exit status $status at $2: $(cat "$(here "$1")")"; return 1; }
}

# The life of a process, as an ordinary user sees it; the lines come while it listens.
test_events() {
	local out=$SHARED/events.$count line='^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{3}  '

	events_begin "$out" || return
	start counter && move n2 || return
	says "$out" "${line}started   $GPID +on n1\$" && says "$out" "${line}moved     $GPID +to n2\$" || return
	fails as n1 "$ctl" migrate "$GPID" n2 || return
	stop && says "$out" "${line}ended     $GPID +on n2\$" && events_end "$out" INT || return
	says_status 2 events too much && says_status 2 events --nonsense
}

test_events_json() {
	local out=$SHARED/events.$count

	events_begin "$out" -j || return
	start counter && stop && says "$out" '"ended"' && events_end "$out" TERM || return
	python3 - "$(here "$out")" "$GPID" <<'END'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
ours = [e for e in events if e["gpid"] == sys.argv[2]]
assert all(list(e) == ["time", "time_ms", "event", "gpid", "node", "text", "seq", "stream"] for e in events), events
assert [(e["event"], e["node"]) for e in ours] == [("started", "n1"), ("ended", "n1")], events
assert [e["seq"] for e in events] == list(range(events[0]["seq"], events[-1]["seq"] + 1)), events
assert len({e["stream"] for e in events}) == 1 and int(events[0]["stream"], 16), events
assert ours[0]["time"].endswith("Z") and 0 <= ours[1]["time_ms"] - ours[0]["time_ms"] < 1e6, ours
END
}

# A reader that is stopped, with a small buffer: it gets what it missed from the module.
test_events_missed() {
	local out=$SHARED/events.$count was

	was=$(on n1 cat /proc/sys/net/core/rmem_default)
	on n1 sh -c 'echo 2304 >/proc/sys/net/core/rmem_default'
	events_begin "$out" -j
	local status=$?
	on n1 sh -c 'echo "$0" >/proc/sys/net/core/rmem_default' "$was"
	[ $status = 0 ] || return
	on n1 sh -c 'kill -STOP "$(cat "$0.pid")"; i=0
		while [ $i -lt 12 ]; do "$1" run true || exit; i=$((i + 1)); done
		kill -CONT "$(cat "$0.pid")"' "$out" "$ctl" || return
	start counter && says "$out" "started\".*$GPID" && stop && events_end "$out" TERM || return
	python3 - "$(here "$out")" <<'END'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
assert [e["seq"] for e in events] == list(range(events[0]["seq"], events[0]["seq"] + len(events))), events
assert sum(e["event"] == "started" for e in events) >= 13 and all(e["event"] != "missed" for e in events), events
END
}

# numbers FILE: "first last missed" of what events -j wrote
numbers() {
	python3 - "$1" <<'END'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
seen = [e["seq"] for e in events if e["event"] != "missed"]
missed = [e["text"] for e in events if e["event"] == "missed"]
assert seen == list(range(seen[0], seen[-1] + 1)), seen
print(seen[0], seen[-1], *missed)
END
}

# since NODE N: what is kept behind N
since() { on "$1" sh -c 'timeout 3 "$0" events -j --since "$1"; true' "$ctl" "$2" >"$work/since" && numbers "$work/since"; }

# Where a reader was it goes on; what the module does not keep, it says; and that it is another one.
test_events_since() {
	local last=${NODES[-1]} first newest stream said

	start counter && stop || return
	read -r first newest said < <(since n1 0)
	stream=$(sed -n 's/.*"stream": *"\([^"]*\)".*/\1/p' "$work/since" | tail -n 1)
	[ "$first $said" = "1 " ] && ((newest >= 2)) || { cat "$work/since"; return 1; }
	[ "$(since n1 "$stream:$((newest - 1))")" = "$newest $newest" ] || { cat "$work/since"; return 1; }
	since n1 "1234:$((newest - 1))" | grep -q '^1 .*loaded anew' || { cat "$work/since"; return 1; }
	says_status 2 events --since x && says_status 2 events --since 1:2:3 || return
	# one that keeps 16 only
	ctl "$last" down || return
	on "$last" insmod "$top/build/$(on "$last" uname -r)/$BUILD/continuum.ko" events_kept=1 && goes_up "$last" || return
	alive_again "$last" || return
	on "$last" sh -c 'i=0; while [ $i -lt 10 ]; do "$0" run true || exit; i=$((i + 1)); done' "$ctl" || return
	since "$last" 2 | grep -qE '^[0-9]+ [0-9]+ 3 to [0-9]+ are lost' || { cat "$work/since"; return 1; }
	(($(wc -l <"$work/since") == 17))
}

# A pipe whose reader goes ends it, though nothing happens; a namespace without the
# module is told so.
test_events_ends() {
	as n1 timeout $((10 * SLOW)) bash -c '"$0" events | sleep 1' "$ctl" ||
		{ echo "it does not see that its reader is gone"; return 1; }
	on n1 unshare -n "$ctl" events >"$work/said" 2>&1 && { echo "no error in a network namespace"; return 1; }
	grep -q 'network namespace' "$work/said" || { cat "$work/said"; return 1; }
}

# When the module goes, it says so and fails: there will never be another event.
test_events_unloaded() {
	local last=${NODES[-1]} status=0 listener

	on "$last" sh -c 'exec "$0" events 2>&1' "$ctl" >"$work/said" &
	listener=$!
	sleep 2
	ctl "$last" down || return
	wait $listener || status=$?
	[ $status = 1 ] && grep -q 'unloaded' "$work/said" || { echo "exit status $status: $(cat "$work/said")"; return 1; }
	goes_up "$last" && alive_again "$last"
}

# metric NAME: its value on n1
metric() { awk -v name="$1 " 'index($0, name) == 1 { print $NF }' "$work/metrics"; }

test_metrics() {
	local out=$SHARED/metrics.$count

	start counter && move n2 || return
	as n1 "$ctl" metrics >"$work/metrics" || return
	[ "$(metric continuum_up)" = 1 ] && [ "$(metric 'continuum_peers{state="alive"}')" = $((${#NODES[@]} - 1)) ] &&
		(($(metric continuum_handoff_out_total) > 0)) && [ "$(metric 'continuum_peer_up{peer="n2"}')" = 1 ] ||
		{ cat "$work/metrics"; return 1; }
	as n2 "$ctl" metrics -p >"$work/metrics" || return
	grep -qF "continuum_process_resident_memory_bytes{gpid=\"$GPID\"," "$work/metrics" ||
		{ cat "$work/metrics"; return 1; }
	stop || return
	on n1 "$ctl" metrics -o "$out" && grep -q '^continuum_up 1$' "$(here "$out")" || return
	[ "$(on n1 sh -c 'stat -c %a "$0"; ls "$0"*' "$out" | xargs)" = "644 $out" ] || return
	# an ordinary user: in a directory of root's
	as n1 "$ctl" metrics -o /metrics >"$work/said" 2>&1
	[ $? = 4 ] && grep -q 'Permission denied' "$work/said" || { cat "$work/said"; return 1; }
	says_status 2 metrics -o && says_status 2 metrics too much
}

# A picture of a move and a signal, and the same again from the record and from events -j.
test_report() {
	local out=$SHARED/report.$count watcher events=$SHARED/events.$count

	events_begin "$events" -j || return
	on n1 sh -c '"$1" report -r "$0" -o "$0.svg" 2>"$0.err" & echo $! >"$0.pid"; wait' "$out" "$ctl" &
	watcher=$!
	says "$out" '"sample"' && start counter && move n2 && as n1 "$ctl" kill -s CONT "$GPID" && sleep $((2 * SLOW)) ||
		return
	on n1 sh -c 'kill "$(cat "$0.pid")"' "$out"
	wait $watcher || { cat "$(here "$out.err")"; return 1; }
	stop && events_end "$events" TERM || return
	"$ctl" report -o "$work/again.svg" "$(here "$out")" && cmp "$work/again.svg" "$(here "$out.svg")" || return
	"$ctl" report "$(here "$events")" >"$work/events.svg" || return
	python3 - "$GPID" "$work/again.svg" "$work/events.svg" "${NODES[@]}" <<'END' || return
import sys, xml.etree.ElementTree as tree
gpid, *files = sys.argv[1:4]
for file in files:
    svg = tree.parse(file).getroot()
    lines = [p for p in svg.iter("{http://www.w3.org/2000/svg}path") if p.get("class") == "process"
             and p[0].text.startswith(gpid + " ")]
    assert [p[0].text.split(" on ")[1].split(",")[0] for p in lines] == ["n1", "n2"], file
    assert "L" in lines[0].get("d"), "the move is no line"
    titles = [t.text for t in svg.iter("{http://www.w3.org/2000/svg}title")]
    assert f"{gpid}: signal 18" in titles and f"{gpid}: started" in titles, titles
    assert not any(a.endswith("href") for e in svg.iter() for a in e.keys()), "not self-contained"
picture = open(files[0]).read()
assert all(f">{n}<" in picture for n in sys.argv[4:]) and picture.count('class="cpu"') > len(sys.argv[4:]), picture
END
	says_status 2 report -d never && says_status 2 report -d 5s "$out" && says_status 3 report /nonexistent &&
	says_status 1 report /etc/hostname && grep -q 'line 1: not an event' "$work/said" || return
	as n1 "$ctl" report -d 1s -o /picture >"$work/said" 2>&1
	[ $? = 4 ] && grep -q 'Permission denied' "$work/said" || { cat "$work/said"; return 1; }
}

# fits NAME FILE [lines]: see schema
fits() {
	"$top/selftests/vm/schema" "$@" || return
	fitted+=("$1")
}

# fits_now NAME COMMAND...: what continuumctl says on n1, as an ordinary user
fits_now() {
	local name=$1
	shift

	as n1 "$ctl" "$@" >"$work/json" || { echo "$*: exit status $?"; return 1; }
	fits "$name" "$work/json"
}

# Every output of -j is what its schema in tools/schema says, and each of these is tried.
test_schemas() {
	local out=$SHARED/schema.$count block fitted=() events

	events_begin "$out.events" -j || return
	on n1 sh -c 'exec "$1" trace -j -n 1 >"$0" 2>"$0.err"' "$out.trace" "$ctl" &
	local tracer=$!
	says "$out.trace.err" '^tracing$' || return
	on n1 "$ctl" report -d 3s -r "$out.record" -o "$out.svg" &
	local reporter=$!
	says "$out.record" sample && start counter || return
	fits_now status status -j && fits_now peers peers -j && fits_now get get -j && fits_now get get -j t_high &&
	fits_now explain explain -j "$GPID" n2 && fits_now migrate migrate -j "$GPID" n2 &&
	fits_now ps ps -j && fits_now ps ps -a -j "$GPID" || return
	as n2 "$ctl" checkpoint "$GPID" "$out.image" && fits_now image image -j "$out.image" || return
	echo block >"$(here "$out")"
	fits_now put put -j "$out" || return
	block=$(sed -n 's/.*"name": *"\([0-9a-f]*\)".*/\1/p' "$work/json")
	fits_now locate locate -j "$block" && fits_now blocks blocks -j && as n1 "$ctl" drop "$block" || return
	on n1 "$ctl" check -j >"$work/json"
	fits check "$work/json" || return
	as n1 "$ctl" kill -s KILL "$GPID"
	as n1 "$ctl" wait -j "$GPID" >"$work/json"
	fits wait "$work/json" && fits_now ps ps -a -j || return
	wait $tracer && wait $reporter && events_end "$out.events" TERM || return
	fits events "$(here "$out.events")" lines && fits trace "$(here "$out.trace")" lines &&
		fits record "$(here "$out.record")" lines || return
	diff <(printf '%s\n' "${fitted[@]}" | sort -u) <(cd "$top/tools/schema" && printf '%s\n' *.json | sed 's/\.json//' | sort) ||
		{ echo "not every schema was tried"; return 1; }
}

# What trace says of moves, and migrate: within 5 %.
trace_agrees() {
	python3 - "$@" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
said = [dict(f.split("=") for f in line.split()[2:]) for line in open(sys.argv[2])]
moves = [l for l in lines if l.get("side") == "source"]
landed = [l for l in lines if l.get("side") == "destination"]
assert len(moves) == len(said) == 2 and len(landed) == 2, lines
for move, migrate in zip(moves, said):
    assert move["gpid"] == sys.argv[3], move
    for ours, theirs in (move["us"]["downtime"], migrate["downtime_us"]), (move["bytes"], migrate["bytes"]):
        assert abs(ours - int(theirs)) <= 0.05 * int(theirs), (move, migrate)
    parts = sum(move["us"][p] for p in ("freeze", "records", "pages", "prepare", "decide", "commit"))
    assert abs(parts - move["us"]["downtime"]) <= 10, move
h = {h["name"]: h for h in lines[-1]["histograms"]}
assert all(sum(b["count"] for b in x["buckets"]) == x["count"] for x in h.values()), h
assert h["downtime"]["count"] == 2 and h["bytes"]["count"] == 2 and h["run"]["count"] == 2, h
assert h["signal"]["count"] == 2 and h["signal_failed"]["count"] == 0 and h["tick_hit"]["count"] > 0, h
assert 0 < h["tick_hit"]["min"] <= h["tick_hit"]["sum"] / h["tick_hit"]["count"] <= h["tick_hit"]["max"], h
END
}

# To n2 and home, twice, with a signal each time; another process moves, too, and is not seen.
test_trace() {
	local out=$SHARED/trace.$count i other ours

	on n1 test -e /sys/kernel/btf/vmlinux || { echo "this kernel has no BTF"; return 4; }
	start counter && other=$GPID && start counter && ours=$GPID || return
	on n1 sh -c 'exec "$1" trace -j -n 4 "$2" >"$0" 2>"$0.err"' "$out" "$ctl" "$ours" &
	local tracer=$!
	says "$out.err" '^tracing$' || return
	for i in n2 n1 n2 n1; do
		[ $i != n2 ] || as n1 "$ctl" migrate "$other" n2 >/dev/null || return
		as "$([ $i = n2 ] && echo n1 || echo n2)" "$ctl" migrate "$ours" $i >"$work/said" || return
		[ $i != n2 ] || { cat "$work/said" >>"$work/moved"; as n1 "$ctl" kill -s CONT "$ours" || return; }
		[ $i != n2 ] || as n1 "$ctl" migrate "$other" n1 >/dev/null || return
	done
	wait $tracer || { echo "trace: exit status $?: $(cat "$(here "$out.err")")"; return 1; }
	as n1 "$ctl" kill -s KILL "$other" "$ours" || return
	trace_agrees "$(here "$out")" "$work/moved" "$ours"
}

# For people; who may not; a kernel without BTF, which here is one whose BTF is out of sight.
test_trace_text() {
	local out=$SHARED/trace.$count

	start counter && on n1 sh -c '"$1" trace -d 3s >"$0" 2>&1' "$out" "$ctl" &&
		says "$out" 'tick.s hook, at a Continuum process' && says "$out" '[0-9] \|#' && stop || return
	as n1 "$ctl" trace >"$work/said" 2>&1
	[ $? = 4 ] && grep -q 'only root' "$work/said" || { cat "$work/said"; return 1; }
	on n1 unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$0" trace' "$ctl" >"$work/said" 2>&1
	[ $? = 1 ] && grep -q 'no BTF' "$work/said" || { cat "$work/said"; return 1; }
	says_status 2 trace -d never && says_status 2 trace -n 0 && says_status 2 trace 1.2.3 too
}

# Looked at on a terminal, as an ordinary user.
test_top() {
	start counter || return
	LIMIT=$((240 * SLOW)) as n1 env SLOW=$((60 * SLOW)) python3 "$top/selftests/vm/top.py" "$ctl" "$GPID" n2 || return
	move n1 && stop || return
	says_status 2 top too && says_status 1 top && grep -q 'needs a terminal' "$work/said"
}

# A doctor: what is missing, with what to do, and an exit status.
test_check() {
	local last=${NODES[-1]} status

	says_status 2 check --nonsense && says_status 0 check || return
	! grep '^FAIL' "$work/said" && grep -q '^ok .* peers .*2 of 2' "$work/said" || { cat "$work/said"; return 1; }
	! grep -A1 -E '^(weak|none)' "$work/said" | grep -v -E '^(weak|none|--| *fix: )' ||
		{ echo "something has no fix:"; cat "$work/said"; return 1; }
	ctl "$last" down || return
	ctl "$last" check >"$work/said"
	status=$?
	goes_up "$last" && sees n1 "$last" alive || return
	[ $status = 1 ] && grep -A1 '^FAIL .* module' "$work/said" | grep -q 'fix: continuumctl up' ||
		{ echo "exit status $status:"; cat "$work/said"; return 1; }
}

# What a move would take, and what the valve thinks of it.
test_explain() {
	local n

	start counter || return
	says_status 0 explain "$GPID" || return
	for n in "${NODES[@]:1}"; do
		grep -qE "^peer: $n: (about|perhaps) [0-9]+ ms for [0-9]+ MiB" "$work/said" || { cat "$work/said"; return 1; }
	done
	grep -q '^nothing stands in the way' "$work/said" && grep -q '^valve: turned off' "$work/said" &&
		move n2 || { cat "$work/said"; return 1; }
	says_status 0 explain "$GPID" && ! grep '^peer: n2:' "$work/said" && grep -q '^peer: n1: ' "$work/said" ||
		{ cat "$work/said"; return 1; }
	stop
}

console_tests() {
	add "explain" test_explain
	$brief || add "check" test_check
	add "events" test_events
	$brief || add "events are JSON" test_events_json
	$brief || add "events for a slow reader" test_events_missed
	$brief || add "events since" test_events_since
	$brief || add "events end" test_events_ends
	$brief || add "events end with the module" test_events_unloaded
	add "metrics" test_metrics
	$brief || add "report" test_report
	$brief || add "JSON schemas" test_schemas
	add "trace agrees with migrate" test_trace
	$brief || add "trace" test_trace_text
	$brief || add "top" test_top
}
