// SPDX-License-Identifier: GPL-2.0
/*
 * bad_input.c - nonsense for /dev/continuum and for the netlink family
 *
 *   bad_input [SECONDS]          SEED=n repeats a run
 *
 * To be run on a node as an ordinary user, with Continuum up: whatever is asked,
 * the node must answer with an error or do nothing, and say nothing in its log.
 * Calls that would really do something have a process that does not exist.
 */
#include "workload.h"
#include "../unit/random.h"
#include <fcntl.h>
#include <linux/continuum.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static const unsigned int calls[] = {
	CTM_IOC_INFO, CTM_IOC_MIGRATE, CTM_IOC_WAIT, CTM_IOC_SIGNAL, CTM_IOC_DESTROY,
	CTM_IOC_SUSPEND, CTM_IOC_RESUME, CTM_IOC_EXPLAIN, CTM_IOC_SET, CTM_IOC_ADOPT, CTM_IOC_LAND,
	CTM_IOC_RECORD, CTM_IOC_LAND_FILE, CTM_IOC_LAND_FAIL, CTM_IOC_EVENT, CTM_IOC_TELL,
	CTM_IOC_DEPUTY, CTM_IOC_SERVE, CTM_IOC_PUT, CTM_IOC_GET, CTM_IOC_PIN, CTM_IOC_DROP,
	CTM_IOC_LOCATE, CTM_IOC_CHECKPOINT, CTM_IOC_RESTORE,
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static struct rng rng;
static char *page;		/* writable, then nothing */
static char *readonly;
static char *nowhere;

static uint64_t odd_value(void)
{
	static const uint64_t values[] = { 0, 1, 2, 8, 64, 4096, 65536, 0x7fffffff, 0x80000000,
					   0xffffffff, 1ull << 47, 1ull << 63, (uint64_t)-1,
					   (uint64_t)-4096, 0xffffffff81000000ull };

	return rng_percent(&rng, 70) ? values[rng_below(&rng, 15)] : rng_next(&rng);
}

static void *odd_pointer(size_t need)
{
	switch (rng_below(&rng, 8)) {
	case 0:
		return NULL;
	case 1:
		return nowhere;
	case 2:
		return (void *)odd_value();
	case 3:
		return readonly;
	case 4:
		return page + 4096 - rng_below(&rng, need + 1);	/* ends in nothing */
	default:
		return page + (rng_below(&rng, 16) & ~7u);
	}
}

/* sizes beside the right one, wild ones, and the right one with odd contents */
static void one_ioctl(int fd)
{
	unsigned int cmd = calls[rng_below(&rng, CALLS)];
	unsigned int i;
	char *arg;

	if (rng_percent(&rng, 5))
		cmd = (unsigned int)rng_next(&rng);
	if (cmd == TIOCSTI || cmd == FIONBIO || cmd == FIOCLEX || cmd == FIOASYNC)
		return;
	for (i = 0; i < 4096; i += 8)
		*(uint64_t *)(page + i) = rng_percent(&rng, 60) ? 0 : odd_value();
	arg = odd_pointer(512);
	if (arg >= page && arg <= page + 4096 - 16) {
		uint32_t size = rng_percent(&rng, 80) ? rng_below(&rng, 520) & ~3u : odd_value();

		memcpy(arg, &size, 4);
		if (rng_percent(&rng, 80))
			memset(arg + 4, 0, 4);
	}
	ioctl(fd, cmd, arg);
}

static void other_calls(int fd)
{
	switch (rng_below(&rng, 6)) {
	case 0:
		(void)!read(fd, odd_pointer(64), rng_below(&rng, 4096));
		break;
	case 1:
		(void)!write(fd, odd_pointer(64), rng_below(&rng, 4096));
		break;
	case 2:
		lseek(fd, odd_value(), rng_below(&rng, 6));
		break;
	case 3:
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
			fail("/dev/continuum can be mapped");
		break;
	case 4:
		(void)!ftruncate(fd, rng_below(&rng, 100));
		break;
	default:
		fcntl(fd, F_SETFL, rng_below(&rng, 2) ? O_NONBLOCK : 0);
	}
}

static void fuzz_device(uint64_t until)
{
	int fd = -1;

	while (clock_ns(CLOCK_MONOTONIC) < until) {
		if (fd < 0 || rng_percent(&rng, 5)) {
			if (fd >= 0)
				close(fd);
			fd = open("/dev/continuum", O_RDWR | O_NONBLOCK);
			MUST(fd >= 0);
		}
		alarm(2);		/* some wait by right */
		if (rng_percent(&rng, 90))
			one_ioctl(fd);
		else
			other_calls(fd);
		alarm(0);
	}
	close(fd);
}

