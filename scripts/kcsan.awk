# SPDX-License-Identifier: GPL-2.0
#
# Reads the names of our functions, one a line, and then a console. Prints KCSAN's
# reports: those in which one of our functions has a part all through, of others
# the title. Fails if there is one of ours. What the scheduler and its timers do while one
# of them sleeps is none of ours, nor what an interrupt does in which none of them runs.

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

/^(read|write|read-write|race at|assert)/ {
	apart = 0
}

title != "" {
	text = text $0 "\n"
	if (match($0, /[A-Za-z_][A-Za-z0-9_.]*\+0x[0-9a-f]+\/0x/)) {
		name = substr($0, RSTART, RLENGTH)
		sub(/\+.*/, "", name)
		apart = apart || name ~ /^(_*schedule|schedule_(hr)?timeout.*|el1h_64_irq)$/
		ours = ours || !apart && name in function_names
	}
}

END {
	finish()
	exit found > 0
}
