// SPDX-License-Identifier: GPL-2.0
/* frame.c - any bytes, read as one frame of the handoff channel */
#include <stdlib.h>
#include "../../module/core/handoff.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	const char *why = NULL;
	void *copy = malloc(len ? len : 1);

	memcpy(copy, data, len);
	if (ctm_ho_frame_check(copy, len, &why) && !why)
		abort();
	free(copy);
	return 0;
}
