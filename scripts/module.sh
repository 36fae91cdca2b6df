# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck disable=SC2034 # what is set here is for the scripts that source it
# shellcheck disable=SC2154 # objects, users_module and more are from lib.sh
#
# Modules of a user's own, for a guest. Sourced by guest.sh.

module_source()
{
	# Not all shells expand it there.
	case $users_module in
	\~/*)	users_module=$HOME/${users_module#\~/} ;;
	esac
	from=$(cd "$users_module" 2> /dev/null && pwd) ||
		die "MODULE is no directory: $users_module; name the one with its Makefile"
	case $top/ in
	"$from"/*) die "MODULE has the detector in it: $from" ;;
	esac
	[ -f "$from/Kbuild" ] || [ -f "$from/Makefile" ] ||
		die "there is no Makefile in $from; one line is enough: obj-m := NAME.o"
	module_copy=$objects/module
}

# In a copy, since a module for guests is of no use elsewhere. It is made anew, as files
# of another directory may have the same names and be older than what was built. With
# debug information, for source lines, and whatever warnings there are. $(PWD) is where
# the Makefile is, as usual, and messages name the user's files.
module_build()
{
	rm -rf "$module_copy"
	rsync -a --exclude='.*' --exclude='*.o' --exclude='*.ko' --exclude='*.mod' \
		--exclude='*.mod.c' --exclude=modules.order --exclude=Module.symvers \
		"$from/" "$module_copy/"
	cd "$module_copy" || return
	built=yes
	kernel_make M="$module_copy" KCFLAGS="-g -Wno-error" modules > "$logs/module.make" 2>&1 ||
		built=no
	sed "s|$module_copy/|$from/|g" "$logs/module.make"
	if [ "$built" = no ]; then
		! grep -q -E "undefined!|implicit declaration" "$logs/module.make" ||
			echo "The kernel of the guest is a small one. FRAGMENT=FILE adds" \
				"options to it, as CONFIG_I2C=y."
		return 1
	fi
	module_files > "$module_copy.files"
	[ -s "$module_copy.files" ] || {
		echo "Nothing was built: the Makefile needs a line such as obj-m := NAME.o"
		echo "If it has obj-\$(CONFIG_X), add CONFIG_X=m behind make run. If the" \
			"sources are in a directory below it, name that one."
		return 1
	}
}

# What was built, in its order; beginning with version 6.14 paths are relative.
module_files()
{
	sed 's/\.k*o$/.ko/' "$module_copy/modules.order" | while read -r file; do
		[ -f "$file" ] || file=$module_copy/${file##"$module_copy"/}
		echo "$file"
	done
}

# They come to /root, with the scripts that lie beside them.
module_pack()
{
	{
		while read -r file; do
			echo "file /root/${file##*/} $file 644 0 0"
		done < "$module_copy.files"
		for file in "$module_copy"/*.sh; do
			[ ! -f "$file" ] || echo "file /root/${file##*/} $file 755 0 0"
		done
	} > "$module_copy.list"
	"$objects/usr/gen_init_cpio" "$module_copy.list" |
		cat "$objects/initramfs.cpio" - > "$module_copy.cpio"
	guest_initrd=$module_copy.cpio
}
