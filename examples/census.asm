; SPDX-License-Identifier: GPL-2.0
;
; census NODE... - who is there? Forks itself onto every node that is named
;
; Each child leaves the name of the node on which it finds itself; the parent reports.

%include "continuum.inc"
%include "common.inc"

NODES equ 64

section .bss
names:		resb NODES * CTM_NAME_MAX
children:	resb NODES * ctm_fork_child_size
info:		resb ctm_info_size
record:		resb ctm_wait_size

section .rodata
usage:		db "usage: continuumctl run census NODE..., up to 64", 0
cannot:		db "nobody could be sent", 0
answers:	db " answers from ", 0
silent:		db " does not answer: error ", 0
of:		db " of ", 0

section .text
ctm_routines

global _start
_start:
	mov rbx, [rsp]			; argc, then the number of nodes
	dec rbx
	jz .usage
	cmp rbx, NODES
	ja .usage
	xor r12d, r12d
.name:					; the arguments, as the call wants them
	mov rsi, [rsp + 16 + 8 * r12]
	mov rdi, r12
	shl rdi, 6
	add rdi, names
	call copy_name
	inc r12
	cmp r12, rbx
	jb .name

	mov rdi, children
	mov rsi, rbx
	mov rdx, names
	mov rcx, rbx
	xor r8d, r8d
	mov r9, reason
	call sys_dist_fork
	mov rsi, cannot
	test rax, rax
	js give_up
	jz .child

	mov r14, rax			; so many exist
	xor r12d, r12d
.made:
	mov r13, r12
	shl r13, 4
	mov eax, [children + r13 + ctm_fork_child.error]
	test eax, eax
	jz .exists
	mov rsi, r12
	shl rsi, 6
	add rsi, names
	push rax
	call put_text
	mov rsi, silent
	call put_text
	pop rax
	call put_number
	call put_end
.exists:
	inc r12
	cmp r12, rbx
	jb .made

	xor r12d, r12d			; answers
	mov r13, r14
.wait:
	xor edi, edi			; any child
	mov esi, CTM_WAIT_CHILD
	mov rdx, record
	call sys_wait
	cmp rax, -4			; EINTR
	je .wait
	test rax, rax
	js .report
	cmp dword [record + ctm_wait.result_len], CTM_RESULT_MAX
	jne .lost
	inc r12
	mov rsi, record + ctm_wait.result
	call put_text
	mov rsi, answers
	call put_text
	mov rsi, record + ctm_wait.host_name
	call put_text
	call put_end
.lost:
	dec r13
	jnz .wait
.report:
	mov rax, r12
	call put_number
	mov rsi, of
	call put_text
	mov rax, rbx
	call put_number
	call put_end
	xor edi, edi
	cmp r12, rbx
	setne dil
	jmp leave_with

.child:
	xor edi, edi
	mov rsi, info
	call sys_info
	mov rdi, info + ctm_info.host_name
	mov esi, CTM_RESULT_MAX
	call sys_result
	xor edi, edi
	jmp leave_with

.usage:
	mov rsi, usage
	jmp give_usage
