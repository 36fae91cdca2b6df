#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The recipes of Documentation/dev-tools/kmemleak-ci.rst, as they stand there.

# shellcheck source=/dev/null
. "$(dirname "$0")/kmemleak_lib.sh"

LEAKY=$KML_HERE/test_modules/kmemleak_leaky.ko
LOSES="insmod $LEAKY pattern=condition && rmmod kmemleak_leaky"
PATH=$KML_HERE:$PATH

# recipe STATUS NAME ARGUMENT...: it has to end with this status.
recipe()
{
	want=$1 name=$2
	shift 2
	(cd "$KML_TMP" && "$KML_HERE/recipe_$name.sh" "$@") > "$KML_TMP/said" 2>&1
	got=$?
	[ "$got" = "$want" ] && return
	echo "recipe_$name.sh $*: status $got, not $want"
	cat "$KML_TMP/said"
	# What should have been found may be hidden.
	[ "$want" = 1 ] && [ "$got" = 0 ] && return "$HIDDEN"
	return 1
}

# What was lost before does not count, unless the scan before has missed it.
lost_before()
{
	recipe 0 leaks true && [ ! -s "$KML_TMP/said" ] && return
	grep -q leaky_probe "$KML_TMP/said" && return "$HIDDEN"
	return 1
}

leaks()
{
	insmod "$LEAKY" pattern=error_path && rmmod kmemleak_leaky && lost_before || return
	recipe 5 leaks sh -c "exit 5" && recipe 1 leaks sh -c "$LOSES" &&
		grep -q '^    leaky_transfer+' "$KML_TMP/said" &&
		! grep leaky_probe "$KML_TMP/said"
}

# Three tests, of which one loses memory and one fails.
each()
{
	cat > "$KML_TMP/suite" <<-SUITE
	#!/bin/sh
	case \$1 in
	loses) $LOSES ;;
	fails) exit 7 ;;
	esac
	SUITE
	chmod +x "$KML_TMP/suite"
	printf '%s\n' good loses fails > "$KML_TMP/tests"
	recipe 1 each "$KML_TMP/suite" < "$KML_TMP/tests" || return
	grep -q '^#     leaky_transfer+' "$KML_TMP/said" || return "$HIDDEN"
	grep 'ok - ' "$KML_TMP/said" > "$KML_TMP/verdicts"
	printf '%s\n' "ok - good" "not ok - loses: loses memory" "not ok - fails" |
		diff - "$KML_TMP/verdicts" || return
	echo good > "$KML_TMP/tests"
	recipe 0 each "$KML_TMP/suite" < "$KML_TMP/tests"
}

kml_setup 2
[ -x "$KML_HERE/kmemleak" ] || kml_skip_rest "the tool has not been built"

kml_test "a command in any shell" leaks
kml_test "each test of a suite" each

kml_finish
