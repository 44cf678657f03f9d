// SPDX-License-Identifier: GPL-2.0
/*
 * plain.c - a poor man's libFuzzer, where clang has none
 *
 *   target [-max_total_time=SECONDS] [other options] CORPUS-DIR
 *
 * Changes the seeds at random for that long.  SEED=n repeats a run; the input
 * that crashed is left in ./crash.
 */
#include <dirent.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../unit/random.h"

#define INPUT_MAX	(128u * 1024)
#define SEEDS_MAX	64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct { uint8_t *bytes; size_t len; } seeds[SEEDS_MAX];
static unsigned int nseeds;

static void read_seeds(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];
	FILE *f;

	while (d && (e = readdir(d)) && nseeds < SEEDS_MAX) {
		if (strncmp(e->d_name, "seed-", 5))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		seeds[nseeds].bytes = malloc(INPUT_MAX);
		seeds[nseeds].len = fread(seeds[nseeds].bytes, 1, INPUT_MAX, f);
		nseeds += seeds[nseeds].len > 0;
		fclose(f);
	}
	if (d)
		closedir(d);
}

static size_t change(struct rng *r, uint8_t *b, size_t len)
{
	unsigned int n = 1 + rng_below(r, 8);
	uint32_t v;

	while (n--) {
		size_t at = rng_below(r, len);

		switch (rng_below(r, 5)) {
		case 0:
			b[at] ^= 1 << rng_below(r, 8);
			break;
		case 1:
			b[at] = rng_next(r);
			break;
		case 2:
			v = rng_percent(r, 50) ? (uint32_t)-1 << rng_below(r, 32) : rng_below(r, 70000);
			at &= ~(size_t)3;
			memcpy(b + at, &v, len - at < 4 ? len - at : 4);
			break;
		case 3:
			memmove(b + at, b + rng_below(r, len), 1);
			break;
		default:
			if (rng_percent(r, 10))
				len = at + 1;
		}
	}
	return len;
}

static uint8_t input[INPUT_MAX];
static size_t input_len;

static void keep(void)
{
	FILE *f = fopen("crash", "w");

	if (f) {
		fwrite(input, 1, input_len, f);
		fclose(f);
	}
}

static void on_abort(int sig)
{
	keep();
	_exit(128 + sig);
}

int main(int argc, char **argv)
{
	unsigned int seconds = 20;
	unsigned long runs = 0;
	struct rng r = { rng_seed(time(NULL)) };
	time_t end;
	int i;

	for (i = 1; i < argc; i++) {
		if (sscanf(argv[i], "-max_total_time=%u", &seconds) != 1 && argv[i][0] != '-')
			read_seeds(argv[i]);
	}
	if (!nseeds)
		return 2;
	__sanitizer_set_death_callback(keep);
	signal(SIGABRT, on_abort);
	printf("SEED=%llu\n", (unsigned long long)r.state);
	for (end = time(NULL) + seconds; time(NULL) < end; runs++) {
		i = rng_below(&r, nseeds);
		memcpy(input, seeds[i].bytes, seeds[i].len);
		input_len = change(&r, input, seeds[i].len);
		LLVMFuzzerTestOneInput(input, input_len);
	}
	printf("%lu runs\n", runs);
	return 0;
}
