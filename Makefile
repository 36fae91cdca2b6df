# SPDX-License-Identifier: GPL-2.0

# Where `make apply`, `unapply` and `patch` find a kernel source.
KSRC ?=

# The kernel that everything else is done with: 6.12, 6.1, 7.2 or 7.3.
KVER ?= 6.12
export KVER

# 1: apply takes a kernel source that has not been tested, too.
FORCE ?=
export FORCE

# The architecture of guests: arm64, or x86_64.
ARCH ?= arm64
export ARCH

# What make test tests: 1: the rows of scripts/matrix.tbl; else those that it names.
MATRIX ?=
export MATRIX

# The machine on which run and shell start their guest: scripts/guest.sh has a table.
MACHINE ?=
export MACHINE

# The directory of a module of the user's own for the guest of run and shell, and a file of
# options for its kernel.
MODULE ?=
export MODULE
ifeq ($(origin MODULE)$(MODULE),command line)
$(error MODULE is empty: name the directory of a module)
endif
# Parameters for it.
PARAMS ?=
export PARAMS
FRAGMENT ?=
export FRAGMENT

.DEFAULT_GOAL := help
.PHONY: help run test bench recall shell apply unapply patch clean

help:
	@echo 'make run                 boot a kernel with the detector, show a leak it finds'
	@echo 'make test                run every test'
	@echo 'make test MATRIX=1       test it with other kernels and machines, for hours'
	@echo 'make test MATRIX=rt      one row of them; scripts/matrix.tbl has all'
	@echo 'make bench               measure what the detector costs, and its peer'
	@echo 'make bench BASE=REV      the same beside the detector of another revision'
	@echo 'make recall              count the leaks found on a defconfig kernel: a long build'
	@echo 'make shell               boot it and give a shell in it'
	@echo 'make run MACHINE=NAME    on a machine like a board: rock5b-plus, small; shell, too'
	@echo 'make run MODULE=DIR      build a module of yours, load it, unload it: what did it leak'
	@echo 'make shell MODULE=DIR    have it in the shell; FRAGMENT=FILE: more options for its kernel'
	@echo 'make apply KSRC=DIR      put the detector into a kernel source'
	@echo 'make unapply KSRC=DIR    take it out again'
	@echo 'make patch [KSRC=DIR]    write a series of patches, build/kmemleak-VERSION/'
	@echo 'make ... ARCH=x86_64     run, shell, test and bench on a PC'
	@echo 'make ... KVER=7.3        the same with another kernel: 6.1, 7.2, 7.3'
	@echo 'make clean               remove build/'

run shell test bench recall:
	@scripts/$@.sh

apply unapply:
	@$(if $(KSRC),,$(error say where the kernel source is: make $@ KSRC=DIR))
	@scripts/apply.sh $@ '$(KSRC)'

patch:
	@scripts/patch.sh '$(KSRC)'

clean:
	rm -rf build
