# SPDX-License-Identifier: GPL-2.0
#
# Reads KTAP of any depth, as KUnit (indented) and kselftest's runner (behind
# "# ") nest it, and says for each innermost test one line
#
#	ok - WHERE: NAME | not ok - WHERE: NAME | skip - WHERE: NAME # WHY
#
# and one "not ok" more wherever a number of tests is not the planned one, a
# test failed though all those within it passed, or nothing ran at all. What a
# failed test has said before comes after it, further to the right: the logs of
# a machine for CI may be gone by the time that somebody wants to know.
# WHERE comes with -v where=. With -v again=1 it is for others to say that nothing ran.
#
# How deep a line is, is the width of what stands before it. For each width:
# seen, failed and planned, the numbers of tests so far; label, what they are
# tests of; loop, whether they go without a plan. notes has the last lines that
# are no part of KTAP's own.

function say(verdict, name,	i)
{
	total++
	print verdict " - " where ": " name
	if (verdict == "not ok")
		for (i = nr_notes > LAST ? nr_notes - LAST : 0; i < nr_notes; i++)
			print "    " notes[i % LAST]
	nr_notes = 0
	fflush()
}

# Ends all that is deeper than WIDTH. Returns whether tests were in there, and
# leaves the number of failures among them in BAD.
function close_deeper(width, name,	w, any)
{
	bad = 0
	any = 0
	for (w = deepest; w > width; w--) {
		if (seen[w] > 0) {
			any = 1
			bad += failed[w]
		}
		if (w in planned ? seen[w] + 0 != planned[w] : seen[w] > 0 && !(w in loop)) {
			say("not ok", name ": " planned[w] + 0 " tests planned, " \
			    seen[w] + 0 " run")
			any = 1
			bad++
		}
		delete seen[w]
		delete planned[w]
		delete failed[w]
		delete label[w]
		delete loop[w]
	}
	deepest = width
	return any
}

function full_name(width, name,	w, prefix)
{
	for (w = 0; w <= width; w++)
		if (w in label)
			prefix = prefix label[w] ": "
	return prefix name
}

function result(width, good, name,	skipped, reason, any)
{
	skipped = match(name, / *# *[Ss][Kk][Ii][Pp]/)
	if (skipped) {
		reason = substr(name, RSTART + RLENGTH)
		name = substr(name, 1, RSTART - 1)
	}
	sub(/^ *(- )?/, "", name)

	any = close_deeper(width, full_name(width, name))
	seen[width]++
	if (any && !good && !bad) {
		say("not ok", full_name(width, name) ": failed outside its tests")
		bad++
	} else if (!any && skipped) {
		say("skip", full_name(width, name) " #" reason)
	} else if (!any) {
		say(good ? "ok" : "not ok", full_name(width, name))
		bad = !good
	}
	failed[width] += bad > 0
}

function go_to(width)
{
	if (width > deepest)
		deepest = width
}

BEGIN {
	LAST = 20
}

{
	sub(/\r$/, "")
	line = $0
	if (match(line, /^ *# Subtest: /)) {
		width = index(line, "#") - 1
		label[width] = substr(line, RSTART + RLENGTH)
		# KUnit has no plan for the parameters of one test.
		if (width > 4)
			loop[width] = 1
		nr_notes = 0
		go_to(width)
		next
	}
	if (match(line, /^# selftests: [^:]*: /)) {
		label[2] = substr(line, RSTART + RLENGTH)
		nr_notes = 0
		go_to(2)
		next
	}

	width = 0
	while (match(line, /^(# |  )/)) {
		line = substr(line, RLENGTH + 1)
		width += RLENGTH
	}
	if (width == 0 && line ~ /^K?TAP version /) {
		close_deeper(-1, "before this")
	} else if (match(line, /^1\.\.[0-9]+/)) {
		go_to(width)
		planned[width] = substr(line, 4, RLENGTH - 3)
	} else if (match(line, /^(not )?ok [0-9]+/)) {
		go_to(width)
		result(width, line ~ /^ok/, substr(line, RLENGTH + 1))
	} else if (line !~ /^K?TAP version /) {
		notes[nr_notes++ % LAST] = line
	}
}

END {
	close_deeper(-1, "at the end")
	if (!total && !again)
		say("not ok", "no test ran")
}
