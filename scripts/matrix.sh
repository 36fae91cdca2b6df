# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck disable=SC2154 # top, logs and more are from lib.sh
#
# The rows of matrix.tbl: each a kernel that is built, and booted with the KUnit suites
# and those selftests that differ with it. To be sourced by test.sh, whose functions
# build.

matrix_results=$build/matrix
matrix_tests="test_recall.sh test_churn.sh test_leaks.sh test_live.sh test_annotations.sh
	test_growth.sh test_off.sh"
# Fewer rounds and scans than the first guest of `make test` has: what differs shows in
# each of them.
matrix_words="KML_ROUNDS=20 SCANS=20"

matrix_rows()
{
	sed '/^#/d; /^$/d; s/\t.*//' "$top/scripts/matrix.tbl"
}

# Sets what the table has of a row.
matrix_row()	# ROW
{
	row=$(grep "^$1	" "$top/scripts/matrix.tbl") ||
		die "the matrix has no row $1; there are: $(matrix_rows | xargs)"
	oifs=$IFS
	IFS='	'
	# shellcheck disable=SC2086
	set -- $row
	IFS=$oifs
	row_kernel=$2 row_cpus=$3 row_memory=$4 row_machine=$5 row_seconds=$6
	row_options=$7 row_words=$8 row_what=$9
	[ "$row_options" != - ] || row_options=
	[ "$row_words" != - ] || row_words=
	row_board=${row_machine%/*} row_cpu=${row_machine#*/}
	[ "$row_machine" != - ] || row_board='' row_cpu=''
}

# QEMU 7.2, which Debian 12 has, loses tags of memory: with KASAN_HW_TAGS no kernel boots,
# without the detector neither.
needs_newer_qemu()
{
	[ "$row_kernel" = arm64-hwtags ] && qemu-system-aarch64 --version | grep -q 'version 7\.'
}

matrix_test()	# ROW
{
	kernel_setup "$row_kernel"
	if [ "$row_cpus" = - ]; then
		"$top/scripts/setup.sh" run && build_kernel "$row_kernel"
		return
	fi
	tests=$matrix_tests
	[ "$1" != debug ] || tests=
	[ "$1" != init-off ] || tests="$tests test_shapes.sh"
	# It is slow; what it is for are the KUnit suites, and races of other kinds.
	[ "$row_kernel" != arm64-kcsan ] || tests="test_live.sh test_annotations.sh"
	row_qemu=
	! needs_newer_qemu || row_qemu=$top/build/qemu
	GUEST_QEMU=$row_qemu GUEST_ARCH=${row_kernel%%-*} "$top/scripts/setup.sh" run || return
	kernel_for_guests "$row_kernel" || return 0
	# shellcheck disable=SC2086
	GUEST_QEMU=$row_qemu GUEST_BOARD=$row_board GUEST_CPU=$row_cpu ROW=$1 \
		"$top/scripts/test-guest.sh" "$row_kernel" "$row_cpus" "$row_memory" "$row_seconds" \
		"kunit.enable=1${row_options:+ $row_options}" $matrix_words $row_words $tests
}

# What is kept of a row, for the table: when and with which kernel, and how it went.
matrix_note()	# ROW FILE
{
	passed=$(grep -c '^ok ' "$2") || :
	failed=$(grep -c '^not ok ' "$2") || :
	if [ "$failed" != 0 ] || [ "$passed" = 0 ]; then
		result="$failed of $((passed + failed)) fail"
	else
		result="$passed pass"
	fi
	release=$(cat "$objects/include/config/kernel.release" 2> /dev/null) || release=$kver
	printf '%s\t%s\t%s\t%s\n' "$1" "$result" "$(date +%F)" "$release" > "$matrix_results/$1"
}

# The rows that have been run, as README.md has them.
matrix_table()
{
	echo "| Row | What it is | Result | Date | Kernel |"
	echo "|-----|------------|--------|------|--------|"
	for row_name in $(matrix_rows); do
		[ -f "$matrix_results/$row_name" ] || continue
		matrix_row "$row_name"
		awk -F '\t' -v what="$row_what" '
			{ printf "| `%s` | %s | %s | %s | %s |\n", $1, what, $2, $3, $4 }' \
			"$matrix_results/$row_name"
	done
}

# all of them with 1, else those that are named
matrix_run()	# ROW...
{
	mkdir -p "$matrix_results"
	# shellcheck disable=SC2046
	[ "$*" != 1 ] || set -- $(matrix_rows)
	for row_name; do
		matrix_row "$row_name"
		kernel_setup "$row_kernel"
		begun=$(wc -l < "$results")
		part "$row_name: $row_what" matrix_test "$row_name"
		tail -n +$((begun + 1)) "$results" > "$logs/matrix-$row_name.log"
		matrix_note "$row_name" "$logs/matrix-$row_name.log"
	done
	matrix_table
}
