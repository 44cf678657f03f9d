# SPDX-License-Identifier: GPL-2.0
#
# failures.sh - what goes wrong before COMMIT, sourced by run
#
# Each time: an error that says what was wrong, the process still running where it
# was, nothing left behind on either side, at most one line about processes in the
# kernel's log of each node, and the next move goes well.

groups=/sys/fs/cgroup/continuum

# mark NODE...: what it looks like before; unmarked NODE...: and after, soon.
mark() {
	local n

	for n in "$@"; do
		on "$n" sh -c 'dmesg | grep -c "continuum: process" >/run/mark.log
			cat /sys/module/continuum/refcnt >/run/mark.ref
			ls -d "$0"/cap-* | wc -l >/run/mark.cap' "$groups"
	done
}

unmarked() {
	local n

	for n in "$@"; do
		on "$n" sh -c 'i=0
			while [ "$(ls -d "$0"/cap-* | wc -l)" != "$(cat /run/mark.cap)" ] ||
			      [ "$(cat /sys/module/continuum/refcnt)" != "$(cat /run/mark.ref)" ]; do
				i=$((i + 1))
				[ $i -lt 150 ] || { echo "left behind:"; ls -d "$0"/cap-*; cat /run/mark.cap
					cat /sys/module/continuum/refcnt /run/mark.ref; ps -ef; exit 1; }
				sleep 0.2
			done
			n=$(($(dmesg | grep -c "continuum: process") - $(cat /run/mark.log)))
			[ $n -le 1 ] || { echo "$n lines in the log:"; dmesg | grep "continuum: process" | tail -n $n; exit 1; }' \
			"$groups" || { echo "on $n"; return 1; }
	done
}

# in_landing NODE WHAT: does it as soon as a process is being built on NODE, where
# none lives; $leader is its first thread, $keeper its parent.
in_landing() {
	on "$1" sh -c 'cd "$0" && while :; do
		for c in cap-*; do
			read -r leader <"$c/process/cgroup.procs" || continue
			read -r keeper <"$c/keeper/cgroup.procs"
			sleep 0.1
			eval "$1"
			exit
		done 2>/dev/null
		sleep 0.02
	done' "$groups" "$2"
}

# still_here WORDS: $work/said has them, and the process runs on n1.
still_here() {
	grep -qE "$1" "$work/said" || { echo "nothing like \"$1\": $(cat "$work/said")"; return 1; }
	[ "$(host) $(state)" = "n1 running" ] || { echo "it is $(host) $(state)"; return 1; }
}

