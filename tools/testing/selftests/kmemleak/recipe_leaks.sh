#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# recipe_leaks.sh COMMAND...: fails if the kernel loses memory while it runs
kmemleak=/sys/kernel/debug/kmemleak

echo scan=off > $kmemleak || exit 3     # it is off, or not there
echo scan > $kmemleak && echo clear > $kmemleak || exit 3
"$@"
status=$?
echo scan > $kmemleak || exit 3
cat ${kmemleak}_info/groups
[ -z "$(cat $kmemleak)" ] || exit 1
exit $status
