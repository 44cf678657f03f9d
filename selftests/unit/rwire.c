// SPDX-License-Identifier: GPL-2.0
/*
 * rwire.c - the judgement of frames of remote files and of the terminal
 */
#include "../../module/core/rwire.h"
#include "../ktap.h"

static int head(u16 kind, u32 len)
{
	struct ctm_rw_head h = { .kind = cpu_to_le16(kind), .len = cpu_to_le32(len) };

	return ctm_rw_head_check(&h);
}

static void heads(void)
{
	struct ctm_rw_head h = { .kind = cpu_to_le16(CTM_RW_CANCEL), .pad = cpu_to_le16(1) };
	unsigned int kind;

	CHECK(ctm_rw_head_check(&h) == -EBADMSG);
	for (kind = 0; kind < 0x10000; kind++)
		CHECK(head(kind, 0xffffffff) == -EBADMSG);
	CHECK(head(CTM_RW_HELLO, sizeof(struct ctm_rw_hello)) == CTM_RW_HELLO);
	CHECK(head(CTM_RW_HELLO, sizeof(struct ctm_rw_hello) - 1) == -EBADMSG);
	CHECK(head(CTM_RW_HELLO, sizeof(struct ctm_rw_hello) + 1) == -EBADMSG);
	CHECK(head(CTM_RW_CANCEL, 0) == CTM_RW_CANCEL);
	CHECK(head(CTM_RW_CANCEL, 1) == -EBADMSG);
	CHECK(head(CTM_RW_OP, CTM_RW_FRAME_MAX) == CTM_RW_OP);
	CHECK(head(CTM_RW_OP, CTM_RW_FRAME_MAX + 1) == -EBADMSG);
	CHECK(head(CTM_RW_ACK, 8 * CTM_RW_ACKS_MAX) == CTM_RW_ACK);
	CHECK(head(CTM_RW_ACK, 8 * CTM_RW_ACKS_MAX + 8) == -EBADMSG);
	CHECK(head(CTM_RW_TDATA, 0) == -EBADMSG);
}

static int op(u32 code, u32 len, u32 room, u32 frame_data)
{
	struct ctm_rw_op o = {
		.op = cpu_to_le32(code), .len = cpu_to_le32(len), .room = cpu_to_le32(room),
	};

	return ctm_rw_op_check(&o, sizeof(o) + frame_data);
}

static void ops(void)
{
	u32 code;

	CHECK(!op(CTM_RW_READ, 0, CTM_RW_DATA_MAX, 0));
	CHECK(op(CTM_RW_READ, 0, CTM_RW_DATA_MAX + 1, 0));
	CHECK(op(CTM_RW_READ, 1, 1, 1));
	CHECK(!op(CTM_RW_WRITE, 5, 0, 5));
	CHECK(op(CTM_RW_WRITE, 5, 0, 4));
	CHECK(op(CTM_RW_WRITE, 0xffffffff, 0, 5));
	CHECK(!op(CTM_RW_GETATTR, 0, sizeof(struct ctm_rw_attr), 0));
	CHECK(op(CTM_RW_GETATTR, 0, sizeof(struct ctm_rw_attr) - 1, 0));
	CHECK(!op(CTM_RW_SETATTR, sizeof(struct ctm_rw_setattr), 0, sizeof(struct ctm_rw_setattr)));
	CHECK(op(CTM_RW_SETATTR, 1, 0, 1));
	CHECK(!op(CTM_RW_IOCTL, 36, 36, 36));
	CHECK(op(CTM_RW_IOCTL, 4097, 0, 4097));
	CHECK(op(CTM_RW_LSEEK, 0, 1, 0));
	CHECK(op(0, 0, 0, 0));
	for (code = CTM_RW_OP_END; code < 1000; code++)
		CHECK(op(code, 0, 0, 0));
}

static int result(s64 ret, u32 sig, u32 len, u32 frame_data, u32 room)
{
	struct ctm_rw_result r = {
		.ret = cpu_to_le64(ret), .sig = cpu_to_le32(sig), .len = cpu_to_le32(len),
	};

	return ctm_rw_result_check(&r, sizeof(r) + frame_data, room);
}

static void results(void)
{
	CHECK(!result(10, 0, 10, 10, 10));
	CHECK(result(11, 0, 11, 11, 10));	/* more than was asked for */
	CHECK(result(10, 0, 10, 9, 10));
	CHECK(!result(-EPIPE, 13, 0, 0, 0));
	CHECK(result(0, 65, 0, 0, 0));
	CHECK(!result(-4095, 0, 0, 0, 0));
	CHECK(result(-4096, 0, 0, 0, 0));
}

/* every truncated frame is refused, whatever it says of itself */
static void truncated(void)
{
	struct ctm_rw_op o = { .op = cpu_to_le32(CTM_RW_POLL) };
	struct ctm_rw_result r = { .len = 0 };
	u32 len;

	for (len = 0; len < sizeof(o); len++)
		CHECK(ctm_rw_op_check(&o, len));
	for (len = 0; len < sizeof(r); len++)
		CHECK(ctm_rw_result_check(&r, len, 0));
}

static const struct ktap_test tests[] = {
	{ "rwire: heads", heads },
	{ "rwire: operations", ops },
	{ "rwire: results", results },
	{ "rwire: truncated frames", truncated },
};

KTAP_MAIN(tests)
