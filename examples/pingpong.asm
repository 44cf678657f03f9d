; SPDX-License-Identifier: GPL-2.0
;
; pingpong COUNT NODE... - a counter that hops from node to node
;
; It lives in a register, and says after each hop where it is.

%include "continuum.inc"
%include "common.inc"

section .bss
info:		resb ctm_info_size

section .rodata
usage:		db "usage: continuumctl run pingpong COUNT NODE...", 0
cannot:		db "cannot hop", 0

section .text
ctm_routines

global _start
_start:
	mov rbx, [rsp]			; argc, then the number of nodes
	sub rbx, 2
	jle .usage
	lea r12, [rsp + 24]		; their names
	mov rsi, [rsp + 16]
	call get_number
	mov r14, rax
	xor r13d, r13d			; the counter
.next:
	cmp r13, r14
	jae .done
	mov rax, r13
	xor edx, edx
	div rbx
	mov r15, [r12 + 8 * rdx]
.hop:
	xor edi, edi			; this process
	mov rsi, r15
	mov rdx, reason
	call sys_migrate
	cmp rax, -16			; EBUSY: the last hop is not quite over
	je .busy
	mov rsi, cannot
	test rax, rax
	js give_up
	inc r13
	xor edi, edi
	mov rsi, info
	call sys_info
	mov rsi, info + ctm_info.host_name
	call put_text
	mov rsi, blank
	call put_text
	mov rax, r13
	call put_number
	call put_end
	jmp .next
.busy:
	mov rdi, ten_ms
	call pause_for
	jmp .hop
.done:
	xor edi, edi
	jmp leave_with
.usage:
	mov rsi, usage
	jmp give_usage
