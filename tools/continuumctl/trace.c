// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - continuumctl trace: loads trace.bpf.c and looks at what it says
 *
 * The build embeds the program if clang, bpftool and libbpf were there (HAVE_BPF).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "signals.h"
#include "trace.h"

#ifdef HAVE_BPF

#include <bpf/libbpf.h>

#include "trace.skel.h"

#define KERNEL_BTF	"/sys/kernel/btf/vmlinux"
#define EVENTS		"events/continuum/handoff_phase"

struct viewer {
	bool json;
	unsigned int moves_left;	/* 0: no end */
	bool ended;
	struct trace trace;
};

/* A line for each move; the histograms come at the end. */
static void show_handoff(const struct trace_handoff *h, void *data)
{
	char gpid[CONTINUUM_GPID_MAX];
	struct viewer *v = data;
	struct json_object *object, *us;
	bool first = true;

	object = trace_handoff_json(h, continuum_gpid_print(h->gpid, gpid));
	if (v->json) {
		json_print(object);
	} else {
		printf("%s %s", gpid, h->source ? "left:" : "landed:");
		json_object_object_get_ex(object, "us", &us);
		json_object_object_foreach(us, name, value) {
			printf("%s %s %lld us", first ? "" : ",", name, (long long)json_object_get_int64(value));
			first = false;
		}
		if (h->source)
			printf(", %llu bytes", (unsigned long long)h->bytes);
		putchar('\n');
		json_object_put(object);
	}
	if (v->moves_left && !--v->moves_left)
		v->ended = true;
}

static int take_phase(void *data, void *record, size_t size)
{
	struct viewer *v = data;

	if (size >= sizeof(struct trace_phase))
		trace_take(&v->trace, record);
	return 0;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level != LIBBPF_WARN || !getenv("CONTINUUM_TRACE_DEBUG"))
		return 0;
	return vfprintf(stderr, format, args);
}

/* What libbpf would say in other words, or not at all. */
static int check_machine(void)
{
	if (geteuid())
		return fail(-EPERM, "only root may trace");
	if (access("/sys/module/continuum", F_OK))
		return fail(-ENODEV, "the module is not loaded on this machine (continuumctl up)");
	if (access(KERNEL_BTF, R_OK))
		return fail(-ENOTSUP, "this kernel has no BTF (%s, CONFIG_DEBUG_INFO_BTF), which trace needs; the tracepoints themselves are in /sys/kernel/tracing/events/continuum",
			    KERNEL_BTF);
	if (access("/sys/kernel/tracing/" EVENTS, F_OK) &&
	    access("/sys/kernel/debug/tracing/" EVENTS, F_OK))
		return fail(-ENOTSUP, "no tracepoints in /sys/kernel/tracing (mount -t tracefs none /sys/kernel/tracing; the module has them if the kernel has CONFIG_TRACEPOINTS)");
	return DONE;
}

static struct trace_bpf *load(uint64_t gpid, int *status)
{
	struct trace_bpf *skeleton = trace_bpf__open();
	int error = skeleton ? 0 : -errno;

	if (!error) {
		skeleton->rodata->only_gpid = gpid;
		error = trace_bpf__load(skeleton);
	}
	if (!error)
		error = trace_bpf__attach(skeleton);
	if (!error)
		return skeleton;
	trace_bpf__destroy(skeleton);
	if (error == -ENOENT)
		*status = fail(-EPROTO, "the module has other tracepoints than these tools know: are they of one version?");
	else
		*status = fail(error, "the kernel does not take the program: %s (CONTINUUM_TRACE_DEBUG=1 in the environment says more)",
			       strerror(-error));
	return NULL;
}

/* Until a signal, the end of the time, or so many moves. */
static int watch(struct viewer *v, struct ring_buffer *ring, int64_t until_ms)
{
	struct pollfd fds[] = {
		{ .fd = ring_buffer__epoll_fd(ring), .events = POLLIN },
		{ .fd = end_signals(), .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};
	int64_t left = -1;

	while (!v->ended) {
		if (until_ms >= 0) {
			left = until_ms - clock_ms(CLOCK_MONOTONIC);
			if (left <= 0)
				break;
		}
		if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
			return -errno;
		ring_buffer__consume(ring);
		fflush(stdout);
		if (fds[1].revents || fds[2].revents)
			break;
	}
	close(fds[1].fd);
	return 0;
}

static void show_all(const struct viewer *v, const struct trace_bpf *skeleton)
{
	struct json_object *object;

	if (skeleton->bss->phases_lost)
		fprintf(stderr, "continuumctl trace: %llu phases were lost\n",
			(unsigned long long)skeleton->bss->phases_lost);
	if (!v->json) {
		trace_print(&v->trace, skeleton->bss->histograms);
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "histograms", trace_json(&v->trace, skeleton->bss->histograms));
	json_print(object);
}

static int trace(struct viewer *v, uint64_t gpid, int64_t until_ms)
{
	struct trace_bpf *skeleton;
	struct ring_buffer *ring;
	int status = DONE, error;

	skeleton = load(gpid, &status);
	if (!skeleton)
		return status;
	ring = ring_buffer__new(bpf_map__fd(skeleton->maps.phases), take_phase, v, NULL);
	error = ring ? 0 : -errno;
	if (!error) {
		fputs("tracing\n", stderr);
		error = watch(v, ring, until_ms);
	}
	if (!error)
		show_all(v, skeleton);
	ring_buffer__free(ring);
	trace_bpf__destroy(skeleton);
	return error ? fail(error, "trace: %s", strerror(-error)) : DONE;
}

#endif /* HAVE_BPF */

int command_trace(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "duration", required_argument, NULL, 'd' },
		{ "moves", required_argument, NULL, 'n' },
		{ 0 }
	};
	uint32_t duration_ms = 0;
	unsigned long moves = 0;
	uint64_t gpid = 0;
	bool json = false;
	int option, status;
	char *end;

	while ((option = next_option(argc, argv, "jd:n:", longs)) > 0) {
		if (option == 'j')
			json = true;
		if (option == 'd' && (parse_time(optarg, &duration_ms) || !duration_ms))
			return usage_error("\"%s\" is not a time (10s, 5m)", optarg);
		if (option == 'n') {
			moves = strtoul(optarg, &end, 10);
			if (*end || !moves || moves > 1000000)
				return usage_error("\"%s\" is not a number of moves", optarg);
		}
	}
	if (option < 0)
		return USAGE;
	if (argc > optind + 1)
		return usage_error("\"%s\" is too much", argv[optind + 1]);
#ifdef HAVE_BPF
	libbpf_set_print(quiet);
	status = check_machine();
	if (!status && optind < argc)
		status = parse_gpid(argv[optind], &gpid);
	if (!status) {
		struct viewer *v = calloc(1, sizeof(*v));

		if (!v)
			return fail(-ENOMEM, "%s", strerror(ENOMEM));
		v->json = json;
		v->moves_left = (unsigned int)moves;
		v->trace.done = show_handoff;
		v->trace.data = v;
		status = trace(v, gpid, duration_ms ? clock_ms(CLOCK_MONOTONIC) + duration_ms : -1);
		free(v);
	}
	return status;
#else
	(void)json;
	(void)gpid;
	(void)status;
	return fail(-ENOTSUP, "built without trace, for clang, bpftool or libbpf-dev were missing then (apt install clang bpftool libbpf-dev, make tools)");
#endif
}
