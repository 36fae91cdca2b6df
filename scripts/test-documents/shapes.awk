# SPDX-License-Identifier: GPL-2.0
#
# Says which lines of samples have a form that the tool does not print: neither that of
# a line of its answers, nor of one of the literals of its source that say enough to be
# told apart. The variable `kind` says what a file has.

# A line with all that differs from report to report replaced.
function shape(line) {
	gsub(/0x[0-9a-f]+/, "ADDRESS", line)
	gsub(/[A-Za-z_.][A-Za-z0-9_.]*\+ADDRESS\/ADDRESS( \[[A-Za-z0-9_]+\])?/, "FRAME", line)
	sub(/FRAME  [^ ]+:[0-9]+(, [^ ]+:[0-9]+)*(, \.\.\.)?$/, "FRAME SOURCE", line)
	sub(/allocated by ".*$/, "allocated by NAMES", line)
	sub(/^    (FRAME|ADDRESS)/, "    FRAME", line)
	sub(/^  at ADDRESS.*/, "  at ADDRESSES", line)
	sub(/growing: [^ ,]+,/, "growing: CACHE,", line)
	gsub(/leaks/, "leak", line)
	gsub(/objects/, "object", line)
	gsub(/places/, "place", line)
	sub(/^[0-9]+ new leak/, "0 leak", line)
	sub(/^no new leak/, "no leak", line)
	gsub(/[0-9]+(\.[0-9]+)?/, "0", line)
	gsub(/0[KMG]/, "0", line)
	return line
}

function as_pattern(text) {
	gsub(/[][(){}.*+?^$|\\]/, "\\\\&", text)
	return text
}

kind == "answer" {
	answers[shape($0)]
	next
}

kind == "literal" {
	said = $0
	gsub(/[^A-Za-z]/, "", said)
	if (length(said) < 8)
		next
	text = as_pattern($0)
	# At the end that is a plural.
	sub("\001$", "[^ ]*", text)
	gsub("\001", ".*", text)
	literals["(^|[a-z] )" text "$"]
	next
}

function is_known(line,  form, other) {
	form = shape(line)
	if (form in answers)
		return 1
	form = as_pattern(form)
	if (sub(/  \\\.\\\.\\\.  /, "  .*  ", form))
		for (other in answers)
			if (other ~ "^" form "$")
				return 1
	for (other in literals)
		if (line ~ other)
			return 1
	# The table of the caches of a module.
	return line ~ /^ +before +loaded +unloaded$/ ||
	       line ~ /^[A-Za-z0-9_-]+ +[0-9]+ +[0-9]+ +[0-9]+  (grown|new|gone)$/
}

{
	file = $0
	sub(/: .*/, "", file)
	line = substr($0, length(file) + 3)
	if (line !~ /^ *\.\.\.$/ && !is_known(line))
		print file " has what the tool does not print: " line
}
