# SPDX-License-Identifier: GPL-2.0
#
# Compare a report (read with part=1) with what is expected of it (part=2): lines
# of address, size, function, fate and label, as the test modules print
# them. Says what is wrong, and exits with 2 if that is only that some leaks
# were not found, with 1 if it is anything else.
#
# module: the frame of the function must name it, or one of several
# later:  what has become of "later": quiet or leak
# only:   "yes" if no other record may have a frame of such a module

function complain(text) {
	print text
	bad = 1
}

function miss(text) {
	print text
	missed = 2
}

BEGIN {
	nr = split(module, names, " ")
	for (i = 1; i <= nr; i++)
		modules["[" names[i] "]"] = 1
}

part == 1 && /^unreferenced object / {
	addr = $(NF - 2)
	size[addr] = $NF + 0
	next
}

# A frame: "    function+0x12/0x34 [module]"
part == 1 {
	if (/^    [^ ].*\+0x[0-9a-f]+\/0x[0-9a-f]+/) {
		name = $1
		sub(/[.+].*/, "", name)
		if ($2 in modules) {
			ours[addr] = name
			frames[addr] = frames[addr] " " name " "
		}
	}
	next
}

{
	lines++
	wanted[$1] = 1
	fate = $4 == "later" ? later : $4
	if (fate == "any")
		next
	if (fate == "quiet") {
		if ($1 in size)
			complain("false report of " $0)
	} else if (!($1 in size)) {
		miss("not found: " $0)
	} else {
		if (size[$1] != $2)
			complain("size is " size[$1] ": " $0)
		if (!index(frames[$1], " " $3 " "))
			complain("no frame of the function (but " frames[$1] "): " $0)
	}
}

END {
	if (!lines && only != "yes")
		complain("nothing is expected: the test is broken")
	if (only == "yes")
		for (addr in ours)
			if (!(addr in wanted))
				complain("unexpected report: " addr " of " ours[addr])
	exit bad ? bad : missed
}
