# SPDX-License-Identifier: GPL-2.0
#
# Print lines of the tool in samples of documents, each with the document in front: the
# lines behind a prompt with its name, up to the next prompt or the end of the sample.

{
	match($0, /^ */)
	blank = $0 == ""
}

# The sample of a README ends with ```, that of other documents where it is less
# indented.
here && (/^```/ || !blank && RLENGTH < indent) { here = 0 }

/^ *[#$] / {
	here = /^ *[#$] kmemleak / && !/>|&$/
	indent = RLENGTH
	next
}

here && !blank { print FILENAME ": " substr($0, indent + 1) }
