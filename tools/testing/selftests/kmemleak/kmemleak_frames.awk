# SPDX-License-Identifier: GPL-2.0
#
# Compare a report (read with part=1) with what two modules have logged (part=2): lines
# of module, address, context and return address. The report must have some leak for
# each module and context that is read with part=3. All frames that belong to a
# module, or to nothing, have to be those of the module that allocated the object.
# Says what is wrong, and exits as kmemleak_report.awk does.

function complain(text) {
	print text
	bad = 1
}

# The frames of an object that was allocated in this context.
function expected(module, context,	prefix, end, frames) {
	prefix = " " substr(module, length("kmemleak_") + 1) "_"
	end = "[" module "]"
	frames = prefix "alloc" end prefix "in_" context end
	if (context == "task")
		frames = frames prefix "set" end
	if (context == "init")
		frames = frames prefix "init" end
	return frames
}

part == 1 && /^unreferenced object / {
	addr = $(NF - 2)
	frames[addr] = ""
	next
}

part == 1 {
	if (/^    [^ ]+\+0x[0-9a-f]+\/0x[0-9a-f]+/) {
		name = $1
		sub(/\+.*/, "", name)
		if (NF > 1 || name ~ /^same_/)
			frames[addr] = frames[addr] " " name $2
	} else if (/^    0x[0-9a-f]+$/) {
		frames[addr] = frames[addr] " " $1
	}
	next
}

part == 2 {
	logged[$2] = 1
	if ($2 in frames && frames[$2] != expected($1, $3))
		complain($0 ": has" frames[$2] ", not" expected($1, $3))
	next
}

{
	lines++
	wanted[$1 " " $3] = 1
	if ($2 in frames)
		found[$1 " " $3] = 1
}

END {
	if (!lines)
		complain("nothing is expected: the test is broken")
	for (origin in wanted) {
		if (!(origin in found)) {
			print "not found: any of " origin
			missed = 2
		}
	}
	for (addr in frames)
		if (frames[addr] ~ / same_/ && !(addr in logged))
			complain("unexpected report: " addr frames[addr])
	exit bad ? bad : missed
}
