// SPDX-License-Identifier: GPL-2.0
/*
 * fp.c - floating point and vector registers that are live while it is moved
 *
 * The registers are loaded, a loop of some milliseconds runs that touches none
 * of them, and they are stored again: the stop comes inside the loop as good as
 * always.  Also: rounding modes of both units, the direction flag, fs and gs.
 */
#include "workload.h"
#include <asm/prctl.h>
#include <fenv.h>
#include <immintrin.h>
#include <math.h>
#include <sys/syscall.h>

#define SPIN	2000000ul

struct vectors { uint64_t v[16][4] __attribute__((aligned(32))); };

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return z ^ (z >> 31);
}

static void fill(struct vectors *v, uint64_t seed)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		v->v[i / 4][i % 4] = seed = mix(seed + i + 1);
}

#define EACH16(op, to) \
	op(0, to) op(1, to) op(2, to) op(3, to) op(4, to) op(5, to) op(6, to) op(7, to) \
	op(8, to) op(9, to) op(10, to) op(11, to) op(12, to) op(13, to) op(14, to) op(15, to)
#define LOAD_Y(n, r)	"vmovdqa 32*" #n "(%" r "), %%ymm" #n "\n"
#define STORE_Y(n, r)	"vmovdqa %%ymm" #n ", 32*" #n "(%" r ")\n"
#define LOAD_X(n, r)	"movdqa 32*" #n "(%" r "), %%xmm" #n "\n"
#define STORE_X(n, r)	"movdqa %%xmm" #n ", 32*" #n "(%" r ")\n"
#define CLOBBERED "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void live_ymm(const struct vectors *in, struct vectors *out)
{
	unsigned long n = SPIN;

	asm volatile(EACH16(LOAD_Y, "1")
		     "1: dec %0\n jnz 1b\n"
		     EACH16(STORE_Y, "2")
		     "vzeroupper\n"
		     : "+r"(n) : "r"(in), "r"(out) : CLOBBERED);
}

static void live_xmm(const struct vectors *in, struct vectors *out)
{
	unsigned long n = SPIN;

	asm volatile(EACH16(LOAD_X, "1")
		     "1: dec %0\n jnz 1b\n"
		     EACH16(STORE_X, "2")
		     : "+r"(n) : "r"(in), "r"(out) : CLOBBERED);
}

static void vectors(uint64_t seed, bool avx)
{
	struct vectors in, out;
	unsigned int i;

	fill(&in, seed);
	memset(&out, 0, sizeof(out));
	if (avx)
		live_ymm(&in, &out);
	else
		live_xmm(&in, &out);
	for (i = 0; i < 16; i++)
		if (memcmp(in.v[i], out.v[i], avx ? 32 : 16))
			fail("%cmm%u changed", avx ? 'y' : 'x', i);
}

/* The whole x87 stack, in the order in which it was loaded. */
static void x87(uint64_t seed)
{
	double in[8], out[8];
	unsigned long n = SPIN;
	unsigned int i;

	for (i = 0; i < 8; i++)
		in[i] = (double)(mix(seed + i) >> 12) / 3.0;
	asm volatile("fninit\n"
		     "fldl (%1)\n fldl 8(%1)\n fldl 16(%1)\n fldl 24(%1)\n"
		     "fldl 32(%1)\n fldl 40(%1)\n fldl 48(%1)\n fldl 56(%1)\n"
		     "1: dec %0\n jnz 1b\n"
		     "fstpl 56(%2)\n fstpl 48(%2)\n fstpl 40(%2)\n fstpl 32(%2)\n"
		     "fstpl 24(%2)\n fstpl 16(%2)\n fstpl 8(%2)\n fstpl (%2)\n"
		     : "+r"(n) : "r"(in), "r"(out) : "memory", "cc");
	VERIFY(!memcmp(in, out, sizeof(in)));
}

