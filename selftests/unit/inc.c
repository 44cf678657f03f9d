// SPDX-License-Identifier: GPL-2.0
/*
 * inc.c - continuum.inc says what <linux/continuum.h> says, and its routines call what they
 * should, by the calling convention that it promises
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <linux/continuum.h>

#include "../ktap.h"

struct entry {
	uint64_t value;
	char name[40];
};

extern const struct entry inc_table[];
extern int ctm_device;

uint64_t inc_preserves(long (*routine)(), const uint64_t arguments[6], long *result);

/* structures that continuum.inc does not have are for continuumd and its kin */
#define CONST(name)		{ name, 0, #name },
#define SIZE(type)		{ sizeof(struct type), 0, #type },
#define FIELD(type, field)	{ offsetof(struct type, field), sizeof(((struct type *)0)->field), \
				  #type "." #field },

static const struct {
	uint64_t value, length;
	const char *name;
} wanted[] = {
	CONST(CTM_NAME_MAX) CONST(CTM_REASON_MAX) CONST(CTM_RESULT_MAX) CONST(CTM_COMM_MAX)
	CONST(CTM_FORK_MAX) CONST(CTM_FORK_NODES_MAX) CONST(CTM_BLOCK_NAME)
	CONST(CTM_BLOCK_MAX) CONST(CTM_BLOCKS_MAX) CONST(CTM_BLOCK_COPIES)
	CONST(CTM_BLOCK_COPIES_MAX) CONST(CTM_TTL_MAX) CONST(CTM_STATE_RUNNING)
	CONST(CTM_STATE_SUSPENDED) CONST(CTM_STATE_MOVING) CONST(CTM_STATE_LIMBO)
	CONST(CTM_STATE_ENDED) CONST(CTM_END_EXIT) CONST(CTM_END_SIGNAL)
	CONST(CTM_END_HOST_LOST) CONST(CTM_END_TTL) CONST(CTM_END_LEASE)
	CONST(CTM_END_DESTROYED) CONST(CTM_MIGRATE_CLUSTER) CONST(CTM_WAIT_NOHANG)
	CONST(CTM_WAIT_CHILD) CONST(CTM_SIGNAL_GROUP) CONST(CTM_SET_PIN) CONST(CTM_SET_TTL)
	CONST(CTM_SET_LEASE) CONST(CTM_BLOCK_DEGRADED) CONST(CTM_BLOCKS_PIN)
	CONST(CTM_BLOCKS_FAMILY) CONST(CTM_BLOCKS_ALL) CONST(CTM_IOC_INFO)
	CONST(CTM_IOC_MIGRATE) CONST(CTM_IOC_DIST_FORK) CONST(CTM_IOC_WAIT)
	CONST(CTM_IOC_SIGNAL) CONST(CTM_IOC_DESTROY) CONST(CTM_IOC_SUSPEND)
	CONST(CTM_IOC_RESUME) CONST(CTM_IOC_PUT) CONST(CTM_IOC_GET) CONST(CTM_IOC_PIN)
	CONST(CTM_IOC_DROP) CONST(CTM_IOC_LOCATE) CONST(CTM_IOC_WORKED) CONST(CTM_IOC_RESULT)
	CONST(CTM_IOC_EXPLAIN) CONST(CTM_IOC_SET) CONST(CTM_IOC_RECOVER)
	SIZE(ctm_info)
	FIELD(ctm_info, size) FIELD(ctm_info, flags) FIELD(ctm_info, gpid)
	FIELD(ctm_info, home) FIELD(ctm_info, host) FIELD(ctm_info, state) FIELD(ctm_info, pid)
	FIELD(ctm_info, uid) FIELD(ctm_info, epoch) FIELD(ctm_info, hops) FIELD(ctm_info, ttl)
	FIELD(ctm_info, cpu_ns) FIELD(ctm_info, rss) FIELD(ctm_info, comm)
	FIELD(ctm_info, home_name) FIELD(ctm_info, host_name) FIELD(ctm_info, family)
	FIELD(ctm_info, end) FIELD(ctm_info, lease_ms)
	SIZE(ctm_migrate)
	FIELD(ctm_migrate, size) FIELD(ctm_migrate, flags) FIELD(ctm_migrate, gpid)
	FIELD(ctm_migrate, node) FIELD(ctm_migrate, downtime_ns) FIELD(ctm_migrate, total_ns)
	FIELD(ctm_migrate, bytes) FIELD(ctm_migrate, reason)
	SIZE(ctm_wait)
	FIELD(ctm_wait, size) FIELD(ctm_wait, flags) FIELD(ctm_wait, gpid)
	FIELD(ctm_wait, status) FIELD(ctm_wait, end) FIELD(ctm_wait, cpu_ns)
	FIELD(ctm_wait, host) FIELD(ctm_wait, result_len) FIELD(ctm_wait, result)
	FIELD(ctm_wait, host_name)
	SIZE(ctm_result)
	FIELD(ctm_result, size) FIELD(ctm_result, flags) FIELD(ctm_result, len)
	FIELD(ctm_result, pad) FIELD(ctm_result, data)
	SIZE(ctm_fork_child)
	FIELD(ctm_fork_child, gpid) FIELD(ctm_fork_child, node) FIELD(ctm_fork_child, error)
	SIZE(ctm_dist_fork)
	FIELD(ctm_dist_fork, size) FIELD(ctm_dist_fork, flags) FIELD(ctm_dist_fork, count)
	FIELD(ctm_dist_fork, nnodes) FIELD(ctm_dist_fork, nodes) FIELD(ctm_dist_fork, children)
	FIELD(ctm_dist_fork, index) FIELD(ctm_dist_fork, made) FIELD(ctm_dist_fork, reason)
	SIZE(ctm_signal)
	FIELD(ctm_signal, size) FIELD(ctm_signal, flags) FIELD(ctm_signal, gpid)
	FIELD(ctm_signal, sig) FIELD(ctm_signal, timeout_ms) FIELD(ctm_signal, reason)
	SIZE(ctm_target)
	FIELD(ctm_target, size) FIELD(ctm_target, flags) FIELD(ctm_target, gpid)
	FIELD(ctm_target, reason)
	SIZE(ctm_set)
	FIELD(ctm_set, size) FIELD(ctm_set, flags) FIELD(ctm_set, gpid)
	FIELD(ctm_set, property) FIELD(ctm_set, pad) FIELD(ctm_set, value)
	FIELD(ctm_set, reason)
	SIZE(ctm_worked)
	FIELD(ctm_worked, size) FIELD(ctm_worked, flags) FIELD(ctm_worked, ttl)
	FIELD(ctm_worked, pad)
	SIZE(ctm_block)
	FIELD(ctm_block, name) FIELD(ctm_block, buf) FIELD(ctm_block, len)
	FIELD(ctm_block, error) FIELD(ctm_block, copies) FIELD(ctm_block, flags)
	SIZE(ctm_blocks)
	FIELD(ctm_blocks, size) FIELD(ctm_blocks, flags) FIELD(ctm_blocks, list)
	FIELD(ctm_blocks, count) FIELD(ctm_blocks, copies) FIELD(ctm_blocks, done)
	FIELD(ctm_blocks, pad) FIELD(ctm_blocks, reason)
	SIZE(ctm_holder)
	FIELD(ctm_holder, node) FIELD(ctm_holder, pad) FIELD(ctm_holder, name)
	SIZE(ctm_locate)
	FIELD(ctm_locate, size) FIELD(ctm_locate, flags) FIELD(ctm_locate, name)
	FIELD(ctm_locate, holders) FIELD(ctm_locate, room) FIELD(ctm_locate, count)
	FIELD(ctm_locate, len) FIELD(ctm_locate, copies) FIELD(ctm_locate, reason)
};
#define WANTED	(sizeof(wanted) / sizeof(wanted[0]))

