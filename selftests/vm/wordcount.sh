# SPDX-License-Identifier: GPL-2.0
#
# wordcount.sh - wordcount and map over the cluster, sourced by run

# text_file NAME BYTES: $FILE on n1, of words
text_file() {
	FILE=$SHARED/$1.$count
	python3 - "$(here "$FILE")" "$2" "$SEED" <<'END'
import random, sys
name, size, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
words = ["".join(rng.choices("abcdefghij", k=rng.randint(1, 12))) for _ in range(3000)]
with open(name, "w") as f:
    left = size
    while left > 0:
        text = " ".join(rng.choices(words, k=10)) + rng.choice(["\n", "\n\n", "\t"])
        f.write(text[:left])
        left -= len(text)
END
}

# binary_file NAME BYTES
binary_file() {
	FILE=$SHARED/$1.$count
	head -c "$2" /dev/urandom >"$(here "$FILE")"
}

# counts [OPTION...]: wordcount says of $FILE what wc says, on n1
counts() {
	local want got

	want=$(LC_ALL=C wc -w <"$(here "$FILE")") || return
	got=$(as n1 "$ctl" wordcount "$@" "$FILE" 2>"$work/err") ||
		{ echo "wordcount $* $FILE: exit status $?: $(cat "$work/err")"; return 1; }
	[ "$got" = "$((want)) $FILE" ] || { echo "wordcount $* says $got, wc $want $FILE"; cat "$work/err"; return 1; }
}

# neither processes, see fork.sh, nor blocks
all_gone() { nothing_left && none_left; }

test_wordcount() {
	local n

	binary_file empty 0 && counts || return
	text_file text 300000 && counts --chunk 20K --workers 9 -v || return
	cat "$work/err"
	grep -q '^n[123] ' "$work/err" || { echo "no table"; return 1; }
	binary_file binary 300000 && counts --chunk 16K --workers 6 || return
	for n in 1 65535 65536 65537; do
		binary_file "binary$n" $n && counts --chunk 64K --workers 4 || return
	done
	as n1 sh -c '"$0" wordcount --chunk 64K - <"$1"' "$ctl" "$FILE" >"$work/said" || return
	[ "$(cat "$work/said")" = "$(($(LC_ALL=C wc -w <"$(here "$FILE")"))) -" ] || { cat "$work/said"; return 1; }
	says_status 0 wordcount -j --workers 3 "$FILE" && python3 -m json.tool <"$work/said" >/dev/null || return
	all_gone
}

test_wordcount_bad() {
	local c

	for c in "" "--chunk 0 /etc/passwd" "--chunk 5M /etc/passwd" "--workers 0 /etc/passwd" \
		 "--workers 4097 /etc/passwd" "--timeout no /etc/passwd" "/etc/passwd /etc/group" "--nonsense"; do
		# shellcheck disable=SC2086
		says_status 2 wordcount $c || return
	done
	says_status 2 map /etc/passwd && says_status 3 wordcount /nonexistent && says_status 1 wordcount /etc || return
	# root's, of which nobody may read
	on n1 sh -c 'echo secret >/tmp/secret; chmod 600 /tmp/secret' || return
	as n1 "$ctl" wordcount /tmp/secret 2>"$work/said"
	[ $? = 4 ] || { cat "$work/said"; return 1; }
	all_gone
}

# Somebody writes to it all the time.
test_wordcount_changes() {
	text_file text 3000000 || return
	(while [ ! -e "$(here "$FILE").stop" ]; do echo more >>"$(here "$FILE")"; sleep 0.05; done) &
	says_status 1 wordcount --workers 5 "$FILE"
	local status=$?
	touch "$(here "$FILE").stop"
	wait $!
	[ $status = 0 ] && grep -q "changed while it was read" "$work/said" || { cat "$work/said"; return 1; }
	all_gone
}

