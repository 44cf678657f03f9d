# SPDX-License-Identifier: GPL-2.0
#
# checkpoint.sh - checkpoint, restore and image, sourced by run

# keep [NAME]: a checkpoint of $GPID, made where it runs; sets IMAGE
keep() {
	local said

	IMAGE=$SHARED/image.$count.${1:-a}
	said=$(as "$(host)" "$ctl" checkpoint "$GPID" "$IMAGE" 2>&1) || { echo "checkpoint $GPID: $said"; return 1; }
	[[ $said =~ ^"$GPID $IMAGE "bytes=[0-9]+\ pages=[0-9]+$ ]] || { echo "checkpoint said: $said"; return 1; }
}

# put_down: $GPID is killed, and has ended
put_down() {
	as n1 "$ctl" kill -s KILL "$GPID" || return
	as n1 "$ctl" wait "$GPID" >"$work/wait" 2>&1
	[ $? = 137 ] || { echo "killed: $(cat "$work/wait")"; return 1; }
}

# bring_back NODE [OPTION...]: $IMAGE, detached; sets GPID
bring_back() {
	local node=$1
	shift

	GPID=$(as "$node" "$ctl" restore -d "$@" "$IMAGE" 2>"$work/restore") ||
		{ echo "restore: exit status $?: $(cat "$work/restore")"; return 1; }
}

# refused NODE PATTERN OPTION...: restore fails, and says that
refused() {
	local node=$1 pattern=$2 status=0
	shift 2

	as "$node" "$ctl" restore -d "$@" >"$work/refused" 2>&1 || status=$?
	[ $status = 125 ] && grep -qE "$pattern" "$work/refused" && return
	echo "restore $*: exit status $status, not \"$pattern\": $(cat "$work/refused")"
	return 1
}

# It is killed when its checkpoint was made, comes back with its ids, and has lost nothing.
test_restored() {
	local before was

	case $1 in
	timers*) start "$1" kept ;;
	files*|memory*) start "$1" "$SHARED/$1.kept.dir" ;;
	*) start "$@" ;;
	esac || return
	was=$GPID before=$(field epoch)
	sleep 0.5
	# what it writes to files after its checkpoint is not in that
	! needs_directory "$1" || as n1 "$ctl" suspend "$GPID" || return
	keep && put_down && sleep 1 && bring_back n1 || return
	[ "$GPID" = "$was" ] || { echo "$was came back as $GPID"; return 1; }
	(($(field epoch) > before)) || { echo "epoch $(field epoch), it was $before"; return 1; }
	sleep 0.5
	stop
}

# What was restored is a process as any other: it moves, also while it was never at rest.
test_restored_moves() {
	start threads && keep && put_down && bring_back n1 && move n2 && move n1 || return
	keep b && put_down && bring_back n1 && move n2 && stop
}

# It lives: so there is no other of that id, but as a new one, which runs beside it.
test_restored_beside() {
	local first out=() status=0

	start counter && keep || return
	first=$GPID
	refused n1 "$first: it lives, on n1" "$IMAGE" && refused n2 "$first: it lives, on n1" "$IMAGE" || return
	move n2 && refused n1 "$first: it lives, on n2" "$IMAGE" || return
	bring_back n1 --as-new || return
	[ "$GPID" != "$first" ] || { echo "the same id"; return 1; }
	grep -q "$first is $GPID now" "$work/restore" || { cat "$work/restore"; return 1; }
	[ "$(state)" = running ] && GPID=$first && [ "$(state)" = running ] || { ctl n1 ps; return 1; }
	stop
}

# On another node its number is not free: it says which one it gets.
test_restored_elsewhere() {
	local first

	start counter && keep || return
	first=$GPID
	put_down && bring_back n2 || return
	[[ $GPID == n2.* ]] && grep -q "$first is $GPID now" "$work/restore" || { echo "$GPID"; cat "$work/restore"; return 1; }
	[ "$(host)" = n2 ] || { ctl n1 ps; return 1; }
	stop
}

# A guest's is made on its host, and nowhere else.
test_checkpoint_of_guest() {
	local first

	start counter && move n2 || return
	first=$GPID
	as n1 "$ctl" checkpoint "$GPID" "$SHARED/no.$count" >"$work/said" 2>&1
	grep -q "it runs on n2" "$work/said" || { cat "$work/said"; return 1; }
	[ ! -e "$(here "$SHARED/no.$count")" ] || return
	keep && put_down && bring_back n1 || return
	[ "$GPID" = "$first" ] || { echo "$first came back as $GPID"; return 1; }
	stop
}

# A foreground process of which all streams are pipes comes back with others, and ends with its status.
test_restored_pipes() {
	local dir=$SHARED/pipes.$count gpid status

	on n1 mkdir -m 777 "$dir" || return
	as n1 sh -c 'cd / && echo | "$0" run -- "$1" "$2/stop" 2>&1 | cat >"$2/first"' \
		"$ctl" "$bin/counter" "$dir" &
	says "$dir/first" ^ready 30 || return
	GPID=$(ctl n1 ps | awk '/counter/ { print $1 }')
	keep && put_down || return
	wait
	(sleep 2; touch "$(here "$dir/stop")") &
	as n1 sh -c '"$0" restore "$1" </dev/null | cat >"$2/second"; exit "${PIPESTATUS:-0}"' "$ctl" "$IMAGE" "$dir" ||
		return
	grep -q '^PASS$' "$(here "$dir/second")" && return
	cat "$(here "$dir/first")" "$(here "$dir/second")"
	return 1
}

