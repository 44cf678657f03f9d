// SPDX-License-Identifier: GPL-2.0
/*
 * Zero test and hash of a page: the C twins, and the choice between them and
 * page.asm.
 *
 * The hash is XXH3 (64 bits, no seed, the default secret) for an input of
 * exactly one page. It was chosen because it vectorises without a 64-bit
 * multiplication, which AVX2 lacks, and because others' implementations tell
 * whether ours is right. For a page, the general algorithm comes down to four
 * blocks of 16 stripes of 64 bytes.
 */
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/linkage.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>

#include "asm.h"
#include "internal.h"

#define PRIME32_1	0x9E3779B1U
#define PRIME32_2	0x85EBCA77U
#define PRIME32_3	0xC2B2AE3DU
#define PRIME64_1	0x9E3779B185EBCA87ULL
#define PRIME64_2	0xC2B2AE3D27D4EB4FULL
#define PRIME64_3	0x165667B19E3779F9ULL
#define PRIME64_4	0x85EBCA77C2B2AE63ULL
#define PRIME64_5	0x27D4EB2F165667C5ULL

#define LANES		8
#define STRIPE		(LANES * sizeof(u64))
#define STRIPES		(PAGE_SIZE / STRIPE)
#define BLOCK_STRIPES	((sizeof(secret) - STRIPE) / sizeof(u64))

/* Where in the secret each step begins. */
#define SECRET_SCRAMBLE	(sizeof(secret) - STRIPE)
#define SECRET_LAST	(sizeof(secret) - STRIPE - 7)
#define SECRET_MERGE	11

/* Pages in one stay in the vector unit: some 4 us with preemption off. */
#define BATCH		16

