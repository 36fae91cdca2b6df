/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __LINUX_UNALIGNED_H
#define __LINUX_UNALIGNED_H

/* Where it was before it moved. */
#include <asm/unaligned.h>

#endif /* __LINUX_UNALIGNED_H */
