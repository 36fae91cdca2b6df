/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kmemleak

#if !defined(_TRACE_KMEMLEAK_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KMEMLEAK_H

#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#ifndef KMEMLEAK_TRACE_FRAMES
/* Frames of an allocation's stack that an event has, innermost first; 0: none. */
#define KMEMLEAK_TRACE_FRAMES	4
#endif

/* A scan begins. */
TRACE_EVENT(scan_begin,
	    TP_PROTO(unsigned int number),

	    TP_ARGS(number),

	    TP_STRUCT__entry(__field(unsigned int, number)),

	    TP_fast_assign(__entry->number = number;),

	    TP_printk("number=%u", __entry->number)
);

/* It has come to its end; with an error, it was given up and decided nothing. */
TRACE_EVENT(scan_end,
	    TP_PROTO(unsigned int number, unsigned long ms, unsigned long words,
		     unsigned long suspects, unsigned int passes,
		     unsigned long new_leaks, unsigned long leaks, int error),

	    TP_ARGS(number, ms, words, suspects, passes, new_leaks, leaks,
		    error),

	    TP_STRUCT__entry(__field(unsigned int, number)
			     __field(unsigned int, passes)
			     __field(unsigned long, ms)
			     __field(unsigned long, words)
			     __field(unsigned long, suspects)
			     __field(unsigned long, new_leaks)
			     __field(unsigned long, leaks)
			     __field(int, error)),

	    TP_fast_assign(__entry->number = number;
			   __entry->passes = passes;
			   __entry->ms = ms;
			   __entry->words = words;
			   __entry->suspects = suspects;
			   __entry->new_leaks = new_leaks;
			   __entry->leaks = leaks;
			   __entry->error = error;),

	    TP_printk("number=%u ms=%lu words=%lu suspects=%lu passes=%u new_leaks=%lu leaks=%lu error=%d",
		      __entry->number, __entry->ms, __entry->words,
		      __entry->suspects, __entry->passes, __entry->new_leaks,
		      __entry->leaks, __entry->error)
);

/*
 * A leak is reported for the first time. It is a direct one if held_by is 0, else
 * that is the address of the leak that leads to it.
 */
TRACE_EVENT(leak,
	    TP_PROTO(unsigned long addr, size_t size, pid_t pid,
		     const char *comm, unsigned long held_by,
		     unsigned int trace, const unsigned long *frames),

	    TP_ARGS(addr, size, pid, comm, held_by, trace, frames),

	    TP_STRUCT__entry(__field(unsigned long, addr)
			     __field(size_t, size)
			     __field(unsigned long, held_by)
			     __array(char, comm, TASK_COMM_LEN)
			     __array(unsigned long, frames,
				     KMEMLEAK_TRACE_FRAMES)
			     __field(unsigned int, trace)
			     __field(pid_t, pid)),

	    TP_fast_assign(__entry->addr = addr;
			   __entry->size = size;
			   __entry->held_by = held_by;
			   __entry->trace = trace;
			   __entry->pid = pid;
			   strscpy(__entry->comm, comm, TASK_COMM_LEN);
			   memcpy(__entry->frames, frames,
				  sizeof(__entry->frames));),

	    TP_printk("addr=0x%lx size=%zu comm=%s pid=%d held_by=0x%lx trace=%x frames=%pS %pS %pS %pS",
		      __entry->addr, __entry->size, __entry->comm,
		      __entry->pid, __entry->held_by, __entry->trace,
		      (void *)__entry->frames[0], (void *)__entry->frames[1],
		      (void *)__entry->frames[2], (void *)__entry->frames[3])
);

#endif /* _TRACE_KMEMLEAK_H */

/* This part must be outside protection. */
#include <trace/define_trace.h>
