// SPDX-License-Identifier: GPL-2.0
/*
 * checkpoint.c - continuumctl checkpoint, continuumctl image
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "../lib/imagefile.h"
#include "output.h"

#define VDSO_ID		20	/* the first bytes of an ABI: see module/core/handoff.h */

/* ---- a file that is there whole, or not at all ---- */

/* written beside the one that it will be; one a program, for a signal takes it away */
static char unfinished[PATH_MAX];

static void tidy_up(int sig)
{
	unlink(unfinished);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Return: a descriptor or -errno */
static int file_create(const char *path)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	int fd;

	if (snprintf(unfinished, sizeof(unfinished), "%s.XXXXXX", path) >= (int)sizeof(unfinished))
		return -ENAMETOOLONG;
	fd = mkostemp(unfinished, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (signal(ends[i], SIG_IGN) != SIG_IGN)
			signal(ends[i], tidy_up);
	return fd;
}

/* the name of it has to last, too */
static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, error = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) && errno != EINVAL)
		error = -errno;
	close(fd);
	return error;
}

static int file_finish(int fd, const char *path, int error)
{
	if (!error && fsync(fd))
		error = -errno;
	if (close(fd) && !error)
		error = -errno;
	if (!error && rename(unfinished, path))
		error = -errno;
	if (error)
		unlink(unfinished);
	else
		error = sync_directory(path);
	return error;
}

/* ---- the image, from the kernel to the file ---- */

static int read_whole(int fd, void *to, size_t length)
{
	ssize_t got = read_full(fd, to, length);

	return got < 0 ? (int)got : (size_t)got < length ? -ENODATA : 0;
}

static int copy_record(struct image_writer *w, int device, char *buffer)
{
	struct ctm_rec *rec = (void *)buffer;
	uint32_t count = 0;
	int error = read_whole(device, rec, sizeof(*rec));

	if (!error && rec->len > CTM_REC_MAX - sizeof(*rec))
		error = -EBADMSG;
	if (!error)
		error = read_whole(device, rec + 1, rec->len);
	if (!error)
		error = image_write_record(w, rec);
	if (error || rec->type != CTM_REC_PAGES)
		return error;
	count = ((struct ctm_rec_pages *)(rec + 1))->count;
	if (count > CTM_PAGES_MAX)
		return -EBADMSG;
	error = read_whole(device, buffer, (size_t)count * CTM_PAGE);
	return error ? error : image_write_pages(w, buffer, (size_t)count * CTM_PAGE);
}

static void fill_head(struct image_head *head, const struct ctm_checkpoint *c, int device)
{
	struct ctm_info info;
	struct timespec now;
	struct utsname names;

	memset(head, 0, sizeof(*head));
	clock_gettime(CLOCK_REALTIME, &now);
	uname(&names);
	head->made_ns = now.tv_sec * 1000000000ll + now.tv_nsec;
	head->gpid = c->gpid;
	head->epoch = c->epoch;
	head->uid = c->uid;
	head->gid = c->gid;
	head->threads = c->threads;
	head->ttl = c->ttl;
	head->lease_ms = c->lease_ms;
	head->abi_len = c->abi_len > sizeof(head->abi) ? 0 : c->abi_len;
	memcpy(head->abi, c->abi, sizeof(head->abi));
	snprintf(head->comm, sizeof(head->comm), "%.15s", c->comm);
	snprintf(head->home, sizeof(head->home), "%.63s", c->home_name);
	snprintf(head->kernel, sizeof(head->kernel), "%.63s", names.release);
	snprintf(head->machine, sizeof(head->machine), "%.15s", names.machine);
	if (!continuum_info(device, c->gpid, &info))
		snprintf(head->host, sizeof(head->host), "%.63s", info.host_name);
}

static int copy_image(int device, int fd, const struct ctm_checkpoint *c)
{
	char *buffer = aligned_alloc(CTM_PAGE, IMAGE_BUFFER);
	struct image_writer w;
	struct image_head head;
	int error = 0;

	if (!buffer)
		return -ENOMEM;
	image_write_begin(&w, fd);
	for (uint64_t i = 0; i < c->records && !error; i++)
		error = copy_record(&w, device, buffer);
	fill_head(&head, c, device);
	if (!error && w.at != c->bytes)
		error = -EBADMSG;
	if (!error)
		error = image_write_end(&w, &head);
	image_write_free(&w);
	free(buffer);
	return error;
}

static int save(int device, const struct ctm_checkpoint *c, const char *path)
{
	int fd = file_create(path), error;

	if (fd < 0)
		return fail(fd, "%s: %s", path, strerror(-fd));
	error = file_finish(fd, path, copy_image(device, fd, c));
	return error ? fail(error, "%s: %s", path, strerror(-error)) : DONE;
}

