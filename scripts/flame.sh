#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# flame.sh FOLDED PICTURE: has speedscope show what "kmemleak live --folded" wrote, and
# takes a picture of it. It fails if speedscope does not take the file.
#
# Needs npm, which fetches speedscope, and Chromium.

set -eu
. "$(dirname "$0")/lib.sh"

speedscope=1.25.0

[ $# = 2 ] || die "which stacks, and which picture: flame.sh FOLDED PICTURE"
for program in npm chromium base64; do
	command -v $program > /dev/null || die "needs $program"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folded=$(realpath "$1") picture=$(realpath "$2")

cd "$work"
npm pack --silent "speedscope@$speedscope" > /dev/null
tar -x -f speedscope-*.tgz
printf 'speedscope.loadFileFromBase64("%s", "%s")' "$(basename "$folded")" \
	"$(base64 -w 0 "$folded")" > profile.js

# chrome OPTION: the page as it is when the file has been read.
chrome()
{
	timeout 60 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars \
		--user-data-dir="$work/chrome" --window-size=1200,420 \
		--allow-file-access-from-files --virtual-time-budget=20000 "$1" \
		"file://$work/package/dist/release/index.html#localProfilePath=$work/profile.js&view=left-heavy" \
		2> chrome.log
}

# Its greeting stays where a file is not taken.
chrome --dump-dom > page.html
if ! grep -q "Left Heavy" page.html || grep -q "Drag and drop" page.html; then
	die "speedscope has not taken $1"
fi
chrome "--screenshot=$picture"
[ -s "$picture" ] || die "there is no picture: $(tail -n 3 chrome.log)"
say "speedscope $speedscope shows $1: $2"