/* ---- netlink ---- */

static int family_id(int fd)
{
	struct {
		struct nlmsghdr n;
		struct genlmsghdr g;
		struct nlattr a;
		char name[12];
	} q = {
		.n = { sizeof(q), GENL_ID_CTRL, NLM_F_REQUEST, 1, 0 },
		.g = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 },
		.a = { sizeof(q.a) + 10, CTRL_ATTR_FAMILY_NAME },
		.name = "continuum",
	};
	char answer[8192];
	ssize_t n, at;

	MUST(send(fd, &q, sizeof(q), 0) == sizeof(q));
	n = recv(fd, answer, sizeof(answer), 0);
	for (at = NLMSG_HDRLEN + GENL_HDRLEN; at + 4 <= n;) {
		struct nlattr *a = (void *)(answer + at);

		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			return *(uint16_t *)(a + 1);
		if (a->nla_len < 4)
			break;
		at += NLA_ALIGN(a->nla_len);
	}
	return -1;
}

/* attributes of odd types and lengths, some nested in others */
static size_t odd_attributes(char *p, size_t room, unsigned int depth)
{
	size_t len = 0;
	unsigned int n = rng_below(&rng, 6);

	while (n--) {
		struct nlattr a = { 0, rng_below(&rng, 40) };
		size_t body = rng_below(&rng, 3) ? rng_below(&rng, 20) : rng_below(&rng, 300);

		if (len + sizeof(a) + NLA_ALIGN(body) > room)
			break;
		if (depth && rng_percent(&rng, 30)) {
			a.nla_type |= NLA_F_NESTED;
			body = odd_attributes(p + len + sizeof(a), body, depth - 1);
		} else {
			size_t i;

			for (i = 0; i < body; i++)
				p[len + sizeof(a) + i] = rng_next(&rng);
		}
		a.nla_len = rng_percent(&rng, 95) ? sizeof(a) + body : odd_value();
		memcpy(p + len, &a, sizeof(a));
		len += sizeof(a) + NLA_ALIGN(body);
	}
	return len;
}

static void fuzz_netlink(uint64_t until)
{
	static char message[65536], answer[65536];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_GENERIC), id;
	struct nlmsghdr *n = (void *)message;
	struct genlmsghdr *g = (void *)(n + 1);

	MUST(fd >= 0);
	fcntl(fd, F_SETFL, 0);
	id = family_id(fd);
	MUST(id > 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (clock_ns(CLOCK_MONOTONIC) < until) {
		memset(message, 0, 4096);
		n->nlmsg_type = id;
		n->nlmsg_flags = NLM_F_REQUEST | (rng_percent(&rng, 50) ? NLM_F_ACK : 0) |
				 (rng_percent(&rng, 20) ? NLM_F_DUMP : 0);
		g->cmd = rng_percent(&rng, 90) ? rng_below(&rng, 40) : rng_next(&rng);
		g->version = 1;
		n->nlmsg_len = sizeof(*n) + sizeof(*g) +
			       odd_attributes((char *)(g + 1), 3000, 3);
		if (rng_percent(&rng, 5))
			n->nlmsg_len = odd_value();
		send(fd, message, n->nlmsg_len < 4096 ? n->nlmsg_len : 4096, 0);
		while (recv(fd, answer, sizeof(answer), 0) > 0)
			;
	}
	close(fd);
}

static void on_alarm(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 10;
	struct sigaction sa = { .sa_handler = on_alarm };

	rng.state = rng_seed(clock_ns(CLOCK_REALTIME));
	printf("# SEED=%llu\n", (unsigned long long)rng.state);
	if (access("/dev/continuum", R_OK | W_OK)) {
		printf("SKIP /dev/continuum: %s\n", strerror(errno));
		return 4;
	}
	if (!getuid())
		printf("# as root: some of it may do what it says\n");
	sigaction(SIGALRM, &sa, NULL);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	nowhere = page + 4096;
	readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(page != MAP_FAILED && readonly != MAP_FAILED && !mprotect(nowhere, 4096, PROT_NONE));
	fuzz_device(clock_ns(CLOCK_MONOTONIC) + seconds * SEC / 2);
	fuzz_netlink(clock_ns(CLOCK_MONOTONIC) + seconds * SEC / 2);
	return work_end();
}
