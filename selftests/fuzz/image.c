// SPDX-License-Identifier: GPL-2.0
/* image.c - any bytes, read as an image */
#include "../unit/sample.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	const char *why = NULL;
	int err;

	if (len > SAMPLE_MAX)
		return 0;
	err = sample_check(data, len, &why);
	if (err == -EBADMSG && !why)
		abort();	/* a refusal says why */
	return 0;
}
