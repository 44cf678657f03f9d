// SPDX-License-Identifier: GPL-2.0
/*
 * restore.c - continuumctl restore
 *
 * The file is read twice: first all of it is looked at, and only then is anything begun.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../continuumd/config.h"
#include "../lib/imagefile.h"
#include "daemon.h"
#include "deputy.h"
#include "order.h"
#include "output.h"
#include "tty.h"

/* As fail(), for a command whose exit status is the process's. */
#define failed(error, ...)	(fail(error, __VA_ARGS__), RUN_FAILED)

#define NO_FD	UINT32_MAX

/** struct restoring - the command under way */
struct restoring {
	const char *path;		/* of the file */
	bool as_new, detach;
	struct image_reader reader;
	void *buffer;
	char log_dir[PATH_MAX];
	bool terminal;			/* it has one */
	uint32_t files;			/* FILE records, and of each the first descriptor */
	uint32_t *first_fd;
	int device;
	struct ctm_restore call;
	int log;
};

static int bad_file(struct restoring *r, int error)
{
	return failed(error, "%s: %s", r->path, r->reader.why);
}

/* ---- the first time ---- */

static void look_at(struct restoring *r, const struct ctm_rec *rec)
{
	const struct ctm_rec_head *head = (const void *)(rec + 1);
	const struct ctm_rec_fd *fd = (const void *)(rec + 1);

	if (rec->type == CTM_REC_HEAD)
		r->terminal = head->flags & CTM_ADOPT_TTY;
	else if (rec->type == CTM_REC_FILE)
		r->first_fd[r->files++] = NO_FD;
	else if (rec->type == CTM_REC_FD && r->first_fd[fd->id - 1] > fd->fd)
		r->first_fd[fd->id - 1] = fd->fd;
}

/* ids and their number have been judged: CTM_FILES_MAX is the most */
static int look(struct restoring *r)
{
	int more;

	while ((more = image_next(&r->reader, r->buffer)) > 0) {
		long pages;

		look_at(r, r->buffer);
		pages = image_pages(&r->reader, r->buffer);
		if (pages < 0)
			return (int)pages;
	}
	return more;
}

/* ---- the second time: into the kernel ---- */

/* The log of the first process is its own; what wrote there has a stream instead. */
static void redirect_log(struct restoring *r, struct ctm_rec *rec)
{
	struct ctm_rec_file *f = (void *)(rec + 1);
	size_t length = strlen(r->log_dir);
	uint32_t fd = r->first_fd[f->id - 1];

	if (f->kind != CTM_FILE_PATH || fd >= CTM_STREAMS || f->path_len <= length ||
	    memcmp(f->path, r->log_dir, length) || f->path[length] != '/')
		return;
	f->kind = CTM_FILE_HOME;
	f->handle = CTM_STREAM(fd);
	f->mode = S_IFREG;
	f->ino = f->isize = f->mtime_ns = 0;
	f->path_len = 0;
	rec->len = sizeof(*f);
}

/* Return: 0 or -errno; what was wrong with a record is told by the next call */
static int give(struct restoring *r)
{
	struct ctm_rec *rec = r->buffer;
	int more, error;

	image_rewind(&r->reader);
	while ((more = image_next(&r->reader, rec)) > 0) {
		long pages;

		if (rec->type == CTM_REC_FILE)
			redirect_log(r, rec);
		error = write_full(r->device, rec, sizeof(*rec) + rec->len);
		if (error)
			return error;
		pages = image_pages(&r->reader, r->buffer);
		if (pages < 0)
			return (int)pages;
		error = write_full(r->device, r->buffer, (size_t)pages);
		if (error)
			return error;
	}
	return more;
}

static const char *cause(int error, const char *reason)
{
	return error == -EEXIST && !reason[0] ? "it lives" : process_cause(error, reason);
}

static int begin(struct restoring *r)
{
	const struct image_head *head = &r->reader.head;
	int error;

	r->call = (struct ctm_restore){
		.flags = CTM_RESTORE_BEGIN | (r->as_new ? CTM_RESTORE_AS_NEW : 0),
		.gpid = head->gpid, .abi_len = head->abi_len,
	};
	memcpy(r->call.abi, head->abi, sizeof(r->call.abi));
	error = continuum_restore(r->device, &r->call);
	if (!error)
		return DONE;
	return failed(error, "%s.%u: %s%s", head->home, CTM_GPID_SEQ(head->gpid),
		      cause(error, r->call.reason),
		      error == -EEXIST || error == -EHOSTUNREACH ?
		      " (--as-new makes another process of it)" : "");
}

