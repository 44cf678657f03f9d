// SPDX-License-Identifier: GPL-2.0
/*
 * fault.c - what shall go wrong, said through /sys/module/continuum/parameters/fault
 *
 *   POINT=ACTION[,N]    one point at a time; it fires once
 *   go                  those who are held go on
 *   (empty)             nothing shall go wrong any more; also lets go
 *
 * POINT is "send NAME" or "recv NAME" with the name of a frame of the handoff
 * (OFFER ACCEPT REFUSE BEGIN IMAGE PREPARED COMMIT STARTED RELEASED ABORT) or of a
 * call (CONSENT MOVED EXITED QUERY HANDED ...; "answer NAME" is the call's, when it was served), "restore record" (in the restorer),
 * or "alloc any" (allocations of the handoff's code).  ACTION:
 *
 *   drop      the message is lost; an allocation fails
 *   dup       it comes twice
 *   delay     N ms (1000)
 *   hold      until "go", at most two minutes: time to cut a cable or pull a plug
 *   crash     the node dies on the spot
 *   kill      SIGKILL to the task that came here
 *
 * With all but delay, N (1) is how many come before the one that it happens to,
 * counting it.  Reading gives "POINT=ACTION,N fired=0|1 held=0|1".
 *
 * `lock` covers the wish; one wish a module, for there is one test at a time.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "core/handoff.h"
#include "fault.h"
#include "net/transport.h"

#define HOLD_MS		120000
#define DELAY_MS	1000

enum action { NOTHING, DROP, DUP, DELAY, HOLD, CRASH, KILL, ACTIONS };

static const char *const action_names[ACTIONS] = {
	[DROP] = "drop", [DUP] = "dup", [DELAY] = "delay", [HOLD] = "hold",
	[CRASH] = "crash", [KILL] = "kill",
};

static DEFINE_SPINLOCK(lock);
static char point[32];
static enum action action;
static unsigned int count;
static bool armed, fired;
static unsigned int held, releases;
static DECLARE_WAIT_QUEUE_HEAD(wait);

/* is this the one?  Then what, and how long */
static enum action hit(const char *way, const char *name, unsigned int *n)
{
	size_t len = strlen(way);
	enum action a = NOTHING;
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	if (armed && !strncmp(point, way, len) && point[len] == ' ' && !strcmp(point + len + 1, name) &&
	    (action == DELAY || !--count)) {
		a = action;
		*n = count;
		armed = false;
		fired = true;
	}
	spin_unlock_irqrestore(&lock, flags);
	return a;
}

static void hold(void)
{
	unsigned long flags;
	unsigned int mine;

	spin_lock_irqsave(&lock, flags);
	held++;
	mine = releases;
	spin_unlock_irqrestore(&lock, flags);
	wait_event_timeout(wait, READ_ONCE(releases) != mine, msecs_to_jiffies(HOLD_MS));
	spin_lock_irqsave(&lock, flags);
	held--;
	spin_unlock_irqrestore(&lock, flags);
}

enum ctm_fault ctm_fault(const char *way, const char *name)
{
	unsigned int n = 0;
	enum action a = READ_ONCE(armed) ? hit(way, name, &n) : NOTHING;

	if (a != NOTHING)
		pr_info("continuum: fault: %s %s: %s\n", way, name, action_names[a]);
	switch (a) {
	case DROP:
		return CTM_FAULT_DROP;
	case DUP:
		return CTM_FAULT_DUP;
	case DELAY:
		msleep(n);
		break;
	case HOLD:
		hold();
		break;
	case CRASH:
		panic("continuum: fault: %s %s", way, name);
	case KILL:
		send_sig(SIGKILL, current, 1);
		break;
	default:
		break;
	}
	return CTM_FAULT_NONE;
}

