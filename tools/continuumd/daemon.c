// SPDX-License-Identifier: GPL-2.0
/*
 * daemon.c - continuumd: options, start, signals, stop
 *
 * Capsules, keepers and the deputies of detached processes outlive this daemon;
 * the next one takes over the node as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/personality.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capsule.h"
#include "client.h"
#include "detach.h"
#include "keeper.h"
#include "landers.h"
#include "log.h"
#include "node.h"
#include "notify.h"
#include "start.h"

#define RUN_DIR		"/run/continuum"
#define PID_FILE	RUN_DIR "/continuumd.pid"
#define KEEPER_PATH	"/usr/lib/continuum/keeper"
#define STOP_MS		3000	/* for waiting landers to end */
#define DRAIN_LOOK_MS	200
#define DRAIN_EXTEND	"EXTEND_TIMEOUT_USEC=15000000"	/* and so is what one look may take */

static struct {
	const char *config_path;
	struct config config;
	struct source signals;
	struct client *stopper;		/* who waits for the end of a STOP */
	struct timer stop_timer;
	struct timer drain_timer;	/* at a stop, while processes leave */
	struct timer watchdog;
	unsigned int drain_left_ms;
	bool draining;
	bool stopping;
	int pid_file;
} daemon_state = { .config_path = CONFIG_FILE, .pid_file = -1 };

static const char usage[] =
	"usage: continuumd [--config FILE] [--daemon]\n"
	"\n"
	"The daemon of a Continuum node.  It must be started as root, with the module loaded.\n"
	"\n"
	"  --config FILE   instead of " CONFIG_FILE "\n"
	"  --daemon        go to the background once the node is up\n";

/* A keeper beside this program, as in a build tree, is used when none is configured. */
static void find_keeper(struct config *config)
{
	const char *chosen = getenv("CONTINUUM_KEEPER");
	char path[PATH_MAX] = "";
	char *slash;

	if (readlink("/proc/self/exe", path, sizeof(path) - sizeof("keeper")) < 0)
		return;
	slash = strrchr(path, '/');
	if (!chosen && !config->keeper[0] && slash) {
		strcpy(slash + 1, "keeper");
		if (!access(path, X_OK))
			chosen = path;
	}
	if (chosen)
		snprintf(config->keeper, sizeof(config->keeper), "%s", chosen);
	else if (!config->keeper[0])
		strcpy(config->keeper, KEEPER_PATH);
}

static int read_config(struct config *config, char *error, size_t room)
{
	int result = config_read(daemon_state.config_path, config, error, room);

	if (!result)
		find_keeper(config);
	return result;
}

static int reload(char *error, size_t room)
{
	struct config fresh;
	int result = read_config(&fresh, error, room);

	if (result)
		return result;
	if (strcmp(fresh.name, daemon_state.config.name) ||
	    strcmp(fresh.cluster, daemon_state.config.cluster) ||
	    strcmp(fresh.address, daemon_state.config.address) ||
	    fresh.port != daemon_state.config.port)
		log_warning("name, cluster, address and port change only at the next up");
	memcpy(fresh.name, daemon_state.config.name, sizeof(fresh.name));
	daemon_state.config = fresh;
	result = node_reload(&daemon_state.config, error, room);
	landers_keep(&daemon_state.config);
	return result;
}

static void finish_if_quiet(void)
{
	struct daemon_reply reply = { 0 };

	if (!daemon_state.stopping || landers_waiting())
		return;
	if (daemon_state.stopper)
		client_answer(daemon_state.stopper, &reply, -1);
	daemon_state.stopper = NULL;
	loop_stop();
}

static void stop_late(struct timer *timer)
{
	(void)timer;
	log_warning("some landers did not end");
	loop_stop();
}

static void stop_landers_and_finish(void)
{
	daemon_state.stopping = true;
	notify("STOPPING=1");
	landers_stop();
	daemon_state.stop_timer.expired = stop_late;
	timer_set(&daemon_state.stop_timer, STOP_MS);
	finish_if_quiet();
}

