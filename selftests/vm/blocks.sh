# SPDX-License-Identifier: GPL-2.0
#
# blocks.sh - blocks of data that live in the cluster, sourced by run and faults

# blocks_of NODE KEY: a number of `continuumctl blocks`, as n1 shows it
blocks_of() {
	ctl n1 blocks -j | python3 -c 'import json, sys
print(next((s[sys.argv[2]] for s in json.load(sys.stdin) if s["name"] == sys.argv[1]), "missing"))' "$1" "$2"
}

# all_blocks KEY: its sum over the nodes
all_blocks() {
	ctl n1 blocks -j | python3 -c 'import json, sys
print(sum(s[sys.argv[1]] for s in json.load(sys.stdin)))' "$1"
}

# becomes SECONDS VALUE COMMAND...: what it says is VALUE, soon
becomes() {
	local end=$((SECONDS + $1 * SLOW)) want=$2 said
	shift 2

	until said=$("$@") && [ "$said" = "$want" ]; do
		((SECONDS < end)) || { echo "$*: $said, not $want"; ctl n1 blocks; return 1; }
		sleep 0.5
	done
}

# shared_out NODE MIN MAX: all blocks, those that still have to be copied, and whether NODE
# has a share between these
shared_out() {
	local n

	n=$(blocks_of "$1" blocks)
	echo "$(all_blocks blocks) $(all_blocks under) $( ((n > $2 && n < $3)) && echo share || echo "$n")"
}

none_left() { becomes 30 0 all_blocks blocks; }

