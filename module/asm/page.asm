; SPDX-License-Identifier: GPL-2.0
;
; The page pump's inner loops with AVX2. Pages are 4096 bytes, page-aligned.
;
; Context: between kernel_fpu_begin() and kernel_fpu_end().

%include "ctm_asm.inc"

%define PAGE_BYTES	4096

; u64 ctm_asm_page_is_zero(const void *page): 1 if all bytes are 0, else 0.
; Looks at 128 bytes at a time and leaves at the first that are not zero, which
; in most pages that hold anything are the first.
CTM_FUNC ctm_asm_page_is_zero
	lea rdx, [rdi + PAGE_BYTES]
.next:
	vmovdqa ymm0, [rdi]
	vmovdqa ymm1, [rdi + 64]
	vpor ymm0, ymm0, [rdi + 32]
	vpor ymm1, ymm1, [rdi + 96]
	vpor ymm0, ymm0, ymm1
	vptest ymm0, ymm0
	jnz .found
	add rdi, 128
	cmp rdi, rdx
	jne .next
	mov eax, 1
	vzeroupper
	CTM_RET
.found:
	xor eax, eax
	vzeroupper
	CTM_RET
CTM_END ctm_asm_page_is_zero

; void ctm_asm_page_hash(const void *page, u64 acc[8], const u8 *secret)
;
; The part of XXH3 that depends on the length of the input: 64 stripes of 64
; bytes, each mixed into eight lanes, which are scrambled after every 16. See
; the C twin in page.c for the arithmetic of a lane; here four lanes share a
; register.
;
;   ymm0, ymm1   the lanes		ymm5   the prime, in each lane
;   ymm2, ymm3   a stripe, then its halves crosswise
;   ymm4, ymm6   stripe xor secret, then the product of its halves

%define BLOCK_STRIPES	16
%define SECRET_SCRAMBLE	128		; 192 bytes of secret less one stripe
%define SECRET_LAST	121		; offset for the last stripe of all

; accumulate OFFSET-OF-SECRET: the stripe at rdi, the secret at rdx.
%macro ACCUMULATE 1
	vmovdqa ymm2, [rdi]
	vmovdqa ymm3, [rdi + 32]
	vpxor ymm4, ymm2, [rdx + %1]
	vpxor ymm6, ymm3, [rdx + %1 + 32]
	vpshufd ymm2, ymm2, 0x4e	; data of lane i goes to lane i ^ 1
	vpshufd ymm3, ymm3, 0x4e
	vpaddq ymm0, ymm0, ymm2
	vpaddq ymm1, ymm1, ymm3
	vpsrlq ymm2, ymm4, 32
	vpsrlq ymm3, ymm6, 32
	vpmuludq ymm4, ymm4, ymm2
	vpmuludq ymm6, ymm6, ymm3
	vpaddq ymm0, ymm0, ymm4
	vpaddq ymm1, ymm1, ymm6
	add rdi, 64
%endmacro

; scramble REGISTER, OFFSET-OF-SECRET: lane = (lane ^ lane >> 47 ^ secret) * prime.
%macro SCRAMBLE 2
	vpsrlq ymm2, %1, 47
	vpxor %1, %1, ymm2
	vpxor %1, %1, [rdx + %2]
	vpsrlq ymm2, %1, 32
	vpmuludq %1, %1, ymm5
	vpmuludq ymm2, ymm2, ymm5
	vpsllq ymm2, ymm2, 32
	vpaddq %1, %1, ymm2
%endmacro

CTM_FUNC ctm_asm_page_hash
	vmovdqu ymm0, [rsi]
	vmovdqu ymm1, [rsi + 32]
	mov eax, 0x9e3779b1
	vmovq xmm5, rax
	vpbroadcastq ymm5, xmm5
	mov ecx, PAGE_BYTES / 64 / BLOCK_STRIPES - 1
.block:
%assign stripe 0
%rep BLOCK_STRIPES
	ACCUMULATE stripe * 8
%assign stripe stripe + 1
%endrep
	SCRAMBLE ymm0, SECRET_SCRAMBLE
	SCRAMBLE ymm1, SECRET_SCRAMBLE + 32
	dec ecx
	jnz .block

	; The last block ends the page: its last stripe has a secret of its own,
	; and nothing is scrambled after it.
%assign stripe 0
%rep BLOCK_STRIPES - 1
	ACCUMULATE stripe * 8
%assign stripe stripe + 1
%endrep
	ACCUMULATE SECRET_LAST
	vmovdqu [rsi], ymm0
	vmovdqu [rsi + 32], ymm1
	vzeroupper
	CTM_RET
CTM_END ctm_asm_page_hash
