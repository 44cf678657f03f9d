// SPDX-License-Identifier: GPL-2.0
/*
 * abi.c - what two nodes must have in common to exchange processes
 *
 * The own struct ctm_abi is filled at NODE_UP, before anybody can ask, and is
 * constant afterwards: the machine does not change.
 */
#include <linux/elf.h>
#include <linux/elfcore.h>
#include <linux/mm_types.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>
#include <asm/processor.h>
#include <asm/vdso.h>
#include "abi.h"
#include "core/image.h"

#ifndef NT_GNU_BUILD_ID
#define NT_GNU_BUILD_ID 3	/* the kernel keeps its own to build_id.c */
#endif

static struct ctm_abi self;

/*
 * CPU features that a program can see and may have decided to use.  The index is
 * the bit in ctm_abi.cpu, on the wire: append only.
 */
static const struct {
	u16 bit;
	const char *name;
} features[] = {
	{ X86_FEATURE_XMM3,		"sse3" },
	{ X86_FEATURE_SSSE3,		"ssse3" },
	{ X86_FEATURE_XMM4_1,		"sse4_1" },
	{ X86_FEATURE_XMM4_2,		"sse4_2" },
	{ X86_FEATURE_POPCNT,		"popcnt" },
	{ X86_FEATURE_AES,		"aes" },
	{ X86_FEATURE_PCLMULQDQ,	"pclmulqdq" },
	{ X86_FEATURE_CX16,		"cx16" },
	{ X86_FEATURE_MOVBE,		"movbe" },
	{ X86_FEATURE_RDRAND,		"rdrand" },
	{ X86_FEATURE_OSXSAVE,		"xsave" },
	{ X86_FEATURE_XSAVEOPT,		"xsaveopt" },
	{ X86_FEATURE_XSAVEC,		"xsavec" },
	{ X86_FEATURE_XGETBV1,		"xgetbv1" },
	{ X86_FEATURE_AVX,		"avx" },
	{ X86_FEATURE_F16C,		"f16c" },
	{ X86_FEATURE_FMA,		"fma" },
	{ X86_FEATURE_LAHF_LM,		"lahf_lm" },
	{ X86_FEATURE_ABM,		"lzcnt" },
	{ X86_FEATURE_SSE4A,		"sse4a" },
	{ X86_FEATURE_3DNOWPREFETCH,	"3dnowprefetch" },
	{ X86_FEATURE_XOP,		"xop" },
	{ X86_FEATURE_FMA4,		"fma4" },
	{ X86_FEATURE_TBM,		"tbm" },
	{ X86_FEATURE_RDTSCP,		"rdtscp" },
	{ X86_FEATURE_FSGSBASE,		"fsgsbase" },
	{ X86_FEATURE_BMI1,		"bmi1" },
	{ X86_FEATURE_BMI2,		"bmi2" },
	{ X86_FEATURE_AVX2,		"avx2" },
	{ X86_FEATURE_ERMS,		"erms" },
	{ X86_FEATURE_FSRM,		"fsrm" },
	{ X86_FEATURE_HLE,		"hle" },
	{ X86_FEATURE_RTM,		"rtm" },
	{ X86_FEATURE_RDSEED,		"rdseed" },
	{ X86_FEATURE_ADX,		"adx" },
	{ X86_FEATURE_CLFLUSHOPT,	"clflushopt" },
	{ X86_FEATURE_CLWB,		"clwb" },
	{ X86_FEATURE_CLZERO,		"clzero" },
	{ X86_FEATURE_SHA_NI,		"sha_ni" },
	{ X86_FEATURE_AVX512F,		"avx512f" },
	{ X86_FEATURE_AVX512DQ,		"avx512dq" },
	{ X86_FEATURE_AVX512IFMA,	"avx512ifma" },
	{ X86_FEATURE_AVX512CD,		"avx512cd" },
	{ X86_FEATURE_AVX512BW,		"avx512bw" },
	{ X86_FEATURE_AVX512VL,		"avx512vl" },
	{ X86_FEATURE_AVX512VBMI,	"avx512vbmi" },
	{ X86_FEATURE_AVX512_VBMI2,	"avx512_vbmi2" },
	{ X86_FEATURE_AVX512_VNNI,	"avx512_vnni" },
	{ X86_FEATURE_AVX512_BITALG,	"avx512_bitalg" },
	{ X86_FEATURE_AVX512_VPOPCNTDQ,	"avx512_vpopcntdq" },
	{ X86_FEATURE_AVX512_4VNNIW,	"avx512_4vnniw" },
	{ X86_FEATURE_AVX512_4FMAPS,	"avx512_4fmaps" },
	{ X86_FEATURE_AVX512_VP2INTERSECT, "avx512_vp2intersect" },
	{ X86_FEATURE_AVX512_BF16,	"avx512_bf16" },
	{ X86_FEATURE_AVX512_FP16,	"avx512_fp16" },
	{ X86_FEATURE_AVX_VNNI,		"avx_vnni" },
	{ X86_FEATURE_GFNI,		"gfni" },
	{ X86_FEATURE_VAES,		"vaes" },
	{ X86_FEATURE_VPCLMULQDQ,	"vpclmulqdq" },
	{ X86_FEATURE_OSPKE,		"pku" },
	{ X86_FEATURE_RDPID,		"rdpid" },
	{ X86_FEATURE_WAITPKG,		"waitpkg" },
	{ X86_FEATURE_MOVDIRI,		"movdiri" },
	{ X86_FEATURE_MOVDIR64B,	"movdir64b" },
	{ X86_FEATURE_CLDEMOTE,		"cldemote" },
	{ X86_FEATURE_SERIALIZE,	"serialize" },
	{ X86_FEATURE_AMX_TILE,		"amx_tile" },
	{ X86_FEATURE_AMX_INT8,		"amx_int8" },
	{ X86_FEATURE_AMX_BF16,		"amx_bf16" },
	{ X86_FEATURE_LA57,		"la57" },
};