/* What could not leave is named by node_down(); the node stays up for the next daemon. */
static void finish_terminating(void)
{
	char error[256];

	if (node_down(error, sizeof(error))) {
		log_warning("the node stays up: %s", error);
		node_drain(false, NULL, error, sizeof(error));
	}
	stop_landers_and_finish();
}

static void look_at_drain(struct timer *timer)
{
	char error[256];
	bool done;

	if (node_drain(true, &done, error, sizeof(error)))
		log_warning("drain: %s", error);
	notify(DRAIN_EXTEND);
	if (!done && daemon_state.drain_left_ms >= DRAIN_LOOK_MS) {
		daemon_state.drain_left_ms -= DRAIN_LOOK_MS;
		timer_set(timer, DRAIN_LOOK_MS);
		return;
	}
	finish_terminating();
}

/*
 * SIGTERM comes from an init that stops the service, or the machine: processes that live
 * here are moved away first, within a bounded time.  A second one does not wait for that.
 */
static void terminate(void)
{
	if (daemon_state.stopping)
		return;
	if (daemon_state.draining || !daemon_state.config.drain_seconds) {
		timer_cancel(&daemon_state.drain_timer);
		finish_terminating();
		return;
	}
	daemon_state.draining = true;
	daemon_state.drain_left_ms = 1000 * daemon_state.config.drain_seconds;
	daemon_state.drain_timer.expired = look_at_drain;
	notify("STOPPING=1");
	look_at_drain(&daemon_state.drain_timer);
}

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		keeper_reaped(pid);
	finish_if_quiet();
}

static void signalled(struct source *source, uint32_t events)
{
	struct signalfd_siginfo info;
	char error[256];

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap();
			break;
		case SIGHUP:
			if (reload(error, sizeof(error)))
				log_error("reload: %s", error);
			break;
		default:
			terminate();
		}
	}
}

static void stopper_gone(void *waiting)
{
	(void)waiting;
	daemon_state.stopper = NULL;
}

static void request_stop(struct client *client, unsigned int flags)
{
	char error[256];
	int result = flags & DAEMON_KEEP ? 0 : node_down(error, sizeof(error));

	if (result) {
		client_refuse(client, -result, "%s", error);
		return;
	}
	daemon_state.stopper = client;
	client->gone = stopper_gone;
	stop_landers_and_finish();
}

static void request_reload(struct client *client)
{
	struct daemon_reply reply = { 0 };
	char error[256];
	int result = reload(error, sizeof(error));

	if (result)
		client_refuse(client, -result, "%s", error);
	else
		client_answer(client, &reply, -1);
}

static void request_log(struct client *client, const struct request *request)
{
	struct daemon_reply reply = { 0 };
	int fd = process_log_open(&daemon_state.config, &client->peer, request->head.log_fds);

	if (fd < 0) {
		client_refuse(client, -fd, "its log: %s", strerror(-fd));
		return;
	}
	client_answer(client, &reply, fd);
	close(fd);
}

static void request_deputy(struct client *client, struct request *request)
{
	struct daemon_reply reply = { 0 };
	int result = request->count == 1 && is_deputy_file(request->fds[0]) ? 0 : -EINVAL;

	if (!result)
		result = detach_deputy(&client->peer, client->groups, client->group_count,
				       request->fds[0]);
	request_close(request);
	if (result)
		client_refuse(client, -result, "its deputy: %s", strerror(-result));
	else
		client_answer(client, &reply, -1);
}

static void take_request(struct client *client, struct request *request)
{
	if (daemon_state.stopping || daemon_state.draining) {
		request_close(request);
		client_refuse(client, ESHUTDOWN, "continuumd is stopping");
		return;
	}
	if (request->head.type == DAEMON_START) {
		start_begin(&daemon_state.config, client, request);
		return;
	}
	if (request->head.type == DAEMON_DEPUTY) {
		request_deputy(client, request);
		return;
	}
	request_close(request);
	if (request->head.type == DAEMON_LOG)
		request_log(client, request);
	else if (client->peer.uid)
		client_refuse(client, EPERM, "only root may");
	else if (request->head.type == DAEMON_STOP)
		request_stop(client, request->head.flags);
	else if (request->head.type == DAEMON_RELOAD)
		request_reload(client);
	else
		client_refuse(client, EINVAL, "unknown request");
}

