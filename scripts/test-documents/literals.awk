# SPDX-License-Identifier: GPL-2.0
#
# The string literals of C sources, one a line, those that stand behind one another put
# together; with the variable `apart` each for itself, as in scripts. A conversion of
# printf() is a byte of 1.

function flush(  line, lines, count) {
	count = split(text, lines, "\n")
	for (line = 1; line <= count; line++)
		if (lines[line] != "")
			print lines[line]
	text = ""
}

{
	rest = $0
	while (match(rest, /"([^"\\]|\\.)*"/)) {
		between = substr(rest, 1, RSTART - 1)
		if (apart || between !~ /^[ \t]*$/)
			flush()
		literal = substr(rest, RSTART + 1, RLENGTH - 2)
		gsub(/\\n/, "\n", literal)
		gsub(/\\t/, "\t", literal)
		gsub(/\\"/, "\"", literal)
		gsub(/%[-+ #0]*(\*|[0-9]+)?(\.(\*|[0-9]+))?(ll|l|z|h|j)?(p[A-Za-z]+|[diouxXcsfgp])/, \
		     "\001", literal)
		text = text literal
		rest = substr(rest, RSTART + RLENGTH)
	}
	if (rest !~ /^[ \t]*$/)
		flush()
	# A text of several lines.
	if (apart && match(rest, /"[^"]+$/))
		print substr(rest, RSTART + 1)
}

END { flush() }
