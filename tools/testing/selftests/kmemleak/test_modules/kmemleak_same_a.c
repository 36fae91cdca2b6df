// SPDX-License-Identifier: GPL-2.0
/* One of two modules that differ in names only. */
#define NAMED(name)	same_a_##name

#include "same_address.h"
