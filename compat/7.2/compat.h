/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what Linux 7.2 and older call by another name.
 *
 * It comes before all else, so there are macros only, which name what those who
 * use them have from elsewhere.
 */
#ifndef __MM_KMEMLEAK_COMPAT_7_2_H
#define __MM_KMEMLEAK_COMPAT_7_2_H

#define rcu_gp_seq			rcu_gp_oldstate

/* The linear map of arm64 has all of the kernel's image. */
#define KML_DATA_IS_LINEAR		true

#endif /* __MM_KMEMLEAK_COMPAT_7_2_H */
