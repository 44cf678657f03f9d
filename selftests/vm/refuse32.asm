; SPDX-License-Identifier: GPL-2.0
;
; refuse32.asm - a 32-bit program: refused by name; otherwise as workload.h says
;
;   refuse32 STOP

	bits 32
	section .text
	global _start

_start:
	mov	eax, 4			; write
	mov	ebx, 1
	mov	ecx, ready
	mov	edx, ready_len
	int	0x80
again:
	mov	eax, 33			; access
	mov	ebx, [esp + 8]		; argv[1]
	xor	ecx, ecx
	int	0x80
	test	eax, eax
	jz	done
	mov	eax, 162		; nanosleep
	mov	ebx, nap
	xor	ecx, ecx
	int	0x80
	jmp	again
done:
	mov	eax, 4
	mov	ebx, 1
	mov	ecx, pass
	mov	edx, pass_len
	int	0x80
	mov	eax, 1			; exit
	xor	ebx, ebx
	int	0x80

	section .rodata
ready:	db "ready", 10
ready_len equ $ - ready
pass:	db "PASS", 10
pass_len equ $ - pass
	align 4
nap:	dd 0, 10000000

	section .note.GNU-stack noalloc noexec nowrite progbits
