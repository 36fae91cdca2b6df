/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __MM_PAGE_ALLOC_H
#define __MM_PAGE_ALLOC_H

/* Where it was before there was such a file. */
#include <linux/gfp.h>
#include "internal.h"

#endif /* __MM_PAGE_ALLOC_H */
