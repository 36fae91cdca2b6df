# SPDX-License-Identifier: GPL-2.0
#
# At that time lib.mk knew nothing of modules.

.PHONY: build_modules install_modules
all: build_modules
install: install_modules

build_modules:
	$(MAKE) -C $(TEST_GEN_MODS_DIR)

install_modules: build_modules
	mkdir -p $(INSTALL_PATH)/$(TEST_GEN_MODS_DIR)
	rsync -a $(TEST_GEN_MODS_DIR)/*.ko $(INSTALL_PATH)/$(TEST_GEN_MODS_DIR)/
