# SPDX-License-Identifier: GPL-2.0
#
# Compare the records of a report (read with part=2) with those known from another one
# (part=1): none comes twice, and known ones have not changed. Says what is wrong, and
# exits as kmemleak_report.awk does.

function complain(text) {
	print text
	bad = 1
}

function end_record() {
	if (whose == 1) {
		known[addr] = text
	} else if (whose == 2) {
		if (addr in seen)
			complain("comes twice: " text)
		if (addr in known && text != known[addr])
			complain("has changed: " known[addr] "into: " text)
		seen[addr] = 1
	}
}

/^unreferenced object / {
	end_record()
	whose = part
	addr = $(NF - 2)
	text = ""
}

{ text = text $0 "\n" }

END {
	end_record()
	for (addr in known) {
		if (!(addr in seen)) {
			print "not found: " known[addr]
			missed = 2
		}
	}
	exit bad ? bad : missed
}
