#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh NAME: configures and builds one of the kernels of lib.sh.

set -eu
. "$(dirname "$0")/lib.sh"
kernel_setup "$1"

# One at a time; the second one finds it built.
exec 7> "$objects.lock"
flock -n 7 || {
	say "wait until somebody else has built $1"
	flock 7
}

# merge_config.sh would take a second line for an option, even the same one, for
# a value that did not survive.
last_of_each()
{
	awk '
	match($0, /CONFIG_[A-Za-z0-9_]+(=| is not set$)/) {
		name = substr($0, RSTART, RLENGTH)
		sub(/(=| is not set)$/, "", name)
		line[name] = $0
	}
	END {
		for (name in line)
			print line[name]
	}' | sort
}

# Some options have other names in other versions.
as_called_then()
{
	if [ -f "$top/compat/$kver/config.sed" ]; then
		sed -f "$top/compat/$kver/config.sed"
	else
		cat
	fi
}

# No modules, and few boards.
trim_base()
{
	kernel_make KCONFIG_CONFIG="$objects/whole.config" "${base##*/}" mod2noconfig
	sed -n 's/^config \(ARCH_[A-Z0-9_]*\)$/CONFIG_\1=/p' "$source/arch/$arch/Kconfig.platforms" |
		grep -v -E "ARCH_($boards)=" > "$objects/other-boards"
	base=$objects/base.config
	grep -v -F -f "$objects/other-boards" "$objects/whole.config" > "$base"
}

# What does not depend on the options that differ is built already.
copy_origin()
{
	[ ! -d "$objects" ] && [ -n "$origin" ] && [ -f "$build/$origin/vmlinux" ] || return 0
	mkdir "$objects.tmp"
	(cd "$build/$origin" && tar -c --exclude=./selftests --exclude=./initramfs* \
		--exclude=./kselftest_install --exclude=./modules_install .) |
		tar -x -C "$objects.tmp"
	mv "$objects.tmp" "$objects"
}

# allnoconfig, or the base, and the fragments, with what the selftests want on top
# if they are to run.
configure()
{
	wanted=$objects/wanted.config
	copy_origin
	mkdir -p "$objects"
	{
		for fragment in $fragments; do
			cat "$top/configs/$fragment"
		done
		[ $purpose != selftests ] || cat "$selftests_config"
		[ -z "$variant" ] || cat "$variant"
	} | as_called_then | last_of_each > "$wanted"

	# The rest takes several seconds, and has only these to go by.
	{
		cat "$wanted" "$linux.version"
		find "$source/mm" -name 'Kconfig*' -type f | sort | xargs cat
	} > "$objects/config-input"
	if [ -f "$objects/.config" ] &&
	   cmp -s "$objects/config-input" "$objects/configured"; then
		return
	fi

	[ -z "$boards" ] || trim_base

	# Made beside .config, which stays as it is, with its time, if it is
	# the same: else all of the kernel would be looked through again.
	(cd "$source" && KCONFIG_CONFIG="$objects/.config.new" ARCH=$arch CROSS_COMPILE=$cross \
		scripts/kconfig/merge_config.sh -O "$objects" "${base:--n}" "$wanted")

	# merge_config.sh warns of what did not survive, but goes on.
	awk '
	FNR == NR {
		if (match($0, /^CONFIG_[A-Za-z0-9_]+=/))
			want[substr($0, 1, RLENGTH - 1)] = $0
		else if ($1 == "#" && $2 ~ /^CONFIG_/ && $3 == "is")
			want[$2] = ""
		next
	}
	match($0, /^CONFIG_[A-Za-z0-9_]+=/) { have[substr($0, 1, RLENGTH - 1)] = $0 }
	END {
		for (name in want) {
			if (want[name] == have[name])
				continue
			printf "wanted %s, got %s\n", \
				want[name] == "" ? name "=n" : want[name], \
				have[name] == "" ? "nothing" : have[name]
			lost++
		}
		exit lost > 0
	}' "$wanted" "$objects/.config.new" ||
		die "these options did not survive the configuration"

	if cmp -s "$objects/.config.new" "$objects/.config"; then
		rm "$objects/.config.new"
	else
		mv "$objects/.config.new" "$objects/.config"
	fi
	mv "$objects/config-input" "$objects/configured"
}

# Kernels that are older than the compiler and the linker have some as they are.
new_warnings()
{
	grep -E -i "$warnings" "$objects/make.log" |
		if [ -f "$top/compat/$kver/warnings" ]; then
			grep -v -E -f "$top/compat/$kver/warnings"
		else
			cat
		fi
}

# CONFIG_WERROR stops the compiler's warnings; modpost, the linker and the
# scripts have some of their own.
compile()
{
	# shellcheck disable=SC2086
	if ! kernel_make $targets > "$objects/make.log" 2>&1; then
		cat "$objects/make.log"
		grep "error: " "$objects/make.log" || :
		return 1
	fi
	if new_warnings | grep .; then
		# So that the next run sees them too.
		rm -f "$objects/vmlinux.o" "$objects/Module.symvers"
		return 1
	fi
}

step "config-$1" "configure $1" configure
step "build-$1" "build $1" compile
