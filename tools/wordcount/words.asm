; SPDX-License-Identifier: GPL-2.0
;
; Words in a stretch of bytes, with AVX2 and with string instructions. See words.h for what
; a word is, words.c for the twin in C.
;
; The AVX2 version has no branch that depends on the data. 64 bytes give two masks:
;
;   W  bytes that make words          V  bytes that are no space: W and what is neutral
;
; Being inside of a word is a carry: a byte of W sets it, a space clears it, a neutral byte
; passes it on. That is what the adder does with V + W, so one addition finds for all bytes
; at once whether a word was going on before them (V + W differs from V xor W where a carry
; came in), and its carry goes on to the next 64. A word begins where W is and no carry.

default rel
bits 64

%macro FUNC 1
global %1:function (%1.end - %1)
align 64
%1:
%endmacro

section .rodata align=64

; by its low four bits, the space that a byte would have to be; no space ends in another
spaces:		times 2 db 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 0, 0
ones:		times 32 db 1
blank:		times 32 db 0x21
nbsp:		times 32 db 0xa0

%define OLD	0	; printable bytes make words, others are neutral
%define POSIX	1	; whatever is no space makes words
%define NEW	2	; the same, but 0xa0 is a space

section .text

; masks RULE: of the 64 bytes at rdi: V into rcx, W into r11. Uses ymm0 to ymm4, r9.
%macro MASKS 1
	vmovdqu ymm0, [rdi]
	vmovdqu ymm1, [rdi + 32]
	vpshufb ymm2, ymm8, ymm0
	vpshufb ymm3, ymm8, ymm1
	vpcmpeqb ymm2, ymm2, ymm0
	vpcmpeqb ymm3, ymm3, ymm1
%if %1 == NEW
	vpcmpeqb ymm4, ymm0, ymm11
	vpcmpeqb ymm5, ymm1, ymm11
	vpor ymm2, ymm2, ymm4
	vpor ymm3, ymm3, ymm5
%endif
	vpmovmskb ecx, ymm2
	vpmovmskb r9d, ymm3
	shl r9, 32
	or rcx, r9
	not rcx
%if %1 == OLD
	; 0x21 to 0x7e: signed, with 1 added, above 0x21
	vpaddb ymm2, ymm0, ymm9
	vpaddb ymm3, ymm1, ymm9
	vpcmpgtb ymm2, ymm2, ymm10
	vpcmpgtb ymm3, ymm3, ymm10
	vpmovmskb r11d, ymm2
	vpmovmskb r9d, ymm3
	shl r9, 32
	or r11, r9
%else
	mov r11, rcx
%endif
%endmacro

; begins: adds the words that begin in V (rcx), W (r11) to rax. r10b: the carry, in and out.
; r9: afterwards, where a carry came in
%macro BEGINS 0
	mov r9, rcx
	add r10b, -1
	adc r9, r11
	setc r10b
	xor r9, rcx
	xor r9, r11
	mov rcx, r9
	not rcx
	and rcx, r11
	popcnt rcx, rcx
	add rax, rcx
%endmacro

; uint64_t NAME(const uint8_t *data, size_t length, uint32_t *in_word)
%macro WORDS 2
FUNC %1
	push rbp
	mov rbp, rsp
	sub rsp, 64
	vbroadcasti128 ymm8, [spaces]
	vmovdqa ymm9, [ones]
	vmovdqa ymm10, [blank]
	vmovdqa ymm11, [nbsp]
	xor eax, eax
	mov r10d, [rdx]
	mov r8, rsi
	and r8, -64
	add r8, rdi
	and esi, 63
	cmp rdi, r8
	je .rest
align 32
.next:
	MASKS %2
	BEGINS
	add rdi, 64
	cmp rdi, r8
	jne .next
.rest:
	test esi, esi
	jz .done
	; the last bytes, in memory that may be read as a whole
	mov r8d, esi
	mov ecx, esi
	mov rsi, rdi
	mov rdi, rsp
	rep movsb
	mov rdi, rsp
	MASKS %2
	mov r9, -1
	xchg rcx, r8
	shl r9, cl
	xchg rcx, r8
	not r9
	and rcx, r9
	and r11, r9
	BEGINS
	bt r9, r8			; the carry into the first byte that is not there
	setc r10b
.done:
	movzx r10d, r10b
	mov [rdx], r10d
	vzeroupper
	leave
	ret
.end:
%endmacro

WORDS words_avx2_old, OLD
WORDS words_avx2_posix, POSIX
WORDS words_avx2_new, NEW

; uint64_t words_scasb(const uint8_t *data, size_t length, uint32_t *in_word,
;		       const uint8_t *classes)
;
; scasb looks for one byte, and there are several spaces: so a piece is translated first,
; every space to 0, what makes words to 1; what is neutral is left out.

%define PIECE	4096
%define NEUTRAL	2

FUNC words_scasb
	push rbp
	mov rbp, rsp
	push rbx
	push r12
	sub rsp, PIECE
	mov rbx, rcx
	mov r8, rsi			; bytes that are left
	mov rsi, rdi
	mov r10d, [rdx]			; is a word going on
	xor r11d, r11d			; words
.piece:
	mov r12d, PIECE
	cmp r8, r12
	cmovb r12, r8
	test r12, r12
	jz .done
	sub r8, r12
	mov rdi, rsp
.translate:
	lodsb
	xlatb
	mov [rdi], al
	cmp al, NEUTRAL
	setne al
	movzx eax, al
	add rdi, rax
	dec r12
	jnz .translate
	mov rcx, rdi
	sub rcx, rsp
	jz .piece			; nothing but neutral bytes
	mov rdi, rsp
	xor eax, eax
	test r10d, r10d
	jnz .word
.space:
	repe scasb			; rcx > 0 here and below
	je .outside
	inc r11
	test rcx, rcx
	jz .inside
.word:
	repne scasb
	jne .inside
	test rcx, rcx
	jnz .space
.outside:
	xor r10d, r10d
	jmp .piece
.inside:
	mov r10d, 1
	jmp .piece
.done:
	mov [rdx], r10d
	mov rax, r11
	add rsp, PIECE
	pop r12
	pop rbx
	pop rbp
	ret
.end:

section .note.GNU-stack noalloc noexec nowrite progbits
