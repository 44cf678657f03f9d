# SPDX-License-Identifier: GPL-2.0
#
# soak.sh - moved again and again, at random moments, on nodes that are busy
#
# To be sourced by run.  What a leak would leave behind is counted on every node
# before and after, both times with the process at home and the nodes idle; see
# "figures" for what is looked at, and grown() for what is tolerated.

# ---- load ----

# A bit of everything: computing, memory, system calls, processes.  Nice, because a move
# is to be disturbed at all moments, not to take half a minute on an emulated CPU.
stress_begin() {
	local n

	for n in "${NODES[@]}"; do
		on "$n" sh -c 'cd /tmp && { setsid nice -n 10 stress-ng -q --cpu 1 --cpu-load 30 \
			--vm 1 --vm-bytes 32M --vm-hang 1 --io 1 --fork 1 --fork-max 2 \
			--temp-path /tmp >/tmp/stress.out 2>&1 </dev/null & echo $! >/tmp/stress.pid; }' || return
	done
	sleep 1
	for n in "${NODES[@]}"; do
		on "$n" sh -c 'kill -0 $(cat /tmp/stress.pid)' || { on "$n" cat /tmp/stress.out; return 1; }
	done
}

stress_end() {
	local n

	for n in "${NODES[@]}"; do
		on "$n" sh -c 'p=$(cat /tmp/stress.pid 2>/dev/null) || exit 0
			kill -TERM -"$p" 2>/dev/null
			i=0; while kill -0 -"$p" 2>/dev/null; do
				i=$((i + 1)); [ $i -lt 50 ] || kill -KILL -"$p"; sleep 0.1; done
			rm -f /tmp/stress.pid'
	done
}

# ---- leaks ----

# figures FILE: of all nodes, "NODE NAME NUMBER [GRAIN]"
figures() {
	local n

	for n in "${NODES[@]}"; do
		on "$n" sh "$top/selftests/vm/figures" | sed "s/^/$n /"
	done >"$1"
}

# grown BEFORE AFTER MOVES: what grew more than coincidence can explain, a line each.
# A leak is something for every move; the rest comes and goes: threads that the
# program makes, connections that are kept, objects in the caches of CPUs.
grown() {
	awk -v moves="$3" -v cpus="${LAB_CPUS:-1}" '
		function allowed(name) {
			if (name ~ /^(keepers|daemons|cgroups)$/) return 0
			if (name ~ /^(tasks|refs|tcp|orphans)$/) return 3
			if (name ~ /^(threads|sockets)$/) return 6
			if (name == "files") return 64
			if (name == "dying_cgroups") return 5 + moves / 4
			# freed lazily, stacks of threads that ended above all: see VmallocUsed
			if (name == "slab:vmap_area") return 1e9
			if (name ~ /^slab:/) return 40 + moves / 2 + was * slack(name) + (1 + cpus) * $4
			if (name == "SUnreclaim" || name == "PageTables" || name == "KernelStack") return 2048 + 4 * moves
			if (name == "VmallocUsed" || name == "Percpu") return 1024 + 4 * moves
		}
		# small generic ones, and what files and memory of others live in
		function slack(name) {
			return name ~ /^slab:(kmalloc-(8|16|32|64|96|128|192|256)|dentry|.*inode.*|radix_tree_node|vm_area_struct|maple_node|anon_vma.*|filp|pid|skbuff.*|kernfs.*|lsm.*|buffer_head|cred_jar|ep.*|.*9p.*|p9.*)$/ ? 0.35 : 0.05
		}
		NR == FNR { before[$1, $2] = $3; next }
		$2 == "MemAvailable" {
			if (before[$1, $2] - $3 > 8192 + 16 * moves)
				print $1 ": " $2 ": " before[$1, $2] " kB, now " $3
			next
		}
		{
			was = before[$1, $2] + 0
			if ($3 > was + allowed($2))
				print $1 ": " $2 ": " was ", now " $3
		}' "$1" "$2"
}

# ---- the moves ----

