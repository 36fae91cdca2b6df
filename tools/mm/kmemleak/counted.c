// SPDX-License-Identifier: GPL-2.0
/*
 * What has a count of references, by the function that allocates it. Where it was
 * allocated says little about such a leak: somebody did not give a reference back.
 *
 * The detector tells as well, by the cache, and with the count; upstream's does not.
 */
#include <string.h>

#include "kmemleak.h"

static const struct {
	const char *function;
	const char *type;
} counted[] = {
	{ "__alloc_skb",		"struct sk_buff" },
	{ "__d_alloc",			"struct dentry" },
	{ "__kernfs_new_node",		"struct kernfs_node" },
	{ "alloc_empty_backing_file",	"struct file" },
	{ "alloc_empty_file",		"struct file" },
	{ "alloc_empty_file_noaccount",	"struct file" },
	{ "alloc_inode",		"struct inode" },
	{ "alloc_netdev_mqs",		"struct net_device" },
	{ "alloc_pid",			"struct pid" },
	{ "alloc_uid",			"struct user_struct" },
	{ "cred_alloc_blank",		"struct cred" },
	{ "device_create_groups_vargs",	"struct device" },
	{ "dup_fd",			"struct files_struct" },
	{ "dup_task_struct",		"struct task_struct" },
	{ "key_alloc",			"struct key" },
	{ "kobject_create",		"struct kobject" },
	{ "kobject_create_and_add",	"struct kobject" },
	{ "mm_alloc",			"struct mm_struct" },
	{ "platform_device_alloc",	"struct platform_device" },
	{ "prepare_creds",		"struct cred" },
	{ "prepare_kernel_cred",	"struct cred" },
	{ "scsi_alloc_sdev",		"struct scsi_device" },
	{ "sk_alloc",			"struct sock" },
	{ "sk_prot_alloc",		"struct sock" },
	{ "usb_alloc_dev",		"struct usb_device" },
	{ "usb_alloc_urb",		"struct urb" },
};

static const char *made_by(const struct frame *frame)
{
	/* The compiler may have given a part of it a name with a suffix. */
	size_t i, len = strcspn(frame->text, "+.\n");

	for (i = 0; i < ARRAY_SIZE(counted); i++)
		if (strlen(counted[i].function) == len &&
		    !memcmp(counted[i].function, frame->text, len))
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

	if (!trace_site(trace, &site))
		return NULL;
	type = made_by(&site);
	/* Each file system has a function of its own to make an inode. */
	if (!type && trace_next(trace, &site) && !strncmp(site.text, "alloc_inode+", 12))
		type = made_by(&site);
	return type;
}