enum ctm_fault ctm_fault_frame(const char *way, unsigned int type)
{
	static const char *const names[CTM_HO_FRAME_MAX] = {
		[CTM_HO_FRAME_OFFER] = "OFFER", [CTM_HO_FRAME_ACCEPT] = "ACCEPT",
		[CTM_HO_FRAME_REFUSE] = "REFUSE", [CTM_HO_FRAME_BEGIN] = "BEGIN",
		[CTM_HO_FRAME_PREPARED] = "PREPARED", [CTM_HO_FRAME_COMMIT] = "COMMIT",
		[CTM_HO_FRAME_STARTED] = "STARTED", [CTM_HO_FRAME_RELEASED] = "RELEASED",
		[CTM_HO_FRAME_ABORT] = "ABORT",
	};

	return type < ARRAY_SIZE(names) && names[type] ? ctm_fault(way, names[type]) : CTM_FAULT_NONE;
}

enum ctm_fault ctm_fault_call(const char *way, unsigned int type)
{
	static const char *const names[CTM_CALL_TYPES] = {
		[CTM_CALL_CONSENT] = "CONSENT", [CTM_CALL_MOVED] = "MOVED",
		[CTM_CALL_EXITED] = "EXITED", [CTM_CALL_QUERY] = "QUERY",
		[CTM_CALL_RELEASED] = "RELEASED", [CTM_CALL_HANDED] = "HANDED",
		[CTM_CALL_HELD] = "HELD", [CTM_CALL_VOID] = "VOID", [CTM_CALL_RECLAIM] = "RECLAIM",
		[CTM_CALL_FORK_START] = "START", [CTM_CALL_FORK_CLOSE] = "CLOSE",
		[CTM_CALL_FORK_TAKE] = "TAKE",
	};

	return type < ARRAY_SIZE(names) && names[type] ? ctm_fault(way, names[type]) : CTM_FAULT_NONE;
}

bool ctm_fault_alloc(void)
{
	unsigned int n;

	return READ_ONCE(armed) && hit("alloc", "any", &n) == DROP;
}

/* ---- the parameter ---- */

static void let_go(void)
{
	WRITE_ONCE(releases, releases + 1);
	wake_up_all(&wait);
}

static int parse(char *text, char **where, enum action *what, unsigned int *n)
{
	char *act = strchr(text, '='), *number;
	int i;

	if (!act)
		return -EINVAL;
	*act++ = 0;
	number = strchr(act, ',');
	if (number)
		*number++ = 0;
	i = match_string(action_names + 1, ACTIONS - 1, act);
	if (i < 0 || strlen(text) >= sizeof(point))
		return -EINVAL;
	*where = text;
	*what = i + 1;
	*n = *what == DELAY ? DELAY_MS : 1;
	if (number && (kstrtouint(number, 10, n) || !*n))
		return -EINVAL;
	return 0;
}

static int set(const char *value, const struct kernel_param *kp)
{
	char copy[64], *text, *where;
	enum action what;
	unsigned long flags;
	unsigned int n;

	if (strscpy(copy, value, sizeof(copy)) < 0)
		return -EINVAL;
	text = strim(copy);
	if (!strcmp(text, "go")) {
		let_go();
		return 0;
	}
	if (*text && parse(text, &where, &what, &n))
		return -EINVAL;
	spin_lock_irqsave(&lock, flags);
	fired = false;
	armed = *text;
	if (armed) {
		strscpy(point, where, sizeof(point));
		action = what;
		count = n;
	}
	spin_unlock_irqrestore(&lock, flags);
	if (!*text)
		let_go();
	return 0;
}

static int get(char *buffer, const struct kernel_param *kp)
{
	unsigned long flags;
	int n;

	spin_lock_irqsave(&lock, flags);
	n = sysfs_emit(buffer, "%s=%s,%u fired=%d held=%d\n", point, action_names[action] ?: "", count,
		       fired, !!held);
	spin_unlock_irqrestore(&lock, flags);
	return n;
}

static const struct kernel_param_ops ops = { .set = set, .get = get };
module_param_cb(fault, &ops, NULL, 0600);
MODULE_PARM_DESC(fault, "what shall go wrong, see module/fault.c");