static int run_it(struct restoring *r)
{
	const struct image_head *head = &r->reader.head;
	struct ctm_restore *c = &r->call;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), error;

	c->flags = r->as_new ? CTM_RESTORE_AS_NEW : 0;
	c->ttl = head->ttl;
	c->lease_ms = head->lease_ms;
	for (int fd = 0; fd < CTM_STREAMS; fd++) {
		c->stream[fd] = r->detach ? fd ? r->log : null : fd;
		if (fcntl(c->stream[fd], F_GETFD) < 0)
			c->stream[fd] = null;
	}
	error = continuum_restore(r->device, c);
	if (null > STDERR_FILENO)
		close(null);
	return error ? failed(error, "%s: %s", r->path, cause(error, c->reason)) : DONE;
}

/* ---- continuumd's part in a detached one ---- */

static int ask_daemon(uint32_t type, uint32_t number, const int *fds, unsigned int count, int *fd)
{
	const struct daemon_request request = {
		.version = DAEMON_VERSION, .type = type, .log_fds = number,
	};
	struct daemon_reply reply;
	int error = daemon_ask_with(&request, fds, count, &reply, fd);

	if (error == -ENOENT || error == -ECONNREFUSED)
		return failed(error, "continuumd is not running on this machine (continuumctl up)");
	if (error)
		return failed(error, "continuumd: %s", strerror(-error));
	return reply.error ? failed(-(int)reply.error, "%s", reply.text) : DONE;
}

static int get_log(struct restoring *r)
{
	return r->detach ? ask_daemon(DAEMON_LOG, CTM_GPID_SEQ(r->call.gpid), NULL, 0, &r->log) : DONE;
}

static int finish_detached(struct restoring *r)
{
	char text[CONTINUUM_GPID_MAX];
	int none = -1;
	int status = ask_daemon(DAEMON_DEPUTY, 0, &r->device, 1, &none);

	puts(continuum_gpid_print(r->call.gpid, text));
	return status;
}

/* ---- the command ---- */

static void tell_id(const struct restoring *r)
{
	const struct image_head *head = &r->reader.head;
	char text[CONTINUUM_GPID_MAX];

	if (r->call.gpid == head->gpid)
		return;
	fprintf(stderr, "continuumctl: %s.%u is %s now%s\n", head->home, CTM_GPID_SEQ(head->gpid),
		continuum_gpid_print(r->call.gpid, text),
		r->as_new ? "" : ": that number is not of this node, or was a child's");
}

static int finish(struct restoring *r, struct tty *tty)
{
	static const int streams[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	struct deputy deputy = { .device = r->device, .gpid = r->call.gpid, .tty = tty };

	tell_id(r);
	if (r->detach)
		return finish_detached(r);
	if (!tty)
		run_release(streams, 3);
	fcntl(r->device, F_SETFL, fcntl(r->device, F_GETFL) | O_NONBLOCK);
	return deputy_run(&deputy);
}

static int restore(struct restoring *r)
{
	struct tty tty;
	int error = look(r), status;

	if (error)
		return bad_file(r, error);
	if (r->terminal && (r->detach || !tty_find(&tty)))
		return failed(-EINVAL, "%s: it has a terminal: restore it on one, and without -d", r->path);
	r->device = open_device();
	if (r->device < 0)
		return RUN_FAILED;
	status = begin(r);
	if (status)
		return status;
	error = give(r);
	if (error && r->reader.why[0])
		return bad_file(r, error);
	/* an image that was refused is told of by the next call, and needs no log */
	status = error ? DONE : get_log(r);
	if (status)
		return status;
	deputy_block_signals();
	status = run_it(r);
	return status ? status : finish(r, r->terminal ? &tty : NULL);
}

static int prepare(struct restoring *r)
{
	struct config config;
	char error[512];

	r->buffer = aligned_alloc(CTM_PAGE, IMAGE_BUFFER);
	r->first_fd = malloc((CTM_FILES_MAX + 1) * sizeof(*r->first_fd));
	if (!r->buffer || !r->first_fd)
		return failed(-ENOMEM, "%s", strerror(ENOMEM));
	if (config_read(CONFIG_FILE, &config, error, sizeof(error)))
		return failed(-EINVAL, "%s", error);
	snprintf(r->log_dir, sizeof(r->log_dir), "%s", config.log_dir);
	return DONE;
}

int command_restore(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "as-new", no_argument, NULL, 'n' },
		{ "detach", no_argument, NULL, 'd' },
		{ 0 }
	};
	static struct restoring r = { .device = -1, .log = -1 };
	int option, fd, error, status;

	while ((option = next_option(argc, argv, "d", longs)) > 0) {
		r.as_new |= option == 'n';
		r.detach |= option == 'd';
	}
	if (option < 0)
		return USAGE;
	if (argc - optind != 1)
		return usage_error("one file is wanted");
	r.path = argv[optind];
	status = prepare(&r);
	if (status)
		return status;
	fd = open(r.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(-errno, "%s: %s", r.path, strerror(errno));
	error = image_open(&r.reader, fd);
	status = error ? bad_file(&r, error) : restore(&r);
	if (!error)
		image_close(&r.reader);
	free(r.first_fd);
	free(r.buffer);
	close(fd);
	return status;
}