static const struct entry *find(const char *name)
{
	for (const struct entry *e = inc_table; e->name[0]; e++)
		if (!strcmp(e->name, name))
			return e;
	return NULL;
}

static void values(void)
{
	size_t have = 0;

	for (size_t i = 0; i < WANTED; i++) {
		const struct entry *e = find(wanted[i].name);

		if (!CHECK(e && e->value == wanted[i].value))
			ktap_note("%s: %lld, not %llu", wanted[i].name, e ? (long long)e->value : -1,
				  (unsigned long long)wanted[i].value);
	}
	while (inc_table[have].name[0])
		have++;
	CHECK(have == WANTED);
}

/* Fields follow each other without a hole: none was forgotten above. */
static void no_field_is_missing(void)
{
	uint64_t size = 0, end = 0;

	for (size_t i = 0; i <= WANTED; i++) {
		bool field = i < WANTED && strchr(wanted[i].name, '.');

		if (field) {
			if (!CHECK(wanted[i].value == end))
				ktap_note("before %s", wanted[i].name);
			end = wanted[i].value + wanted[i].length;
			continue;
		}
		if (!CHECK(end == size))
			ktap_note("before %s", i < WANTED ? wanted[i].name : "the end");
		end = 0;
		size = i < WANTED && !strncmp(wanted[i].name, "ctm_", 4) ? wanted[i].value : 0;
	}
}

