# SPDX-License-Identifier: GPL-2.0
#
# Writes the records of reports that a document shows to files, whose names begin with
# the variable `to`. What "..." stands for in a record is put in, as little as may be.

function put(line) {
	print line > file
	last = line
}

# A record needs these, whatever they say.
function complete(line) {
	if (last ~ /^  comm / && line !~ /^  hex dump/)
		put("  hex dump (first 0 bytes):")
	if (line == "" && last ~ /^  hex dump|^    [0-9a-f][0-9a-f] /)
		put("  backtrace (crc 0):")
}

function finish() {
	if (file == "")
		return
	complete("")
	close(file)
	file = ""
}

# Not the message of the log, with "0x...".
/^ *unreferenced object 0x[0-9a-f]+ / {
	finish()
	file = to (++records)
	match($0, /^ */)
	indent = RLENGTH
	put(substr($0, indent + 1))
	next
}

file != "" {
	match($0, /^ */)
	if (RLENGTH < indent + 2) {
		finish()
		next
	}
	line = substr($0, indent + 1)
	if (line ~ /^ +\.\.\.$/)
		next
	complete(line)
	put(line)
}

END { finish() }
