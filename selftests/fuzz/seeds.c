// SPDX-License-Identifier: GPL-2.0
/*
 * seeds.c - right inputs to begin with: seeds DIR writes DIR/{image,frame,machines}/
 */
#include <stdio.h>
#include "../unit/frames.h"
#include "../unit/sample.h"

static int put(const char *dir, const char *kind, unsigned int nr, const void *bytes, u32 len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/seed-%u", dir, kind, nr);
	f = fopen(path, "w");
	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}

/* one whole handoff, source and destination in turn */
static const u8 machines[] = {
	CTM_HO_EV_START, 0, 64, 1, CTM_HO_EV_CONSENTED, 0, 64, 1, CTM_HO_EV_OFFER, 0, 8, 1,
	CTM_HO_EV_ACCEPT, 0, 64, 1, CTM_HO_EV_FROZEN, 0, 64, 1, CTM_HO_EV_BEGIN, 0, 0, 1,
	CTM_HO_EV_BUILT, 0, 0, 1, CTM_HO_EV_IMAGE_SENT, 0, 64, 1, CTM_HO_EV_PREPARED, 0, 64, 1,
	CTM_HO_EV_COMMIT, 0, 0, 1, CTM_HO_EV_STARTED, 0, 64, 1, CTM_HO_EV_RELEASED, 0, 0, 1,
};

int main(int argc, char **argv)
{
	static struct sample s;
	struct frame f;
	unsigned int i;
	int bad = 0;

	if (argc != 2)
		return 2;
	sample_build(&s);
	bad |= put(argv[1], "image", 0, s.bytes, s.len);
	for (i = 0; i < FRAMES; i++) {
		frame_build(&f, i);
		bad |= put(argv[1], "frame", i, f.bytes, f.len);
	}
	bad |= put(argv[1], "machines", 0, machines, sizeof(machines));
	return bad;
}
