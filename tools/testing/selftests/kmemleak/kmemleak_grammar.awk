# SPDX-License-Identifier: GPL-2.0
#
# The grammar of the report: every line is where it has to be, there are as many lines
# in a hex dump as it says, and the last record is a whole one. Says what is wrong.

function complain(why) {
	print FILENAME ":" FNR ": " why ": " $0
	bad = 1
}

/^unreferenced object( \(percpu\))? 0x[0-9a-f]+ \(size [0-9]+\):$/ {
	if (where != "" && where != "frames")
		complain("record begins too early")
	where = "comm"
	records++
	next
}

where == "comm" {
	if (!/^  comm ".*", pid [0-9]+, jiffies [0-9]+$/)
		complain("no comm line")
	where = "dump"
	next
}

where == "dump" {
	if (!/^  hex dump \(first [0-9]+ bytes( on cpu [0-9]+)?\):$/)
		complain("no hex dump")
	left = int(($4 + 15) / 16)
	where = "bytes"
	next
}

where == "bytes" && left {
	if (!/^    [0-9a-f][0-9a-f]( [0-9a-f][0-9a-f])* +[ -~]+$/)
		complain("no dumped bytes")
	left--
	next
}

where == "bytes" {
	if (!/^  backtrace \(crc [0-9a-f]+\):$/)
		complain("no backtrace")
	where = "frames"
	next
}

where == "frames" && /^    [^ ].*\+0x[0-9a-f]+\/0x[0-9a-f]+( \[[^ ]+\])?$/ { next }
where == "frames" && /^    0x[0-9a-f]+( \[[^ ]+\])?$/ { next }
where == "frames" && /^    \[(unknown|generated) code\]$/ { next }
{ complain("not in the grammar") }

END {
	if (where != "frames")
		complain(records ? "the last record ends too early" : "no record")
	exit bad
}