# move_at_random: from a node that is asked at random to one that is not its host
move_at_random() {
	local there by to said begin=$SECONDS

	there=${at:-n1}
	while to=${NODES[RANDOM % ${#NODES[@]}]}; [ "$to" = "$there" ]; do :; done
	by=${NODES[RANDOM % ${#NODES[@]}]}
	said=$(as "$by" "$ctl" migrate "$GPID" "${1:-$to}" 2>&1) ||
		{ echo "migrate $GPID ${1:-$to}, asked on $by after $((SECONDS - begin)) s: $said"; return 1; }
	[[ $said =~ ^"$GPID ${1:-$to} "downtime_us=([0-9]+)\ total_us=([0-9]+)\ bytes=([0-9]+)$ ]] ||
		{ echo "migrate said: $said"; return 1; }
	echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]} ${BASH_REMATCH[3]}" >>"$work/moves"
	at=${1:-$to}
}

# is there time for one more than $1 moves?  With SOAK there always is.
time_left() { [ -n "${SOAK:-}" ] || (($1 < 6 || SECONDS < out_of_time)); }

# endures PROGRAM: $SOAK moves (20); the first three warm it all up.
test_endures() {
	local moves=${SOAK:-20} i at=n1 status=0 out_of_time=$((SECONDS + 45))

	RANDOM=$SEED
	: >"$work/moves"
	start "$1" $((60 + moves * 60)) || return
	for i in "${NODES[@]:1}" n1; do
		move_at_random "$i" || return
	done
	figures "$work/before"
	stress_begin || status=$?
	for ((i = ${#NODES[@]}; status == 0 && i < moves; i++)); do
		time_left $i || break
		sleep "0.$((RANDOM % 8))"
		move_at_random || { echo "move $((i + 1)) of $moves, SEED=$SEED"; status=1; }
	done
	stress_end
	moves=$i
	[ $status = 0 ] && [ $at != n1 ] && { move_at_random n1 || status=1; }
	[ $status = 0 ] || { on n1 cat "$OUT"; ctl n1 ps -a; return 1; }
	note "$1: $(sort -n "$work/moves" | awk '{ d[NR] = $1; if ($2 > t) t = $2; b += $3 }
		END { printf "%d moves, downtime %d ms (median), %d (most), longest move %d ms, %.1f MiB each",
			NR, d[int((NR + 1) / 2)] / 1000, d[NR] / 1000, t / 1000, b / NR / 1048576 }')"
	for i in 1 2 3 4; do		# landers start again, connections close
		figures "$work/after"
		grown "$work/before" "$work/after" "$moves" >"$work/grown"
		[ -s "$work/grown" ] || break
		sleep 3
	done
	[ -z "${KEEP_FIGURES:-}" ] || cp "$work/before" "$work/after" "$work/moves" "$KEEP_FIGURES"
	stop || return
	[ ! -s "$work/grown" ] || { echo "grew during $moves moves, SEED=$SEED:"; cat "$work/grown"; return 1; }
}

# ---- what is in flight ----

# Memory that is neither available nor a program's, in kB, every so often, until
# FILE.end exists.  A move takes from one and gives to the other; what the kernel
# holds of the image besides shows here.
watch_memory() {
	on "$1" sh -c 'rm -f "$0.end"; while [ ! -e "$0.end" ]; do
		awk "/^(MemAvailable|AnonPages):/ { n += \$2 } END { print n }" /proc/meminfo
		sleep 0.1; done >"$0"' "$2"
}

# held FILE: how many MiB less there were than at the beginning, at most
held() {
	on n1 awk 'NR <= 5 { first += $1 / 5 } !least || $1 < least { least = $1 }
		END { if (NR < 20) exit 1; printf "%d\n", (first - least) / 1024 }' "$1"
}

# Nodes hold no copy of a process that moves: no more than 16 MiB are on their way.
test_in_flight() {
	local mib=${BIG_MIB:-192} n nodes=(n1 "${NODES[-1]}") status=0 held

	start ballast "$mib" || return
	lab net "${nodes[1]}" delay 5ms || return
	for n in "${nodes[@]}"; do
		on "$n" sh -c 'sync; echo 3 >/proc/sys/vm/drop_caches'
		LIMIT=400 watch_memory "$n" "$SHARED/memory.$n" &
	done
	sleep 2
	LIMIT=300 move "${nodes[1]}" || status=$?
	sleep 1
	for n in "${nodes[@]}"; do on "$n" touch "$SHARED/memory.$n.end"; done
	wait
	lab net "${nodes[1]}" heal
	[ $status = 0 ] || return
	for n in "${nodes[@]}"; do
		held=$(held "$SHARED/memory.$n") || { echo "$n: too few samples"; return 1; }
		note "$n held at most $held MiB of $mib beside the process"
		((held <= 16)) || { echo "$n held $held MiB of the image"; status=1; }
	done
	stop && return $status
}
