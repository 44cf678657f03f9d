# SPDX-License-Identifier: GPL-2.0
#
# continuumctl.bash - completion for bash: commands, options, nodes, GPIDs, signals
#
# Needs nothing but bash. Nodes and processes are those that the cluster has at the
# moment; where it cannot be asked, there are none.

# The first column of a listing, without its head.
_continuumctl_column() {
	local first rest head=true

	"$_continuumctl" "$1" 2>/dev/null </dev/null | while read -r first rest; do
		$head || printf '%s\n' "$first"
		head=false
	done
}

_continuumctl_gpids() { _continuumctl_column ps; }

_continuumctl_nodes() {
	local key name rest

	_continuumctl_column peers
	"$_continuumctl" status 2>/dev/null </dev/null | while read -r key name rest; do
		[ "$key" != node ] || printf '%s\n' "$name"
	done
}

# As kill takes them: without SIG; real-time ones are seldom meant.
_continuumctl_signals() {
	local name

	for name in $(compgen -A signal SIG); do
		[[ $name == *RT* ]] || printf '%s\n' "${name#SIG}"
	done
}

_continuumctl_commands="up down join leave reload drain set get genkey status peers ps top events trace
	metrics report run migrate kill wait explain suspend resume recover checkpoint restore image logs put cat pin drop locate blocks
	wordcount map check version help"
_continuumctl_settings="accept allow_root encrypt t_high t_low valve watchdog watchdog_contention"

# The options of a command
_continuumctl_options() {
	case $1 in
	up) echo --module ;;
	down) echo --keep ;;
	drain) echo --force ;;
	get|status|peers|wait|explain|check|locate|blocks|image) echo -j --json ;;
	events) echo -j --json -s --since ;;
	ps) echo -a -j --json ;;
	report) echo -d --duration -o --output -r --record ;;
	trace) echo -j --json -d --duration -n --moves ;;
	metrics) echo -p --processes -o --output ;;
	run) echo --to --pin --ttl --lease --linger -d --detach ;;
	restore) echo --as-new -d --detach ;;
	migrate) echo -j --json --cluster ;;
	kill) echo -s -u --user --family --all ;;
	put) echo -j --json --copies --chunk --family ;;
	wordcount) echo -v --verbose -j --json --chunk --workers --timeout ;;
	map) echo -v --verbose --command --chunk --workers --timeout ;;
	pin) echo --copies ;;
	drop) echo --family --all ;;
	suspend|resume) echo -u --user --family --all ;;
	esac
	echo --help
}

# What comes after an option: words, or "file"; fails when it takes no value.
_continuumctl_value() {
	case $1:$2 in
	up:--module|report:-o|report:--output|report:-r|report:--record|metrics:-o|metrics:--output) echo file ;;
	run:--to) _continuumctl_nodes; echo any ;;
	report:-d|report:--duration|events:-s|events:--since|trace:-d|trace:--duration|trace:-n|trace:--moves|run:--ttl|run:--lease|put:--copies|put:--chunk|pin:--copies) ;;
	wordcount:--chunk|wordcount:--workers|wordcount:--timeout) ;;
	map:--command|map:--chunk|map:--workers|map:--timeout) ;;
	kill:-s) _continuumctl_signals ;;
	kill:-u|kill:--user|suspend:-u|suspend:--user|resume:-u|resume:--user) compgen -u ;;
	kill:--family|suspend:--family|resume:--family) _continuumctl_gpids ;;
	*) return 1 ;;
	esac
}

# _continuumctl_argument COMMAND NUMBER BEFORE: argument NUMBER (from 0) of a command
_continuumctl_argument() {
	case $1:$2 in
	leave:0) _continuumctl_nodes ;;
	drain:0) echo off ;;
	get:0) echo "$_continuumctl_settings" ;;
	set:0) echo "$_continuumctl_settings"; _continuumctl_gpids ;;
	set:1)
		case $3 in
		t_high|t_low) ;;
		*.*|'#'*) echo pin ttl lease ;;
		*) echo on off ;;
		esac
		;;
	set:2)
		case $3 in
		pin) echo on off ;;
		lease) echo off ;;
		on|off|[0-9]*) echo "$_continuumctl_settings" ;;
		esac
		;;
	ps:*|kill:*|suspend:*|resume:*) _continuumctl_gpids ;;
	trace:0|migrate:0|wait:0|explain:0|recover:0|checkpoint:0|logs:0) _continuumctl_gpids ;;
	migrate:1) _continuumctl_nodes; echo any home ;;
	explain:1) _continuumctl_nodes ;;
	esac
}

# All that goes into COMPREPLY begins with what is there.
_continuumctl_reply() {
	local word

	for word in $1; do
		[[ $word != "$2"* ]] || COMPREPLY+=("$word")
	done
}

_continuumctl_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_continuumctl() {
	local _continuumctl=${COMP_WORDS[0]} command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}
	local i arguments=0 options=true before='' value

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_continuumctl_reply "$_continuumctl_commands --help --version" "$word"
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		before=${COMP_WORDS[i]}
		if $options && [ "$before" = -- ]; then
			options=false
		elif $options && [[ $before == -* ]]; then
			# a value is not an argument; an unfinished one is completed below
			! value=$(_continuumctl_value "$command" "$before") || i=$((i + 1))
		else
			options=false arguments=$((arguments + 1))
		fi
	done
	if ((i > COMP_CWORD)); then
		[ "$value" = file ] || { _continuumctl_reply "$value" "$word"; return; }
		_continuumctl_files "$word"
	elif $options && [[ $word == -* ]]; then
		_continuumctl_reply "$(_continuumctl_options "$command")" "$word"
	elif [ "$command" = run ] && ((arguments == 0)); then
		mapfile -t COMPREPLY < <(compgen -c -- "$word")
	elif [ "$command:$arguments" = checkpoint:1 ]; then
		_continuumctl_files "$word"
	elif [[ " run put wordcount map report restore image " == *" $command "* ]]; then
		_continuumctl_files "$word"
	else
		_continuumctl_reply "$(_continuumctl_argument "$command" "$arguments" "$before")" "$word"
	fi
}

complete -F _continuumctl continuumctl