/* x87, SSE, AVX: their place in the XSAVE area is the same on every CPU */
#define XFEATURES_FIXED	7ull

const struct ctm_abi *ctm_abi_self(void)
{
	return &self;
}

static void probe_cpu(struct ctm_abi *a)
{
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(features) > 64 * ARRAY_SIZE(a->cpu));
	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (test_cpu_cap(&boot_cpu_data, features[i].bit))
			a->cpu[i / 64] |= 1ull << (i % 64);
	if (test_cpu_cap(&boot_cpu_data, X86_FEATURE_OSXSAVE))
		a->xfeatures = xgetbv(XCR_XFEATURE_ENABLED_MASK);
}

/* the size of an XSTATE record: what the kernel's own regset says */
static void probe_xstate(struct ctm_abi *a)
{
	const struct user_regset_view *view = task_user_regset_view(current);
	unsigned int i;

	for (i = 0; i < view->n; i++)
		if (view->regsets[i].core_note_type == NT_X86_XSTATE)
			a->xstate_size = view->regsets[i].n * view->regsets[i].size;
}

/* the build id in the notes at @p */
static int find_build_id(const void *p, size_t len, u8 id[20])
{
	while (len >= sizeof(struct elf64_note)) {
		const struct elf64_note *n = p;
		size_t name = ALIGN((size_t)n->n_namesz, 4);
		size_t desc = ALIGN((size_t)n->n_descsz, 4);

		if (name > len || desc > len || sizeof(*n) + name + desc > len)
			return -ENOEXEC;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_descsz == 20 &&
		    n->n_namesz == sizeof("GNU") && !memcmp(n + 1, "GNU", sizeof("GNU"))) {
			memcpy(id, (const u8 *)(n + 1) + name, 20);
			return 0;
		}
		p += sizeof(*n) + name + desc;
		len -= sizeof(*n) + name + desc;
	}
	return -ENOEXEC;
}

