// SPDX-License-Identifier: GPL-2.0
/*
 * What has a count of references, by the function that allocates it. Where it was
 * allocated says little about such a leak: somebody did not give a reference back.
 *
 * The detector tells as well, with the count; upstream's does not.
 */
#include <string.h>

#include "kmemleak.h"

static const struct {
	const char *function;
	const char *type;
	/* It is from kmalloc(). All that others have from there is something else. */
	bool kmalloc;
} counted[] = {
	{ "__alloc_skb",		"struct sk_buff", false },
	{ "__d_alloc",			"struct dentry", false },
	{ "__kernfs_new_node",		"struct kernfs_node", false },
	{ "alloc_empty_backing_file",	"struct file", false },
	{ "alloc_empty_file",		"struct file", false },
	{ "alloc_empty_file_noaccount",	"struct file", false },
	{ "alloc_inode",		"struct inode", false },
	{ "alloc_netdev_mqs",		"struct net_device", true },
	{ "alloc_pid",			"struct pid", false },
	{ "alloc_uid",			"struct user_struct", false },
	{ "cred_alloc_blank",		"struct cred", false },
	{ "device_create_groups_vargs",	"struct device", true },
	{ "dup_fd",			"struct files_struct", false },
	{ "dup_task_struct",		"struct task_struct", false },
	{ "key_alloc",			"struct key", false },
	{ "kobject_create",		"struct kobject", true },
	{ "kobject_create_and_add",	"struct kobject", true },
	{ "mm_alloc",			"struct mm_struct", false },
	{ "platform_device_alloc",	"struct platform_device", true },
	{ "prepare_creds",		"struct cred", false },
	{ "prepare_kernel_cred",	"struct cred", false },
	{ "scsi_alloc_sdev",		"struct scsi_device", true },
	{ "sk_alloc",			"struct sock", true },
	{ "sk_prot_alloc",		"struct sock", true },
	{ "usb_alloc_dev",		"struct usb_device", true },
	{ "usb_alloc_urb",		"struct urb", true },
};

static bool is_from_cache(const struct intern *trace, const struct frame *site)
{
	struct frame frame = { 0 };

	while (trace_next(trace, &frame) && frame.text < site->text)
		if (!strncmp(frame.text, "kmem_cache_alloc", 16))
			return true;
	return false;
}

static const char *made_by(const struct frame *frame, bool from_cache)
{
	/* The compiler may have given a part of it a name with a suffix. */
	size_t i, len = strcspn(frame->text, "+.\n");

	for (i = 0; i < ARRAY_SIZE(counted); i++)
		if (strlen(counted[i].function) == len &&
		    !memcmp(counted[i].function, frame->text, len) &&
		    (from_cache || counted[i].kmalloc))
			return counted[i].type;
	return NULL;
}

/**
 * counted_type() - the type of what has a count of references
 * @trace: where it was allocated
 *
 * Return: the type, or NULL if it is none of those that are known.
 */
const char *counted_type(const struct intern *trace)
{
	struct frame site;
	const char *type;
	bool from_cache;

	if (!trace_site(trace, &site))
		return NULL;
	from_cache = is_from_cache(trace, &site);
	type = made_by(&site, from_cache);
	/* Each file system has a function of its own to make an inode. */
	if (!type && trace_next(trace, &site) && !strncmp(site.text, "alloc_inode+", 12))
		type = made_by(&site, from_cache);
	return type;
}
