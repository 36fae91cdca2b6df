# SPDX-License-Identifier: GPL-2.0
#
# Says which messages of documents are no text of a source. In a text a byte of 1 stands
# for what is put in; in a message "..." does, and numbers. The variable `kind` says what
# a file has.

function as_pattern(text) {
	gsub(/[][(){}.*+?^$|\\]/, "\\\\&", text)
	return text
}

{ sub(/^ +/, "") }

kind == "text" {
	texts[++nr] = $0
	said = $0
	gsub(/[^A-Za-z]/, "", said)
	pattern = as_pattern($0)
	gsub("\001", ".*", pattern)
	patterns[nr] = length(said) < 4 ? "" : pattern
	next
}

# Either has what the other one has left open.
function is_known(message,  pattern, instance, i) {
	sub(/ \.\.\.$/, "", message)
	pattern = message
	sub(/^\.\.\. /, "", pattern)
	pattern = as_pattern(pattern)
	gsub(/\\\.\\\.\\\./, ".*", pattern)
	# Each word apart: "N" is a number.
	gsub(/[A-Za-z_]+/, "<&>", pattern)
	gsub(/<N>/, "9", pattern)
	gsub(/[<>]/, "", pattern)
	gsub(/0x[0-9a-f]+|[0-9]+/, "[0-9x\001]+", pattern)
	instance = message
	gsub(/\.\.\./, "X", instance)
	for (i = 1; i <= nr; i++)
		if (texts[i] ~ pattern || patterns[i] != "" && instance ~ "^" patterns[i] "$")
			return 1
	return 0
}

!is_known($0) { print "nobody says: " $0 }
