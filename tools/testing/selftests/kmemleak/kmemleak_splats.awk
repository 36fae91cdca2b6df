# SPDX-License-Identifier: GPL-2.0
#
# Blanks out, in a log of the kernel, warnings that are no fault of anybody: before Linux
# 6.13, with memory allocation profiling, the kernel warns of a module that goes while
# something that it has allocated is in use. So do modules that leak.

/\[ cut here \]/ {
	# One may come before the end of another, which has to be told.
	flush()
	within = 1
	expected = 0
}

!within { print; next }

{
	line[++lines] = $0
	expected = expected || / at alloc_tag_module_unload\+/
}

function flush(	i)
{
	for (i = 1; i <= lines; i++)
		print expected ? "" : line[i]
	within = 0
	lines = 0
}

/\[ end trace / { flush() }

END { flush() }