/* General registers, and the flags that a loop leaves alone. */
static void general(uint64_t seed)
{
	uint64_t in[10], out[10], n = SPIN, flags;
	unsigned int i;

	for (i = 0; i < 10; i++)
		in[i] = mix(seed + i);
	asm volatile("push %%rbp\n push %%rbx\n"
		     "mov 0(%%rsi), %%rax\n mov 8(%%rsi), %%rbx\n mov 16(%%rsi), %%rdx\n"
		     "mov 24(%%rsi), %%rbp\n mov 32(%%rsi), %%r8\n mov 40(%%rsi), %%r9\n"
		     "mov 48(%%rsi), %%r10\n mov 56(%%rsi), %%r12\n mov 64(%%rsi), %%r13\n"
		     "mov 72(%%rsi), %%r14\n"
		     "std\n"
		     "1: dec %%rcx\n jnz 1b\n"
		     "pushfq\n pop %%r15\n cld\n"
		     "mov %%rax, 0(%%rdi)\n mov %%rbx, 8(%%rdi)\n mov %%rdx, 16(%%rdi)\n"
		     "mov %%rbp, 24(%%rdi)\n mov %%r8, 32(%%rdi)\n mov %%r9, 40(%%rdi)\n"
		     "mov %%r10, 48(%%rdi)\n mov %%r12, 56(%%rdi)\n mov %%r13, 64(%%rdi)\n"
		     "mov %%r14, 72(%%rdi)\n"
		     "pop %%rbx\n pop %%rbp\n mov %%r15, %0\n"
		     : "=m"(flags), "+c"(n) : "S"(in), "D"(out)
		     : "memory", "cc", "rax", "rdx", "r8", "r9", "r10", "r12", "r13", "r14", "r15");
	VERIFY(!memcmp(in, out, sizeof(in)));
	VERIFY(flags & 0x400);
}

/* A sum that every rounding mode makes another: both units keep theirs. */
static void rounding(int mode, uint32_t mxcsr, double want_sse, long double want_x87)
{
	volatile double a = 1.0, b = 3.0;
	volatile long double la = 1.0L, lb = 3.0L;

	VERIFY(fegetround() == mode);
	VERIFY(_mm_getcsr() == mxcsr);
	VERIFY(a / b == want_sse);
	VERIFY(la / lb == want_x87);
}

static __thread uint64_t in_tls = 0x1234567890abcdefull;

static void segments(uint64_t *block)
{
	uint64_t got;

	asm volatile("mov %%gs:8, %0" : "=r"(got));
	VERIFY(got == block[1]);
	VERIFY(in_tls == 0x1234567890abcdefull);
}

int main(int argc, char **argv)
{
	static uint64_t gs_block[2] = { 1, 0xfeedfacecafebeefull };
	volatile double a = 1.0, b = 3.0;
	volatile long double la = 1.0L, lb = 3.0L;
	bool avx = __builtin_cpu_supports("avx");
	double sum = 0, check = 0, want_sse;
	long double want_x87;
	uint64_t seed = 1, rounds = 0;
	uint32_t mxcsr;

	work_begin(argc, argv);
	if (argc > 2 && !strcmp(argv[2], "sse"))
		avx = false;
	MUST(!syscall(SYS_arch_prctl, ARCH_SET_GS, gs_block));
	fesetround(FE_UPWARD);
	_mm_setcsr(_mm_getcsr() | 0x8000);	/* flush to zero: not the default */
	mxcsr = _mm_getcsr() & ~0x3fu;
	want_sse = a / b;
	want_x87 = la / lb;
	work_ready();
	while (working()) {
		_mm_setcsr(mxcsr);		/* without the sticky exceptions */
		vectors(seed, avx);
		general(seed);
		_mm_setcsr(mxcsr);
		rounding(FE_UPWARD, mxcsr, want_sse, want_x87);
		segments(gs_block);
		fesetround(FE_TONEAREST);
		x87(seed);			/* leaves the x87 unit at its default */
		sum += sqrt((double)(seed & 0xffff));
		fesetround(FE_UPWARD);
		seed = mix(seed + 1);
		rounds++;
	}
	fesetround(FE_TONEAREST);
	for (seed = 1; rounds; rounds--) {
		check += sqrt((double)(seed & 0xffff));
		seed = mix(seed + 1);
	}
	VERIFY(sum == check);
	return work_end();
}