long sys_info(), sys_migrate(), sys_yield(), sys_dist_fork(), sys_wait(), sys_result(), sys_signal(),
     sys_destroy(), sys_suspend(), sys_resume(), sys_recover(), sys_set(), sys_worked(),
     sys_put_block(), sys_get_block(), sys_pin_block(), sys_drop_block(), sys_locate_block(),
     sys_log();

static const struct {
	const char *name;
	long (*routine)();
	long error;		/* with a descriptor that knows no such calls */
} routines[] = {
#define ROUTINE(name, error)	{ #name, name, error }
	ROUTINE(sys_info, -ENOTTY), ROUTINE(sys_migrate, -ENOTTY), ROUTINE(sys_yield, 0),
	ROUTINE(sys_dist_fork, -ENOTTY), ROUTINE(sys_wait, -ENOTTY), ROUTINE(sys_result, -ENOTTY),
	ROUTINE(sys_signal, -ENOTTY), ROUTINE(sys_destroy, -ENOTTY), ROUTINE(sys_suspend, -ENOTTY),
	ROUTINE(sys_resume, -ENOTTY), ROUTINE(sys_recover, -ENOTTY), ROUTINE(sys_set, -ENOTTY),
	ROUTINE(sys_worked, -ENOTTY), ROUTINE(sys_put_block, -ENOTTY), ROUTINE(sys_get_block, -ENOTTY),
	ROUTINE(sys_pin_block, -ENOTTY), ROUTINE(sys_drop_block, -ENOTTY),
	ROUTINE(sys_locate_block, -ENOTTY), ROUTINE(sys_log, 0),
};

/* a page for each argument, and numbers where these have limits */
static void registers(void)
{
	static char room[6][4096];

	ctm_device = open("/dev/null", O_RDWR);
	for (size_t i = 0; i < sizeof(routines) / sizeof(routines[0]); i++) {
		uint64_t arguments[6];
		long result = 1;

		memset(room, 0, sizeof(room));
		for (int k = 0; k < 6; k++)
			arguments[k] = (uintptr_t)room[k];
		if (routines[i].routine == sys_result || routines[i].routine == sys_put_block)
			arguments[1] = 7;
		if (routines[i].routine == sys_log)
			arguments[1] = 0;
		if (!CHECK(!inc_preserves(routines[i].routine, arguments, &result)) ||
		    !CHECK(result == routines[i].error))
			ktap_note("%s: %ld", routines[i].name, result);
	}
	CHECK(sys_info(0, room[0]) == -ENOTTY);
	CHECK(((struct ctm_info *)room[0])->size == sizeof(struct ctm_info));
	close(ctm_device);
	ctm_device = -1;
}

static void limits(void)
{
	char name[100];

	memset(name, 'n', sizeof(name));
	ctm_device = open("/dev/null", O_RDWR);
	CHECK(sys_migrate(0ull, name, 0ull) == -EHOSTUNREACH);
	name[64] = 0;
	CHECK(sys_migrate(0ull, name, 0ull) == -EHOSTUNREACH);
	name[63] = 0;
	CHECK(sys_migrate(0ull, name, 0ull) == -ENOTTY);
	CHECK(sys_result(name, 65ull) == -EINVAL);
	CHECK(sys_put_block(name, (unsigned long long)CTM_BLOCK_MAX + 1, name, 0ull, 0ull) == -E2BIG);
	close(ctm_device);
	ctm_device = -1;
	CHECK(sys_log("", 0ull) == 0);
}

/* Without the module the device is not there, which every call says. */
static void no_device(void)
{
	struct ctm_info info;

	if (!access("/dev/continuum", F_OK)) {
		ktap_skip("the module is loaded");
		return;
	}
	CHECK(sys_info(0ull, &info) == -ENOENT);
	CHECK(ctm_device == -1);
}

static const struct ktap_test tests[] = {
	{ "inc: values are those of the header", values },
	{ "inc: no field is missing", no_field_is_missing },
	{ "inc: registers", registers },
	{ "inc: limits", limits },
	{ "inc: no device", no_device },
};
KTAP_MAIN(tests)