/* ---- checkpoint ---- */

int command_checkpoint(int argc, char **argv)
{
	struct ctm_checkpoint c;
	const char *path;
	uint64_t gpid;
	int device, error;
	int status = next_option(argc, argv, "", NULL) < 0 ? USAGE : DONE;

	if (status)
		return status;
	if (argc - optind != 2)
		return usage_error(argc - optind < 2 ? "a GPID and a file are wanted" : "\"%s\" is too much",
				   argv[optind + (argc - optind > 2 ? 2 : 0)]);
	path = argv[optind + 1];
	status = parse_gpid(argv[optind], &gpid);
	if (status)
		return status;
	device = open_device();
	if (device < 0)
		return exit_status_of(device) == DENIED ? DENIED : FAILED;
	error = continuum_checkpoint(device, gpid, &c);
	status = error ? fail(error, "%s: %s", argv[optind], process_cause(error, c.reason)) :
		 save(device, &c, path);
	close(device);
	if (!status)
		printf("%s %s bytes=%" PRIu64 " pages=%" PRIu64 "\n", argv[optind], path,
		       (uint64_t)c.bytes, (uint64_t)c.pages);
	return status;
}

/* ---- image ---- */

/** struct digest - what image says of one, beside its head */
struct digest {
	uint64_t areas, area_bytes, signals;
	struct json_object *files;	/* an object each; index: id - 1 */
	char vdso[2 * VDSO_ID + 1];
	char cwd[PATH_MAX], exe[PATH_MAX];
	bool terminal;
};

static const char *kind_text(const struct ctm_rec_file *f)
{
	static const char *const texts[] = {
		[CTM_FILE_PATH] = "path", [CTM_FILE_HOME] = "stream", [CTM_FILE_PIPE_R] = "pipe",
		[CTM_FILE_PIPE_W] = "pipe", [CTM_FILE_EVENTFD] = "eventfd",
		[CTM_FILE_TIMERFD] = "timerfd", [CTM_FILE_SIGNALFD] = "signalfd",
		[CTM_FILE_EPOLL] = "epoll", [CTM_FILE_MEMFD] = "memfd", [CTM_FILE_TTY] = "terminal",
		[CTM_FILE_SOCKPAIR] = "socketpair", [CTM_FILE_MAPPED] = "mapped",
	};

	return f->kind < sizeof(texts) / sizeof(texts[0]) && texts[f->kind] ? texts[f->kind] : "unknown";
}

static void digest_file(struct digest *d, const struct ctm_rec_file *f)
{
	struct json_object *object = json_object_new_object();
	char path[CTM_PATH_MAX];

	snprintf(path, sizeof(path), "%.*s", (int)f->path_len, f->path);
	json_add_text(object, "kind", kind_text(f));
	json_add_text(object, "path", path);
	json_add_number(object, "offset", f->pos);
	json_object_object_add(object, "fds", json_object_new_array());
	json_object_array_add(d->files, object);
}

static void digest_fd(struct digest *d, const struct ctm_rec_fd *fd)
{
	struct json_object *file = json_object_array_get_idx(d->files, fd->id - 1), *fds;

	if (file && json_object_object_get_ex(file, "fds", &fds))
		json_object_array_add(fds, json_object_new_int64(fd->fd));
}

static void digest_record(struct digest *d, const struct ctm_rec *rec)
{
	const void *p = rec + 1;
	const struct ctm_rec_task *task = p;
	const struct ctm_rec_vma *area = p;

	switch (rec->type) {
	case CTM_REC_HEAD:
		for (int i = 0; i < VDSO_ID; i++)
			sprintf(d->vdso + 2 * i, "%02x", ((const struct ctm_rec_head *)p)->vdso_id[i]);
		break;
	case CTM_REC_TASK:
		snprintf(d->cwd, sizeof(d->cwd), "%.*s", (int)task->cwd_len, task->paths);
		snprintf(d->exe, sizeof(d->exe), "%.*s", (int)task->exe_len, task->paths + task->cwd_len);
		break;
	case CTM_REC_FILE:
		digest_file(d, p);
		break;
	case CTM_REC_FD:
		digest_fd(d, p);
		break;
	case CTM_REC_TTY:
		d->terminal = true;
		break;
	case CTM_REC_VMA:
		d->areas++;
		d->area_bytes += area->end - area->start;
		break;
	case CTM_REC_PENDING:
		d->signals++;
		break;
	}
}