# failed_move WHAT WORDS [COMMAND...]: a move to n2 during which WHAT is done on n2,
# then COMMAND here, fails with WORDS.
failed_move() {
	local mover status=0 what=$1 words=$2
	shift 2

	start ballast 12 || return
	mark n1 n2
	as n1 "$ctl" migrate "$GPID" n2 >"$work/said" 2>&1 &
	mover=$!
	in_landing n2 "$what" || { echo "it did not come to a landing"; status=1; }
	[ $# = 0 ] || "$@"
	wait $mover
	local moved=$?
	[ $status = 0 ] || return
	[ $moved = 1 ] || { echo "migrate: exit status $moved: $(cat "$work/said")"; return 1; }
	still_here "$words" && unmarked n1 n2
}

# slowly NODE COMMAND...: over a link so slow that an image of 12 MiB takes seconds.
slowly() {
	local n=$1 status=0
	shift

	lab net "$n" delay 100ms || return
	"$@" || status=$?
	lab net "$n" heal
	return $status
}

# It is as good as before: moves there and back, and verifies.
goes_on() { move n2 && move n1 && stop; }
goes() { move n2 && stop; }

test_restorer_dies() {
	failed_move 'kill -9 "$leader"' "while it was built|n2" && goes_on
}

test_keeper_dies() {
	failed_move 'kill -9 "$keeper"' "keeper|restorer died" && goes
}

# It stops in the middle of the image, with the connection open.
test_restorer_stops() {
	failed_move 'kill -STOP "$leader"' "n2" && goes
}

test_cut_in_image() {
	slowly n2 failed_move : "n2" lab net n2 cut && alive_again n2 && goes
}

# ---- no room ----

# What it writes to its home is told ENOSPC, wherever it is; there is no other harm.
test_home_is_full() {
	local dir=/tmp/full.$count go=$SHARED/full.$count.go err=$SHARED/full.$count.err status=0

	on n1 sh -c 'mkdir "$0" && mount -t tmpfs -o size=64k,mode=1777 none "$0"' "$dir" || return
	GPID=$(as n1 "$ctl" run -d -- sh -c 'exec 3>"$0/file" 2>"$2"; echo ready >&2
		while [ ! -e "$1" ]; do :; done
		head -c 200000 /dev/zero >&3; exit $?' "$dir" "$go" "$err") || return
	says "$err" ready && move n2 && on n1 touch "$go" || return
	as n1 "$ctl" wait "$GPID" || status=$?
	[ $status = 1 ] && on n1 grep -q 'No space left' "$err" ||
		{ echo "exit status $status, and it says: $(on n1 cat "$err")"; return 1; }
	[ "$(on n1 stat -c %s "$dir/file")" = 65536 ] || { on n1 ls -l "$dir"; return 1; }
	on n1 umount "$dir"
}

# No room for the log of a detached process, nor for the number of one.
test_state_is_full() {
	local dir=/var/lib/continuum status

	mark n1
	on n1 sh -c 'mount -t tmpfs -o size=4k,nr_inodes=2 none "$0" && dd if=/dev/zero of="$0/all" bs=4k count=1 status=none' \
		"$dir" || return
	# a range of numbers has 64
	as n1 sh -c 'for i in $(seq 70); do
			"$0" run -d -- true >/tmp/said 2>&1; s=$?
			[ $s = 0 ] || break
		done; cat /tmp/said; exit $s' "$ctl" >"$work/said" 2>&1
	status=$?
	on n1 umount "$dir"
	[ $status = 125 ] && grep -qiE 'no space|space left' "$work/said" ||
		{ echo "exit status $status: $(cat "$work/said")"; return 1; }
	unmarked n1 || return
	as n1 "$ctl" run -- true
}

# ---- a dead daemon ----

kill_daemon() {
	on "$1" sh -c 'p=$(cat /run/continuum/continuumd.pid) && kill -9 "$p" &&
		while [ -e "/proc/$p" ]; do sleep 0.1; done'
}

# At home: nothing can be started, and what runs moves all the same.
test_daemon_dies_at_home() {
	local status=0

	start ballast 4 && kill_daemon n1 || return
	as n1 "$ctl" run -- true >"$work/said" 2>&1 || status=$?
	[ $status = 125 ] && grep -q 'continuumd is not running' "$work/said" ||
		{ echo "run: exit status $status: $(cat "$work/said")"; status=1; }
	move n2 || status=1
	ctl n1 up || return
	[ $status != 1 ] && as n1 "$ctl" run -- true && move n1 && stop
}

# Elsewhere: it runs on and can leave; when no lander is left, that is the reason.
test_daemon_dies_elsewhere() {
	local status=0 i

	start ballast 4 && move n2 && kill_daemon n2 || return
	move n1 || status=1
	for ((i = 0; i < 3 && status == 0; i++)); do
		as n1 "$ctl" migrate "$GPID" n2 >"$work/said" 2>&1 || break
		move n1 || status=1
	done
	[ $status = 0 ] && still_here "n2.*(continuumd|lander)" || status=1
	ctl n2 up || return
	[ $status = 0 ] && goes
}

# ---- what the target has not got ----

# refused_by_target WORDS: a migrate to n2 is answered so, before anything is frozen.
refused_by_target() {
	local status=0

	on n1 "$ctl" migrate "$GPID" n2 >"$work/said" 2>&1 || status=$?
	[ $status = 1 ] || { echo "migrate: exit status $status: $(cat "$work/said")"; return 1; }
	still_here "$1"
}

test_no_room() {
	local status=0

	start ballast 48 || return
	# all but 48 MiB
	on n2 sh -c 'mount -t tmpfs -o size=90% none /mnt && n=$(awk "/^MemAvailable/ { print int(\$2 / 1024) - 48 }" /proc/meminfo) &&
		head -c "${n}M" /dev/zero >/mnt/all' || return
	refused_by_target "no room: needs [0-9]+ MiB, has" || status=1
	on n2 umount /mnt
	[ $status = 0 ] && goes
}

test_root_not_allowed() {
	local status=0

	USER=root
	start counter && ctl n2 set allow_root off || return
	refused_by_target "processes of root may not land" || status=1
	ctl n2 set allow_root on || return
	[ $status = 0 ] && goes
}

# More privileged than who started it: that user may not move it.
test_setuid() {
	local status=0 run=/usr/local/bin/setuid.$count

	on n1 sh -c 'cp "$0" "$1" && chmod 4755 "$1"' "$bin/counter" "$run" || return
	OUT=$SHARED/setuid.$count.out STOP=$SHARED/setuid.$count.stop
	GPID=$(as n1 "$ctl" run -d -- sh -c 'out=$0; exec "$@" >"$out" 2>&1' "$OUT" "$run" "$STOP") || return
	says "$OUT" ^ready || return
	[ "$(on n1 ps -o euid= -C "${run##*/}" | xargs)" = 0 ] || { echo "it is not setuid here"; return 1; }
	as n1 "$ctl" migrate "$GPID" n2 >"$work/said" 2>&1 || status=$?
	[ $status = 4 ] || { echo "migrate: exit status $status: $(cat "$work/said")"; return 1; }
	still_here "owner|yours" && stop
}

test_32bit() {
	[ "$(on n1 "$bin/refuse32" /etc/passwd 2>&1 | tail -n 1)" = PASS ] ||
		{ echo "this kernel runs no 32-bit programs"; return 4; }
	start refuse32 || return
	on n1 "$ctl" explain "$GPID" n2 | grep '^stop: .*32-bit' && refused_by_target "32-bit" && stop
}

# n2 comes back with a lesser CPU.  What started there may leave.
test_lesser_cpu() {
	local status=0

	start counter && lab crash n2 && lab boot --cpu -avx2 n2 && alive_again n2 || return
	refused_by_target "avx2" || status=1
	[ $status = 0 ] && stop || status=1
	lab crash n2
	lab boot n2 && alive_again n2 && return $status
}