/* One continuumd a machine: it holds a lock on its pid file. */
static int take_pid_file(char *error, size_t room)
{
	char pid[16];
	int length = snprintf(pid, sizeof(pid), "%d\n", getpid());

	if (daemon_state.pid_file < 0)
		daemon_state.pid_file = open(PID_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (daemon_state.pid_file < 0) {
		snprintf(error, room, PID_FILE ": %s", strerror(errno));
		return -1;
	}
	if (flock(daemon_state.pid_file, LOCK_EX | LOCK_NB)) {
		snprintf(error, room, "continuumd is running already");
		return -1;
	}
	if (ftruncate(daemon_state.pid_file, 0) ||
	    pwrite(daemon_state.pid_file, pid, (size_t)length, 0) != length) {
		snprintf(error, room, PID_FILE ": %s", strerror(errno));
		return -1;
	}
	return 0;
}

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	daemon_state.signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon_state.signals.ready = signalled;
	return daemon_state.signals.fd < 0 ? -errno : loop_add(&daemon_state.signals, EPOLLIN);
}

static const char *socket_path(void)
{
	const char *path = getenv(DAEMON_SOCKET_ENV);

	return path ? path : DAEMON_SOCKET;
}

/* Everything up to serving.  Return: 0, or -1 with a line in @error */
static int prepare(char *error, size_t room)
{
	int result = loop_init();

	if (!result)
		result = watch_signals();
	if (result) {
		snprintf(error, room, "%s", strerror(-result));
		return -1;
	}
	if (take_pid_file(error, room) || capsules_init(error, room) ||
	    node_up(&daemon_state.config, error, room))
		return -1;
	result = clients_listen(socket_path(), take_request);
	if (result) {
		snprintf(error, room, "%s: %s", socket_path(), strerror(-result));
		return -1;
	}
	return 0;
}

/* That the loop turns, for who restarts it if it does not. */
static void tell_watchdog(struct timer *timer)
{
	notify("WATCHDOG=1");
	timer_set(timer, notify_watchdog_ms());
}

static int serve(void)
{
	char error[512];

	if (prepare(error, sizeof(error))) {
		log_error("%s", error);
		notify_failed(error);
		return 1;
	}
	landers_keep(&daemon_state.config);
	notify("READY=1");
	daemon_state.watchdog.expired = tell_watchdog;
	if (notify_watchdog_ms())
		tell_watchdog(&daemon_state.watchdog);
	log_info("node %s is up", daemon_state.config.name);
	loop_run();
	unlink(socket_path());
	log_info("stopped");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "daemon", no_argument, NULL, 'd' },
		{ "deputy", no_argument, NULL, 'D' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool background = false;
	char error[512];
	int option;

	while ((option = getopt_long(argc, argv, "c:dh", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			daemon_state.config_path = optarg;
			break;
		case 'd':
			background = true;
			break;
		case 'D':
			detach_main(3);
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (geteuid()) {
		fprintf(stderr, "continuumd: must be started as root\n");
		return 4;
	}
	close_range(STDERR_FILENO + 1, ~0U, 0);
	personality(PER_LINUX);		/* programs are to have random addresses, whoever started us */
	if (read_config(&daemon_state.config, error, sizeof(error))) {
		fprintf(stderr, "continuumd: %s\n", error);
		return 1;
	}
	mkdir(STATE_DIR, 0755);		/* the module reserves process numbers there */
	mkdir(RUN_DIR, 0755);
	mkdir(daemon_state.config.log_dir, 0755);
	if (background && notify_daemonize(daemon_state.config.log_dir))
		return 1;
	return serve();
}