# on_terminal COMMAND...: of n1's, with a terminal
on_terminal() {
	timeout $((120 * SLOW)) "$top/tools/lab/lab" -L "$LAB" exec -t -u "$USER" n1 -- "$@" </dev/null
}

# Its terminal comes back on another one; without one it does not.
test_restored_terminal() {
	local i

	on_terminal "$ctl" run -- "$bin/counter" "$SHARED/tty.$count.stop" >"$work/tty.first" &
	for ((i = 0; i < 300 * SLOW; i++)); do
		! grep -q ^ready "$work/tty.first" || break
		sleep 0.1
	done
	GPID=$(ctl n1 ps | awk '/counter/ { print $1 }')
	keep && put_down || return
	wait
	refused n1 'has a terminal' "$IMAGE" || return
	(sleep 4; touch "$(here "$SHARED/tty.$count.stop")") &
	on_terminal "$ctl" restore "$IMAGE" >"$work/tty.second" || { cat "$work/tty.second"; return 1; }
	grep -q '^PASS' "$work/tty.second" && return
	cat "$work/tty.first" "$work/tty.second"
	return 1
}

# What run -d keeps of its output goes on being kept.
test_restored_log() {
	local first

	GPID=$(as n1 "$ctl" run -d -- "$bin/counter" "$SHARED/log.$count.stop") || return
	sleep 2
	first=$GPID
	keep && put_down && bring_back n1 || return
	touch "$(here "$SHARED/log.$count.stop")"
	as n1 "$ctl" wait "$GPID" || return
	as n1 "$ctl" logs "$GPID" >"$work/log.said"
	grep -q '^ready' "$work/log.said" && grep -q '^PASS$' "$work/log.said" || { cat "$work/log.said"; return 1; }
	# on another node it has a log of its own
	bring_back n2 && as n2 "$ctl" wait "$GPID" || return
	as n2 "$ctl" logs "$GPID" | grep -q '^PASS$' || { echo "no log of $GPID on n2"; return 1; }
}

# What cannot be kept is named, and the process does not notice.
test_checkpoint_refuses() {
	local status=0

	start counter || return
	USER=daemon as n1 "$ctl" checkpoint "$GPID" "/tmp/no.$count" >"$work/said" 2>&1 || status=$?
	[ $status = 4 ] || { echo "another user: $status, $(cat "$work/said")"; return 1; }
	as n1 "$ctl" checkpoint n1.999999 "/tmp/no.$count" >"$work/said" 2>&1
	[ $? = 3 ] || { echo "nobody: $(cat "$work/said")"; return 1; }
	as n1 "$ctl" checkpoint "$GPID" "/nowhere/no" >"$work/said" 2>&1 && { echo "no directory: done"; return 1; }
	stop || return
	GPID=$(as n1 "$ctl" run -d -- python3 -c 'import socket, time
import sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1)
open(sys.argv[1], "w").write("ready\n"); time.sleep(600)' "$SHARED/socket.$count") || return
	says "$SHARED/socket.$count" ready || return
	as n1 "$ctl" checkpoint "$GPID" "/tmp/no.$count" >"$work/said" 2>&1 && { echo "a socket: done"; return 1; }
	grep -q 'fd 3: .*no checkpoint can be made' "$work/said" || { cat "$work/said"; return 1; }
	[ "$(state)" = running ] || { echo "$(state)"; return 1; }
	on n1 sh -c '[ -z "$(ls /tmp/no.* 2>/dev/null)" ]' || { echo "something is left"; return 1; }
	put_down
}