# random_file NODE NAME BYTES: $FILE, in the node's /tmp, for all to read; as a block it is $NAME
random_file() {
	FILE=/tmp/$2
	NAME=$(on "$1" python3 -c 'import hashlib, os, sys
b = os.urandom(int(sys.argv[2]))
open(sys.argv[1], "wb").write(b)
print(hashlib.blake2s(b).hexdigest())' "$FILE" "$3")
}

# same NODE NAME FILE: what that node has of the block is the file of n1
same() {
	local want got

	want=$(on n1 sha256sum "$3" | cut -d' ' -f1)
	got=$(as "$1" "$ctl" cat "$2" | sha256sum | cut -d' ' -f1)
	[ "$got" = "$want" ] || { echo "$1 has another content of block $2"; return 1; }
}

test_blocks() {
	local n said

	for n in 1500000 0; do
		random_file n1 block "$n" || return
		said=$(as n1 "$ctl" put /tmp/block) || return
		[ "$said" = "$NAME" ] || { echo "its name is $said, not $NAME"; return 1; }
		same n1 "$NAME" /tmp/block && same n2 "$NAME" /tmp/block && same "${NODES[-1]}" "$NAME" /tmp/block || return
		[ "$(as n2 "$ctl" locate "$NAME" | sort -u | wc -l)" = 2 ] || { as n2 "$ctl" locate "$NAME"; return 1; }
		[ "$(all_blocks blocks)" = 2 ] || { ctl n1 blocks; return 1; }
		# what was put again is the same block, and one drop is enough
		[ "$(as n2 "$ctl" put - </dev/null)" ] || return
		[ "$n" = 0 ] || as n2 "$ctl" drop 69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9 || return
		as n1 "$ctl" put /tmp/block >/dev/null && as n2 "$ctl" drop "$NAME" || return
		says_status 3 cat "$NAME" && says_status 3 drop "$NAME" && says_status 3 locate "$NAME" || return
	done
	# a file in pieces, and back
	random_file n1 block 250000 || return
	# shellcheck disable=SC2046
	set -- $(as n1 "$ctl" put --chunk 100K --copies 1 /tmp/block)
	[ $# = 3 ] && [ "$(all_blocks blocks)" = 3 ] || { echo "3 pieces of one copy: $*"; ctl n1 blocks; return 1; }
	said=$(as n2 "$ctl" get "$@" | sha256sum | cut -d' ' -f1)
	[ "$said" = "$(on n1 sha256sum /tmp/block | cut -d' ' -f1)" ] || { echo "in pieces it is another"; return 1; }
	as n1 "$ctl" drop "$@" && none_left
}

test_blocks_batch() {
	local n

	as n2 "$bin/blocks" batch 60 "$SEED" 60000 && as "${NODES[-1]}" "$bin/blocks" batch 200 "$SEED" 300 || return
	none_left
}

test_blocks_bad() {
	local c

	as n1 "$bin/blocks" errors || return
	random_file n1 block 4194305 || return
	for c in "put" "cat" "drop" "cat 12" "drop nonsense" "locate" "put --copies 9 /etc/passwd" \
		 "put --chunk 0 /etc/passwd" "put --chunk 5M /etc/passwd" "drop --all --family $NAME" "blocks more"; do
		# shellcheck disable=SC2086
		says_status 2 $c || return
	done
	says_status 1 put /tmp/block && grep -q -- --chunk "$work/said" || { cat "$work/said"; return 1; }
	says_status 3 put /nonexistent && says_status 3 put --family /etc/passwd || return
	random_file n1 block 1000 && as n1 "$ctl" put /tmp/block >/dev/null || return
	for c in cat pin locate; do
		USER=daemon as n2 "$ctl" $c "$NAME" >"$work/said" 2>&1
		[ $? = 4 ] || { echo "$c by somebody else: $(cat "$work/said")"; return 1; }
	done
	USER=daemon as n2 "$ctl" drop "$NAME" >"$work/said" 2>&1
	[ $? = 3 ] || { echo "drop by somebody else: $(cat "$work/said")"; return 1; }
	USER=daemon as n2 "$ctl" drop --all "$NAME" >"$work/said" 2>&1
	[ $? = 4 ] || { echo "drop --all by somebody else: $(cat "$work/said")"; return 1; }
	# root may read, and pin; then it takes two drops
	same n2 "$NAME" /tmp/block && ctl n2 pin "$NAME" && as n1 "$ctl" drop "$NAME" || return
	as n1 "$ctl" cat "$NAME" >/dev/null 2>&1
	[ $? = 4 ] || { echo "whoever dropped it may read what root has pinned"; return 1; }
	ctl n2 drop --all "$NAME" && none_left
}

# quota NODE_MIB OWNER_MIB: on all nodes
quota() {
	local n

	for n in "${NODES[@]}"; do
		ctl "$n" set blocks_node_mib "$1" blocks_owner_mib "$2"
	done
}

fill_blocks() {
	local status=0 user=$1 words=$2 i

	for i in 1 2 3 4 5 6 7 8; do
		random_file n1 "block$user$RANDOM" 600000 || return
		USER=$user as n1 "$ctl" put "$FILE" >"$work/said" 2>&1 || { status=$?; break; }
	done
	[ $status = 1 ] && grep -qE "$words" "$work/said" ||
		{ echo "the ${i}th block of 600000 bytes: exit status $status: $(cat "$work/said")"; return 1; }
}

test_blocks_quota() {
	local status=0 before

	quota 2 1
	fill_blocks nobody "node n[123]: the quota of user $(id -u nobody) is used up: 1 MiB" || status=1
	before=$(all_blocks used)
	[ $status = 1 ] || fill_blocks nobody "quota of user" || status=1
	[ "$(all_blocks used)" = "$before" ] || { echo "what was refused is still there"; ctl n1 blocks; status=1; }
	quota 1 64
	[ $status = 1 ] || fill_blocks daemon "node n[123]: its quota for blocks is used up: 1 MiB" || status=1
	quota 0 0
	as n1 sh -c '"$0" put --copies 1 /etc/passwd >/dev/null' "$ctl" || status=1
	drop_everything
	[ $status = 0 ] && none_left
}

# all blocks that python makes of /tmp/block*, and of /etc/passwd, on n1
drop_everything() {
	on n1 python3 -c 'import glob, hashlib, os, subprocess, sys
for f in glob.glob("/tmp/block*") + ["/etc/passwd"]:
    subprocess.run([sys.argv[1], "drop", "--all", hashlib.blake2s(open(f, "rb").read()).hexdigest()],
                   stderr=subprocess.DEVNULL)
    f == "/etc/passwd" or os.unlink(f)
' "$ctl"
}

# They go with the process that put them, but for one that was pinned.
test_blocks_family() {
	local one two

	random_file n1 block1 70000 && one=$NAME && random_file n1 block2 5000 && two=$NAME || return
	GPID=$(as n1 "$ctl" run -d -- sh -c '"$0" put --family /tmp/block1 /tmp/block2 >"$1.put"
		while [ ! -e "$1" ]; do :; done' "$ctl" "$SHARED/family.$count") || return
	says "$SHARED/family.$count.put" "$two" || return
	# elsewhere, too, it may read them, and so may its user
	move n2 && same "${NODES[-1]}" "$one" /tmp/block1 && as n1 "$ctl" pin "$two" || return
	[ "$(all_blocks blocks) $(all_blocks pinned)" = "4 2" ] || { ctl n1 blocks; return 1; }
	on n1 touch "$SHARED/family.$count"
	as n1 "$ctl" wait "$GPID" || return
	becomes 20 2 all_blocks blocks && same n2 "$two" /tmp/block2 && says_status 3 cat "$one" || return
	as n1 "$ctl" drop "$two" && none_left
}

# A node loses its power while blocks are written and read on the others: whatever was
# acknowledged is there, twice again soon, and a third of it where the node comes back.
test_blocks_crash() {
	local seed=$1 last=${NODES[-1]} n pids="" status=0 total before

	before=$(all_blocks blocks)	# what another test left
	for n in n1 n2; do
		as "$n" sh -c '"$0" write "$1.$4" "$1.stop" $2 $3 >"$1.$4.out" 2>&1' "$bin/blocks" \
			"$SHARED/blocks.$count" "$seed" 40000 "$n" &
		pids+=" $!"
		seed=$((seed + 1000))
	done
	for n in n1 n2; do says "$SHARED/blocks.$count.$n.out" "ready|FAIL" || status=1; done
	sleep "$((seed % 3)).$((seed % 7))"
	lab crash "$last"
	becomes 60 missing blocks_of "$last" blocks || status=1
	sleep 3
	on n1 touch "$SHARED/blocks.$count.stop"
	# shellcheck disable=SC2086
	wait $pids
	seed=$1
	for n in n1 n2; do
		on n1 tail -n 3 "$SHARED/blocks.$count.$n.out"
		on n1 grep -q ^PASS "$SHARED/blocks.$count.$n.out" || status=1
		as n1 "$bin/blocks" verify "$SHARED/blocks.$count.$n" "$seed" || status=1
		seed=$((seed + 1000))
	done
	total=$(on n1 sh -c 'cat "$0".n1 "$0".n2 | cut -d" " -f1 | sort -u | wc -l' "$SHARED/blocks.$count")
	[ $status = 1 ] || becomes 60 $((before + 2 * total)) all_blocks blocks || status=1
	lab boot "$last" && alive_again "$last" || return
	[ $status = 0 ] || return 1
	# it takes its share: two thirds of all, more or less
	becomes 120 "$((before + 2 * total)) 0 share" shared_out "$last" $((total / 3)) "$total" || return
	as "$last" "$bin/blocks" verify "$SHARED/blocks.$count.n1" "$1" || return
	note "$total blocks"
	on n1 sh -c 'cat "$0".n1 "$0".n2 | cut -d" " -f1 | xargs -n 200 "$1" drop --all' \
		"$SHARED/blocks.$count" "$ctl" && none_left
}

# A module that is told to spoils a copy: nobody gets it, and it is replaced.
test_blocks_corrupt() {
	local n i names=()

	on n2 sh -c 'echo "store block=drop" >/sys/module/continuum/parameters/fault' || return
	# enough blocks for it to get one
	for i in 1 2 3 4 5; do
		random_file n1 "block$i" 30000 && as n1 "$ctl" put "$FILE" >/dev/null || return
		names+=("$NAME")
	done
	# whoever asks gets what was put, n2 itself first of all
	for n in n2 n1 n3; do
		for i in 1 2 3 4 5; do same "$n" "${names[i - 1]}" "/tmp/block$i" || return; done
	done
	[ "$(blocks_of n2 corrupt) $(all_blocks corrupt)" = "1 1" ] || { ctl n1 blocks; echo "one was spoilt"; return 1; }
	becomes 20 1 blocks_of n2 repaired && becomes 5 10 all_blocks blocks || return
	on n2 dmesg | grep "continuum: block .* does not match its name" || return
	for i in 1 2 3 4 5; do same n2 "${names[i - 1]}" "/tmp/block$i" || return; done
	[ "$(all_blocks corrupt)" = 1 ] || { ctl n1 blocks; echo "it was not mended"; return 1; }
	drop_everything
	none_left
}

blocks_tests() {
	add "blocks put and got" test_blocks
	add "blocks in batches" test_blocks_batch
	$brief || add "blocks and bad input" test_blocks_bad
	$brief || add "blocks have quotas" test_blocks_quota
	add "blocks go with their family" test_blocks_family
	add "blocks outlive a node" test_blocks_crash "$SEED"
	$brief || add "blocks outlive a node, again" test_blocks_crash $((2 * SEED + 2))
}
