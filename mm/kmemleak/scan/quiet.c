// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: did anything move while a pass read memory?
 *
 * A pass can miss a pointer if somebody moves it meanwhile from a place that the
 * pass is still to read to one that it has read. That takes somebody who runs. What
 * runs leaves traces in counters that the kernel keeps anyway: a task leaves a
 * context switch, a CPU that is woken up too, everything else an interrupt or a
 * softirq. A pass is quiet if none of them has counted but the scheduler's tick on
 * the CPUs that scan, and the scan's own question to the others. The helpers of a scan
 * are there before the watch begins, and stay until it has ended, so that they leave no
 * context switch.
 *
 * What may hide behind the tick is a timer of the highest resolution that expires
 * with it, to the nanosecond, in each pass. So one quiet pass is not relied on
 * alone.
 */
#include <linux/cpumask.h>
#include <linux/hardirq.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kernel_stat.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "refs.h"

/**
 * struct activity - what has run so far
 * @switches: context switches of all CPUs
 * @softirqs: of all CPUs but those of the scheduler, which the tick raises
 * @others: interrupts of all CPUs but those that scan, and but those by which these
 *	have asked the others for their stacks
 * @own: interrupts of each of these
 * @ticks: how many of these may have been the tick
 */
struct activity {
	unsigned long long switches;
	unsigned long softirqs;
	u64 others;
	u64 own[KML_THREADS_MAX];
	unsigned long ticks;
};

/* When the watch began; kml_scan_mutex. */
static struct {
	bool alone;
	/* The CPUs that scan; for a thread that was not there, nr_cpu_ids. */
	unsigned int cpus[KML_THREADS_MAX];
	struct activity activity;
} watch;

static u64 interrupts_of(unsigned int cpu)
{
	u64 sum = kstat_cpu_irqs_sum(cpu);

	/* Those that x86 counts by itself, such as the local timer's. */
#ifdef arch_irq_stat_cpu
	sum += arch_irq_stat_cpu(cpu);
#endif
	return sum;
}

static unsigned long softirqs_of(unsigned int cpu)
{
	unsigned long sum = 0;
	unsigned int nr;

	for (nr = 0; nr < NR_SOFTIRQS; nr++) {
		if (nr != SCHED_SOFTIRQ)
			sum += kstat_softirqs_cpu(nr, cpu);
	}
	return sum;
}

static bool scans(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < KML_THREADS_MAX; i++) {
		if (watch.cpus[i] == cpu)
			return true;
	}
	return false;
}

static void sum_up(struct activity *sum)
{
	unsigned int i, cpu;

	*sum = (struct activity){
		.switches = nr_context_switches(),
		.ticks = jiffies,
	};
	for (i = 0; i < KML_THREADS_MAX; i++) {
		if (watch.cpus[i] < nr_cpu_ids)
			sum->own[i] = interrupts_of(watch.cpus[i]);
	}
	for_each_possible_cpu(cpu) {
		sum->softirqs += softirqs_of(cpu);
		if (!scans(cpu))
			sum->others += interrupts_of(cpu) - per_cpu(kml_times_asked, cpu);
	}
}

/*
 * An idle CPU stays idle until it switches to a task, and one that runs a helper goes on
 * with it until then.
 */
static bool all_others_idle(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		if (cpu != watch.cpus[0] && !idle_cpu(cpu) && !kml_runs_helper(cpu))
			return false;
	}
	return true;
}

static void note_cpus(void)
{
	unsigned int i;

	watch.cpus[0] = raw_smp_processor_id();
	for (i = 1; i < KML_THREADS_MAX; i++) {
		const struct task_struct *task = READ_ONCE(kml_refs.workers[i].task);

		watch.cpus[i] = task ? task_cpu(task) : nr_cpu_ids;
	}
}

/**
 * kml_watch_start() - watch from here on what runs besides the scan
 *
 * Context: Holder of kml_scan_mutex; may be preempted.
 */
void kml_watch_start(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	note_cpus();
	/* The counters first: what begins to run meanwhile counts. */
	sum_up(&watch.activity);
	watch.alone = all_others_idle();
}

/**
 * kml_watch_quiet() - ask whether nothing but the scan ran
 *
 * Context: Holder of kml_scan_mutex, after kml_watch_start().
 * Return: true if so, from then until now.
 */
bool kml_watch_quiet(void)
{
	const struct activity *then = &watch.activity;
	struct activity now;
	unsigned int i;

	lockdep_assert_held(&kml_scan_mutex);
	sum_up(&now);
	for (i = 0; i < KML_THREADS_MAX; i++) {
		if (now.own[i] - then->own[i] > now.ticks - then->ticks)
			return false;
	}
	return watch.alone && now.switches == then->switches &&
	       now.softirqs == then->softirqs && now.others == then->others;
}