# A disk that fills: nothing is left of the file, and the one that was there is as it was.
test_checkpoint_disk_full() {
	local status

	start counter || return
	on n1 sh -c 'mkdir -p /tmp/full && mount -t tmpfs -o size=256k,mode=1777 none /tmp/full && echo old >/tmp/full/image &&
		chown '"$USER"' /tmp/full/image' || return
	as n1 "$ctl" checkpoint "$GPID" /tmp/full/image >"$work/said" 2>&1 && { echo "it had room"; return 1; }
	grep -q 'No space left' "$work/said" || { cat "$work/said"; return 1; }
	[ "$(on n1 sh -c 'cat /tmp/full/*; ls -A /tmp/full | wc -l')" = "old
1" ] || { on n1 ls -lA /tmp/full; return 1; }
	on n1 umount /tmp/full
	stop
}

# spoil FILE PYTHON: f is its content, a bytearray
spoil() {
	python3 -c 'import struct, sys
f = bytearray(open(sys.argv[1], "rb").read())
exec(sys.argv[3])
open(sys.argv[2], "wb").write(f)' "$(here "$IMAGE")" "$(here "$1")" "$2"
	chmod 644 "$(here "$1")"
}

test_image_spoilt() {
	local bad=$SHARED/bad.$count

	start counter && keep && put_down || return
	chmod 644 "$(here "$IMAGE")"
	spoil "$bad" 'f[600] ^= 1' && refused n1 'record 0 is damaged' "$bad" || return
	spoil "$bad" 'f[len(f) // 2] ^= 1' && refused n1 'damaged' "$bad" || return
	spoil "$bad" 'del f[-100:]' && refused n1 'cut short' "$bad" || return
	spoil "$bad" 'del f[100:]' && refused n1 'cut short' "$bad" || return
	spoil "$bad" 'f += b"x"' && refused n1 'something was added' "$bad" || return
	spoil "$bad" 'f[0:4] = b"\x7fELF"' && refused n1 'no checkpoint' "$bad" || return
	spoil "$bad" 'f[8] = 9' && refused n1 'version 9 of the format' "$bad" || return
	spoil "$bad" 'f[40] ^= 1' && refused n1 'head is damaged' "$bad" || return
	as n1 "$ctl" image "$bad" >"$work/said" 2>&1 && { echo "image finds nothing"; return 1; }
	nothing_left && bring_back n1 && stop
}

# Whoever can make checksums meets the kernel.
test_image_hostile() {
	local bad=$SHARED/hostile.$count how

	start counter && keep && put_down || return
	while IFS=: read -r how pattern; do
		python3 "$top/selftests/vm/hostile_image.py" "$(here "$IMAGE")" "$(here "$bad")" "$how" || return
		chmod 644 "$(here "$bad")"
		refused n1 "$pattern" "$bad" || { echo "$how"; return 1; }
	done <<-'END'
		machine:another CPU
		image_version:image is of version
		cpu:CPU
		vdso:kernel build
		root:another user
		group:another group|group that is not
		capability:a capability
		inheritable:a capability
		limit:resource limit above
		realtime:real-time priority
		nice:nice value below
		oom:spared when memory
		locked:locked memory
		handle:at its home
		negative:bad image|record
		overlap:record .*vma
		keeper:Permission denied|No such process|Operation not permitted
		gpid:another process
	END
	nothing_left && bring_back n1 && stop
}

# Another user's image, or number, is not for everybody; root may, where root may be.
test_restored_user() {
	start counter && keep && put_down || return
	chmod 644 "$(here "$IMAGE")"
	(USER=daemon; refused n1 'another user' "$IMAGE" && refused n1 'another user' --as-new "$IMAGE") || return
	GPID=$(on n1 "$ctl" restore -d "$IMAGE" 2>"$work/said") || { cat "$work/said"; return 1; }
	[ "$(field uid)" = "$(as n1 id -u)" ] || { echo "uid $(field uid)"; return 1; }
	stop
}

# A program that was built anew since is another program.
test_restored_other_program() {
	local program=$SHARED/program.$count

	cp "$bin/counter" "$(here "$program")" && chmod 755 "$(here "$program")"
	GPID=$(as n1 "$ctl" run -d -- "$program" "$SHARED/other.$count.stop") && sleep 2 || return
	keep && put_down || return
	touch "$(here "$program")"
	refused n1 "$program: .*another file here|another file here" "$IMAGE" || return
	[ "$(state)" = ended ] || { echo "the record: $(state)"; return 1; }
	rm "$(here "$program")"
	refused n1 'No such file' "$IMAGE" && nothing_left
}

test_image_shown() {
	start counter && keep || return
	as n1 "$ctl" image "$IMAGE" >"$work/shown" || return
	grep -q "^process  *$GPID (counter, uid $(as n1 id -u)" "$work/shown" && grep -q "^fd 1  *path $OUT" "$work/shown" ||
		{ cat "$work/shown"; return 1; }
	as n1 "$ctl" image -j "$IMAGE" >"$work/image.json" &&
		"$top/selftests/vm/schema" image "$work/image.json" || { cat "$work/image.json"; return 1; }
	stop
}

checkpoint_tests() {
	local p

	for p in "${moved[@]}"; do
		$brief && [[ " threads files pipes " != *" $p "* ]] || add "restored: $p" test_restored "$p"
	done
	for p in counter threads; do
		$brief || add "restored: $p.static" test_restored "$p.static"
	done
	$brief || add "restored, and moved" test_restored_moves
	$brief || add "restored beside the first" test_restored_beside
	add "restored on another node" test_restored_elsewhere
	$brief || add "checkpoint of a guest" test_checkpoint_of_guest
	$brief || add "restored with other pipes" test_restored_pipes
	$brief || add "restored with its terminal" test_restored_terminal
	add "restored with its log" test_restored_log
	$brief || add "checkpoint refuses" test_checkpoint_refuses
	$brief || add "checkpoint: the disk is full" test_checkpoint_disk_full
	$brief || add "restore refuses a spoilt image" test_image_spoilt
	add "restore refuses a hostile image" test_image_hostile
	$brief || add "restore refuses another user's" test_restored_user
	$brief || add "restore refuses another program" test_restored_other_program
	$brief || add "image shows it" test_image_shown
}
