#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Version:   Linux 7.3.4 (Debian's trixie-backports, package
#            linux-headers-7.3.4+deb13-common 7.3.4-1~bpo13+1); GCC 12
# Behaviour: kmem_cache_alloc_bulk() tells whether it has allocated all objects, by a bool.
#            Before, it told how many, by an int. A caller that compares with the number
#            that it wanted compiles as before, without a word of the compiler, takes
#            success for a failure, and loses all objects.
# Output:    bool kmem_cache_alloc_bulk_noprof(struct kmem_cache *s, gfp_t flags, size_t size, void **p);
#            warnings: 0
#            wanted 4, got 1: gives up
# Met in:    modules that were built for a newer kernel, and found no memory from then on.
#
# Fails if that is not so any more. Nothing of this project is used. The prototype is the
# kernel's, the function behind it one that always has memory.

set -eu
version=7.3.4
package=linux-headers-$version+deb13-common=$version-1~bpo13+1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# With lists of its own: those of the machine stay as they are.
cd "$work"
mkdir -p state/lists/partial cache/archives/partial
: > status
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
	"http://deb.debian.org/debian trixie-backports main" > list
apt()
{
	apt-get -o Dir::State="$work/state" -o Dir::State::status="$work/status" \
		-o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/list" \
		-o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root "$@"
}
{ apt update && apt download "$package"; } > log 2>&1 ||
	{ cat log; echo "$package cannot be had"; exit 2; }
dpkg-deb -x ./*.deb root
header=$(echo root/usr/src/linux-headers-"$version"*/include/linux/slab.h)

# On a line of its own, and without the word that is for a checker.
prototype=$(tr '\n\t' '  ' < "$header" |
	grep -o -E '[a-z]+ kmem_cache_alloc_bulk_noprof\([^)]*\)[^;]*;' |
	sed -E 's/ +/ /g; s/\) .*;/);/')
echo "$prototype"

cat > caller.c <<CALLER
#include <stdbool.h>
#include <stdio.h>

typedef unsigned int gfp_t;
struct kmem_cache;
$prototype

bool kmem_cache_alloc_bulk_noprof(struct kmem_cache *s, gfp_t flags, size_t size, void **p)
{
	(void)s;
	(void)flags;
	while (size--)
		p[size] = &p[size];
	return true;
}

int main(int argc, char **argv)
{
	int wanted = argc + 3, got;
	void *objects[8];

	(void)argv;
	got = kmem_cache_alloc_bulk_noprof(NULL, 0, wanted, objects);
	printf("wanted %d, got %d: %s\n", wanted, got, got < wanted ? "gives up" : "goes on");
	return 0;
}
CALLER
gcc -Wall -Wextra -o caller caller.c 2> warnings || { cat warnings; exit 1; }
echo "warnings: $(grep -c warning warnings || :)"
said=$(./caller)
echo "$said"
[ "${prototype%% *}" = bool ] && [ ! -s warnings ] && [ "$said" = "wanted 4, got 1: gives up" ]