static const u8 secret[192] __aligned(64) = {
	0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c,
	0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb,
	0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e,
	0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
	0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6,
	0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
	0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97,
	0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
	0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7,
	0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31,
	0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83,
	0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
	0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26,
	0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc,
	0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
	0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

asmlinkage u64 ctm_asm_page_is_zero(const void *page);
asmlinkage void ctm_asm_page_hash(const void *page, u64 acc[LANES], const u8 *key);

/* x86 only, as the rest: little-endian, and loads need no alignment. */
static __always_inline u64 load_le64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- the C twins ---- */

static bool page_is_zero_c(const void *page)
{
	return !memchr_inv(page, 0, PAGE_SIZE);
}

static void accumulate(u64 acc[LANES], const u8 *data, const u8 *key)
{
	unsigned int i;

	for (i = 0; i < LANES; i++) {
		u64 v = load_le64(data + 8 * i);
		u64 k = v ^ load_le64(key + 8 * i);

		acc[i ^ 1] += v;
		acc[i] += (u64)(u32)k * (k >> 32);
	}
}

static void scramble(u64 acc[LANES], const u8 *key)
{
	unsigned int i;

	for (i = 0; i < LANES; i++) {
		acc[i] ^= acc[i] >> 47;
		acc[i] ^= load_le64(key + 8 * i);
		acc[i] *= PRIME32_1;
	}
}

static void page_hash_c(const void *page, u64 acc[LANES], const u8 *key)
{
	const u8 *data = page;
	unsigned int i;

	for (i = 0; i < STRIPES - 1; i++, data += STRIPE) {
		accumulate(acc, data, key + 8 * (i % BLOCK_STRIPES));
		if (i % BLOCK_STRIPES == BLOCK_STRIPES - 1)
			scramble(acc, key + SECRET_SCRAMBLE);
	}
	accumulate(acc, data, key + SECRET_LAST);
}

/* ---- what both share: the beginning and the end of a hash ---- */

static const u64 lanes_begin[LANES] = {
	PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3,
	PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1,
};

static u64 multiply_and_fold(u64 a, u64 b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

static u64 lanes_end(const u64 acc[LANES])
{
	const u8 *key = secret + SECRET_MERGE;
	u64 h = PAGE_SIZE * PRIME64_1;
	unsigned int i;

	for (i = 0; i < LANES; i += 2, key += 16)
		h += multiply_and_fold(acc[i] ^ load_le64(key),
				       acc[i + 1] ^ load_le64(key + 8));
	h ^= h >> 37;
	h *= 0x165667919E3779F9ULL;
	return h ^ (h >> 32);
}

typedef void (*lanes_fn)(const void *page, u64 acc[LANES], const u8 *key);

static __always_inline u64 page_hash_by(lanes_fn fn, const void *page)
{
	u64 acc[LANES];

	memcpy(acc, lanes_begin, sizeof(acc));
	fn(page, acc, secret);
	return lanes_end(acc);
}

/* ---- the choice ---- */

static bool use_avx2(void)
{
	return static_branch_likely(&ctm_asm_use_avx2) && irq_fpu_usable();
}

bool ctm_page_is_zero(const void *page)
{
	bool zero;

	if (!use_avx2())
		return page_is_zero_c(page);
	kernel_fpu_begin();
	zero = ctm_asm_page_is_zero(page);
	kernel_fpu_end();
	return zero;
}

u64 ctm_page_hash(const void *page)
{
	u64 hash;

	if (!use_avx2())
		return page_hash_by(page_hash_c, page);
	kernel_fpu_begin();
	hash = page_hash_by(ctm_asm_page_hash, page);
	kernel_fpu_end();
	return hash;
}

void ctm_page_scan_many(struct ctm_page_scan *scan, unsigned int n, bool hash)
{
	bool avx2 = use_avx2();
	unsigned int i;

	for (i = 0; i < n; i++, scan++) {
		if (avx2 && i % BATCH == 0)
			kernel_fpu_begin();
		scan->zero = avx2 ? ctm_asm_page_is_zero(scan->page)
				  : page_is_zero_c(scan->page);
		if (hash)
			scan->hash = avx2 ? page_hash_by(ctm_asm_page_hash, scan->page)
					  : page_hash_by(page_hash_c, scan->page);
		if (avx2 && (i % BATCH == BATCH - 1 || i == n - 1))
			kernel_fpu_end();
	}
}

/* ---- self-test ---- */

static bool __init may_use_avx2(void)
{
	return boot_cpu_has(X86_FEATURE_AVX2) &&
	       cpu_has_xfeatures(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM, NULL);
}

static bool __init zero_agrees(const void *page)
{
	bool by_asm;

	kernel_fpu_begin();
	by_asm = ctm_asm_page_is_zero(page);
	kernel_fpu_end();
	return by_asm == page_is_zero_c(page);
}

static bool __init hash_agrees(const void *page)
{
	u64 by_asm;

	kernel_fpu_begin();
	by_asm = page_hash_by(ctm_asm_page_hash, page);
	kernel_fpu_end();
	return by_asm == page_hash_by(page_hash_c, page);
}

/*
 * Zero tests with one bit set, for every byte that can be the first to differ
 * in a load; hashes of the zero page and of noise, fixed so that a failure
 * repeats.
 */
bool __init ctm_asm_pages_agree(void *page, bool *use)
{
	struct rnd_state rnd;
	unsigned int i;
	u8 *bytes = page;

	*use = may_use_avx2();
	if (!*use)
		return true;

	memset(page, 0, PAGE_SIZE);
	if (!zero_agrees(page) || !hash_agrees(page))
		return false;
	for (i = 0; i < PAGE_SIZE; i += 31) {
		bytes[i] = 1 << (i % 8);
		if (!zero_agrees(page))
			return false;
		bytes[i] = 0;
	}
	bytes[PAGE_SIZE - 1] = 0x80;
	if (!zero_agrees(page))
		return false;

	prandom_seed_state(&rnd, 0x434f4e54494e5555ULL);
	for (i = 0; i < 8; i++) {
		prandom_bytes_state(&rnd, page, PAGE_SIZE);
		if (!zero_agrees(page) || !hash_agrees(page))
			return false;
	}
	return true;
}