/* every record and every page is looked at */
static int digest(struct image_reader *r, struct digest *d)
{
	void *buffer = aligned_alloc(CTM_PAGE, IMAGE_BUFFER);
	int more = buffer ? 1 : -ENOMEM;

	while (more > 0 && (more = image_next(r, buffer)) > 0) {
		long pages;

		digest_record(d, buffer);
		pages = image_pages(r, buffer);
		if (pages < 0)
			more = (int)pages;
	}
	free(buffer);
	return more;
}

static const char *head_gpid(const struct image_head *head, char text[CONTINUUM_GPID_MAX])
{
	char node[CTM_NAME_MAX];

	snprintf(text, CONTINUUM_GPID_MAX, "%s.%u",
		 node_text(head->home, CTM_GPID_NODE(head->gpid), node), CTM_GPID_SEQ(head->gpid));
	return text;
}

static void made_text(const struct image_head *head, char text[32])
{
	time_t seconds = head->made_ns / 1000000000ll;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(text, "?");
}

static void print_image_json(const struct image_head *h, const struct digest *d)
{
	struct json_object *object = json_object_new_object();
	char gpid[CONTINUUM_GPID_MAX], made[32];

	made_text(h, made);
	json_add_number(object, "version", h->version);
	json_add_number(object, "image_version", h->image_version);
	json_add_text(object, "gpid", head_gpid(h, gpid));
	json_add_number(object, "epoch", h->epoch);
	json_add_text(object, "comm", h->comm);
	json_add_text(object, "exe", d->exe);
	json_add_text(object, "cwd", d->cwd);
	json_add_number(object, "uid", h->uid);
	json_add_number(object, "gid", h->gid);
	json_add_text(object, "host", h->host);
	json_add_text(object, "made", made);
	json_add_text(object, "machine", h->machine);
	json_add_text(object, "kernel", h->kernel);
	json_add_text(object, "vdso", d->vdso);
	json_add_number(object, "threads", h->threads);
	json_add_bool(object, "terminal", d->terminal);
	json_add_number(object, "ttl", h->ttl);
	json_add_number(object, "lease_ms", h->lease_ms);
	json_add_number(object, "records", h->records);
	json_add_number(object, "pages", h->pages);
	json_add_number(object, "bytes", h->bytes);
	json_add_number(object, "areas", d->areas);
	json_add_number(object, "area_bytes", d->area_bytes);
	json_add_number(object, "signals", d->signals);
	json_object_object_add(object, "files", json_object_get(d->files));
	json_print(object);
}

static void print_files(struct json_object *files)
{
	for (size_t i = 0; i < json_object_array_length(files); i++) {
		struct json_object *file = json_object_array_get_idx(files, i), *kind, *path, *fds;

		json_object_object_get_ex(file, "kind", &kind);
		json_object_object_get_ex(file, "path", &path);
		json_object_object_get_ex(file, "fds", &fds);
		for (size_t k = 0; k < json_object_array_length(fds); k++)
			printf("fd %-8d %s %s\n",
			       json_object_get_int(json_object_array_get_idx(fds, k)),
			       json_object_get_string(kind), json_object_get_string(path));
	}
}

static void print_image(const struct image_head *h, const struct digest *d)
{
	char gpid[CONTINUUM_GPID_MAX], made[32], size[16], areas[16];

	made_text(h, made);
	printf("process     %s (%s, uid %u, epoch %u)\n", head_gpid(h, gpid), h->comm, h->uid, h->epoch);
	printf("program     %s\n", d->exe);
	printf("directory   %s\n", d->cwd);
	printf("made        %s on %s, Linux %s, %s\n", made, h->host, h->kernel, h->machine);
	printf("vdso        %s\n", d->vdso);
	printf("format      %u, image %u\n", h->version, h->image_version);
	printf("threads     %u%s\n", h->threads, d->terminal ? ", with a terminal" : "");
	printf("memory      %s in %" PRIu64 " areas, %" PRIu64 " pages in the image\n",
	       size_text(d->area_bytes, areas), d->areas, h->pages);
	printf("image       %s, %" PRIu64 " records, whole\n", size_text(h->bytes, size), h->records);
	print_files(d->files);
}

int command_image(int argc, char **argv)
{
	struct image_reader r;
	struct digest d = { 0 };
	bool json;
	int fd, error, status = json_option(argc, argv, &json);

	if (status)
		return status;
	if (argc - optind != 1)
		return usage_error("one file is wanted");
	fd = open(argv[optind], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "%s: %s", argv[optind], strerror(errno));
	error = image_open(&r, fd);
	d.files = json_object_new_array();
	if (!error) {
		error = digest(&r, &d);
		image_close(&r);
	}
	close(fd);
	if (error)
		status = fail(error, "%s: %s", argv[optind], r.why);
	else
		(json ? print_image_json : print_image)(&r.head, &d);
	json_object_put(d.files);
	return status;
}
