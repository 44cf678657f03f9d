# SPDX-License-Identifier: GPL-2.0
#
# operating.sh - the commands of docs/operating.md, typed as they stand there
#
# To be sourced by run.  Only lines of "console" blocks that begin with a prompt are
# commands: NODE# (root), NODE$ (a user), lab$ (something breaks).  Each has to
# succeed.  $id is what a command before it has set, on whichever node.

names=(alpha beta gamma)

# the commands, a line each, with the nodes' names here
operating_commands() {
	local i script=()

	for i in "${!names[@]}"; do
		script+=(-e "s/\\b${names[i]}\\b/${NODES[i]}/g")
	done
	awk '/^```/ { inside = $0 == "```console"; next } inside' "$top/docs/operating.md" |
		grep -E '^(lab|alpha|beta|gamma)[#$] ' | sed "${script[@]}"
}

# type_in PROMPT COMMAND
type_in() {
	local who=on words script

	case $1 in
	lab*) read -ra words <<<"$2"; lab "${words[@]}"; return ;;
	*\$) who=as ;;
	esac
	script='. "$0" 2>/dev/null; eval "$1"; status=$?; echo "id=$id" >"$0"; exit $status'
	"$who" "${1%?}" env PATH="${ctl%/*}:$PATH" bash -c "$script" "$SHARED/operating" "$2"
}

# the guide changes the key; a node that is started again has that of the lab
keep_key() { on n1 cp -p /etc/continuum/cluster.key "$SHARED/lab.key"; }
lab_key_again() {
	everywhere_sh "cd /etc/continuum && mv cluster.key cluster.key.old &&
		cp -p $SHARED/lab.key cluster.key && continuumctl reload" &&
		everywhere_sh 'rm /etc/continuum/cluster.key.old && continuumctl reload'
}

everywhere_sh() {
	local n

	for n in "${NODES[@]}"; do
		on "$n" sh -c "PATH=${ctl%/*}:\$PATH; $1" || return
	done
}

test_operating() {
	local line prompt command n=0

	on n1 sh -c ': >"$0"; chmod 666 "$0"' "$SHARED/operating" || return
	keep_key || return
	while IFS= read -r line <&3; do
		prompt=${line%% *} command=${line#* }
		echo "$line"
		type_in "$prompt" "$command" || { echo "fails with status $?"; return 1; }
		n=$((n + 1))
	done 3< <(operating_commands)
	lab_key_again || return
	[ $n -gt 50 ] || { echo "only $n commands"; return 1; }
}

operating_tests() {
	$brief || add "the operator's guide" test_operating
}