/* from the kernel's image of the vDSO that the caller has mapped */
static int probe_vdso(struct ctm_abi *a)
{
	const struct vdso_image *image = current->mm ? current->mm->context.vdso_image : NULL;
	const Elf64_Ehdr *eh;
	const Elf64_Phdr *ph;
	unsigned int i;

	if (!image || image->size < sizeof(*eh))
		return -ENOEXEC;
	eh = image->data;
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64)
		return -ENOEXEC;
	ph = image->data + eh->e_phoff;
	for (i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_NOTE &&
		    !find_build_id(image->data + ph[i].p_offset, ph[i].p_filesz, a->vdso_id))
			return 0;
	return -ENOEXEC;
}

int ctm_abi_probe(void)
{
	struct ctm_abi a = { .version = CTM_IMAGE_VERSION };
	int err;

	err = probe_vdso(&a);
	if (err)
		return err;
	probe_cpu(&a);
	probe_xstate(&a);
	self = a;
	return 0;
}

static const char *lacking(const struct ctm_abi *from, const struct ctm_abi *to)
{
	unsigned int i;

	for (i = 0; i < 64 * ARRAY_SIZE(from->cpu); i++)
		if ((from->cpu[i / 64] & ~to->cpu[i / 64]) >> (i % 64) & 1)
			return i < ARRAY_SIZE(features) ? features[i].name : "a newer feature";
	return NULL;
}

int ctm_abi_compatible(const struct ctm_abi *from, const struct ctm_abi *to, char *why)
{
	const char *name;

	if (from->version != to->version) {
		snprintf(why, CTM_REASON_MAX, "other image version (%u, here %u): update Continuum there",
			 to->version, from->version);
		return -EXDEV;
	}
	if (memcmp(from->vdso_id, to->vdso_id, sizeof(from->vdso_id))) {
		snprintf(why, CTM_REASON_MAX, "other kernel build (vDSO %8phN, here %8phN)",
			 to->vdso_id, from->vdso_id);
		return -EXDEV;
	}
	name = lacking(from, to);
	if (name) {
		snprintf(why, CTM_REASON_MAX, "CPU lacks %s", name);
		return -EXDEV;
	}
	if (from->xfeatures & ~to->xfeatures) {
		snprintf(why, CTM_REASON_MAX, "CPU lacks extended state %llx",
			 from->xfeatures & ~to->xfeatures);
		return -EXDEV;
	}
	if (from->xfeatures & ~XFEATURES_FIXED &&
	    (from->xfeatures != to->xfeatures || from->xstate_size != to->xstate_size)) {
		snprintf(why, CTM_REASON_MAX, "CPU lays its extended state out differently");
		return -EXDEV;
	}
	return 0;
}

void ctm_abi_to_wire(struct ctm_wire_abi *w, const struct ctm_abi *a)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	memcpy(w->vdso_id, a->vdso_id, sizeof(w->vdso_id));
	w->xfeatures = cpu_to_le64(a->xfeatures);
	w->xstate_size = cpu_to_le32(a->xstate_size);
	w->version = cpu_to_le32(a->version);
	for (i = 0; i < ARRAY_SIZE(w->cpu); i++)
		w->cpu[i] = cpu_to_le64(a->cpu[i]);
}

void ctm_abi_from_wire(struct ctm_abi *a, const struct ctm_wire_abi *w)
{
	unsigned int i;

	memset(a, 0, sizeof(*a));
	memcpy(a->vdso_id, w->vdso_id, sizeof(a->vdso_id));
	a->xfeatures = le64_to_cpu(w->xfeatures);
	a->xstate_size = le32_to_cpu(w->xstate_size);
	a->version = le32_to_cpu(w->version);
	for (i = 0; i < ARRAY_SIZE(a->cpu); i++)
		a->cpu[i] = le64_to_cpu(w->cpu[i]);
}
