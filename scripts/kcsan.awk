# SPDX-License-Identifier: GPL-2.0
#
# Reads the names of our functions, one a line, and then a console. Prints KCSAN's
# reports: those in which one of our functions has a part all through, of others
# the title. Fails if there is one of ours.

function finish()
{
	if (title != "")
		printf "%s", ours ? text : "(not ours) " title "\n"
	found += title != "" && ours
	title = ""
}

FNR == NR {
	function_names[$1] = 1
	next
}

{
	sub(/\r$/, "")
	sub(/^\[ *[0-9]+\.[0-9]+\] ?/, "")
}

/^BUG: KCSAN: / {
	finish()
	title = $0
	text = ""
	ours = 0
}

/^==========/ || /^Reported by Kernel Concurrency Sanitizer/ {
	finish()
}

title != "" {
	text = text $0 "\n"
	if (match($0, /[A-Za-z_][A-Za-z0-9_.]*\+0x[0-9a-f]+\/0x/)) {
		name = substr($0, RSTART, RLENGTH)
		sub(/\+.*/, "", name)
		ours = ours || name in function_names
	}
}

END {
	finish()
	exit found > 0
}
