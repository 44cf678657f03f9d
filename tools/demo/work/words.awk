# SPDX-License-Identifier: GPL-2.0
# How often does which word come, over several readings of the text (standard
# input holds it several times)? gawk with hashes, strings and regular expressions.
{
	gsub(/[^A-Za-z]+/, " ")
	n = split(tolower($0), word, " ")
	for (i = 1; i <= n; i++) {
		count[word[i]]++
		letters += length(word[i])
	}
	lines++
}

END {
	PROCINFO["sorted_in"] = "@ind_str_asc"
	for (w in count)
		if (count[w] > 40)
			printf "%d %s\n", count[w], w
	printf "%d lines, %d letters, %.17g a line\n", lines, letters, letters / lines
	exit 3
}
