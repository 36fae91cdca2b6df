# SPDX-License-Identifier: GPL-2.0
#
# At that time lib.mk asked for no more than standard C, and knew nothing of
# modules, nor of helpers for tests in shell.

CFLAGS += -D_GNU_SOURCE=

.PHONY: build_modules install_modules install_helpers
all: build_modules
install: install_modules install_helpers

build_modules:
	$(MAKE) -C $(TEST_GEN_MODS_DIR)

install_modules: build_modules
	mkdir -p $(INSTALL_PATH)/$(TEST_GEN_MODS_DIR)
	rsync -a $(TEST_GEN_MODS_DIR)/*.ko $(INSTALL_PATH)/$(TEST_GEN_MODS_DIR)/

install_helpers:
	mkdir -p $(INSTALL_PATH)/../kselftest
	rsync -a ../kselftest/ktap_helpers.sh $(INSTALL_PATH)/../kselftest/
