# SPDX-License-Identifier: GPL-2.0
#
# What the tool says in samples of documents: the lines behind a prompt with its name,
# up to the next prompt or the end of the block, with the document in front.

{
	match($0, /^ */)
	blank = $0 == ""
}

# The block of a README ends with ```, that of other documents where it is less
# indented.
here && (/^```/ || !blank && RLENGTH < indent) { here = 0 }

/^ *[#$] / {
	here = /^ *[#$] kmemleak / && !/>|&$/
	indent = RLENGTH
	next
}

here && !blank { print FILENAME ": " substr($0, indent + 1) }