# Ctrl-C: its family ends everywhere, its blocks go.
test_wordcount_interrupted() {
	local status

	text_file text 20000000 || return
	as n1 timeout --preserve-status -s INT 6 "$ctl" map --command 'sleep 60; cat' --workers 12 "$FILE" >/dev/null 2>"$work/err"
	status=$?
	[ $status = 130 ] || { echo "exit status $status, not 130: $(cat "$work/err")"; return 1; }
	all_gone
}

# members: GPIDs of what lives, but for the first process
members() { ctl n1 ps | awk 'NR > 2 { print $1 }'; }

# until_members N: the family has so many processes
until_members() {
	local end=$((SECONDS + 120 * SLOW))

	until [ "$(members | wc -l)" -ge "$1" ]; do
		((SECONDS < end)) || { ctl n1 ps; return 1; }
		sleep 0.3
	done
}

# Workers are killed; what they had to do is done again, and comes out once.
test_map_killed() {
	local runner victim status=0

	text_file text 600000 || return
	as n1 "$ctl" map -v --command 'sleep 8; cat' --chunk 64K --workers 5 "$FILE" >"$work/out" 2>"$work/err" &
	runner=$!
	until_members 5 || status=1
	for victim in $(members | head -n 2); do ctl n1 kill -s KILL "$victim" || status=1; done
	wait $runner || { echo "map: exit status $?"; status=1; }
	cmp "$work/out" "$(here "$FILE")" || status=1
	grep -q "jobs done again" "$work/err" || { echo "none was done again"; status=1; }
	[ $status = 0 ] || { cat "$work/err"; return 1; }
	all_gone
}

# One never answers.
test_map_hangs() {
	local runner status=0

	text_file text 300000 || return
	as n1 "$ctl" map --timeout 15s --command 'sleep 4; cat' --chunk 64K --workers 4 "$FILE" >"$work/out" 2>"$work/err" &
	runner=$!
	until_members 4 || status=1
	ctl n1 suspend "$(members | head -n 1)" || status=1
	wait $runner || { echo "map: exit status $?"; status=1; }
	cmp "$work/out" "$(here "$FILE")" && grep -q "destroyed" "$work/err" || status=1
	[ $status = 0 ] || { cat "$work/err"; return 1; }
	all_gone
}

test_map() {
	local want

	text_file text 400000 || return
	as n1 "$ctl" map --command cat --chunk 30K "$FILE" >"$work/out" && cmp "$work/out" "$(here "$FILE")" || return
	as n1 "$ctl" map --command 'grep -c abc' --chunk 30K "$FILE" >"$work/out"
	want=$(grep -c abc "$(here "$FILE")")
	[ "$(awk '{ n += $1 } END { print n }' "$work/out")" = "$want" ] || { echo "grep -c: not $want"; cat "$work/out"; return 1; }
	as n1 "$ctl" map --command 'tr a-j A-J; echo at $CONTINUUM_CHUNK >&2; exit $CONTINUUM_CHUNK' --chunk 100K "$FILE" \
		>"$work/out" 2>"$work/err"
	[ $? = 3 ] && cmp "$work/out" <(tr a-j A-J <"$(here "$FILE")") && [ "$(grep -c '^at ' "$work/err")" = 4 ] ||
		{ cat "$work/err"; return 1; }
	all_gone
}

# A node loses its power half way.
test_wordcount_crash() {
	local last=${NODES[-1]} runner status=0

	text_file text 60000000 || return
	(counts --workers 60 -v; echo "status $?") >"$work/counted" 2>&1 &
	runner=$!
	until_members 20 || status=1
	lab crash "$last"
	wait $runner
	cat "$work/counted" "$work/err"
	grep -q "^status 0" "$work/counted" || status=1
	lab boot "$last" && alive_again "$last" || return
	[ $status = 0 ] && all_gone
}

wordcount_tests() {
	add "words counted" test_wordcount
	$brief || add "words counted with bad input" test_wordcount_bad
	$brief || add "words of a file that changes" test_wordcount_changes
	$brief || add "map interrupted" test_wordcount_interrupted
	add "map" test_map
	$brief || add "map whose workers are killed" test_map_killed
	$brief || add "map whose worker hangs" test_map_hangs
	add "words counted while a node dies" test_wordcount_crash
}
