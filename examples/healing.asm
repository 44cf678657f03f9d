; SPDX-License-Identifier: GPL-2.0
;
; healing TARGET [NODE...] - a counter that goes on when the node that counts dies
;
; The parent forks a worker onto a node, which counts TERM steps and leaves the counter as its
; result, after every step. However it ends, the next one goes on from the last counter that
; has come home; after a death, on the next node. What the worker does is useful work, and it
; says so, which gives it back its time to live.

%include "continuum.inc"
%include "common.inc"

TERM equ 10
NODES equ 64
TRIES equ 60

section .bss
counter:	resq 1
names:		resb NODES * CTM_NAME_MAX
child:		resb ctm_fork_child_size
info:		resb ctm_info_size
record:		resb ctm_wait_size

section .rodata
usage:		db "usage: continuumctl run healing TARGET [NODE...]", 0
cannot:		db "cannot fork", 0
died:		db "died on ", 0
no_begin:	db "cannot begin on ", 0
goes_on:	db ", goes on from ", 0
step:		dq 0, 100000000
second:		dq 1, 0

section .text
ctm_routines

global _start
_start:
	mov r12, [rsp]			; argc, then the number of nodes
	sub r12, 2
	js .usage
	cmp r12, NODES
	ja .usage
	mov rsi, [rsp + 16]
	call get_number
	mov r14, rax			; TARGET
	xor ebx, ebx
.name:
	cmp rbx, r12
	je .begin
	mov rsi, [rsp + 24 + 8 * rbx]
	mov rdi, rbx
	shl rdi, 6
	add rdi, names
	call copy_name
	inc rbx
	jmp .name

.begin:
	xor ebx, ebx			; the node whose turn it is
	mov r13d, TRIES
.fork:
	cmp [counter], r14
	jae .done
	mov rdi, child
	mov esi, 1
	mov rdx, rbx
	shl rdx, 6
	add rdx, names
	xor ecx, ecx
	test r12, r12
	setnz cl			; one node, or the cluster chooses
	xor r8d, r8d
	mov r9, reason
	call sys_dist_fork
	test rax, rax
	jz .worker
	jns .wait
	dec r13
	mov rsi, cannot
	jz give_up
	mov rdi, second
	call pause_for
	mov rsi, no_begin
	jmp .on

.wait:
	mov rdi, [child + ctm_fork_child.gpid]
	mov esi, CTM_WAIT_NOHANG
	mov rdx, record
	call sys_wait
	test rax, rax
	jz .ended
	mov rdi, [child + ctm_fork_child.gpid]
	mov rsi, info
	call sys_info
	test rax, rax
	jnz .pause
	cmp dword [info + ctm_info.state], CTM_STATE_LIMBO
	je .lost			; its host does not answer: it does not count any more
.pause:
	mov rdi, step
	call pause_for
	jmp .wait

.ended:
	cmp dword [record + ctm_wait.result_len], 8
	jne .no_result
	mov rax, [record + ctm_wait.result]
	mov [counter], rax
.no_result:
	cmp dword [record + ctm_wait.end], CTM_END_EXIT
	jne .lost
	mov rsi, record + ctm_wait.host_name
	call put_text
	mov rsi, blank
	call put_text
	mov rax, [counter]
	call put_number
	call put_end
	mov r13d, TRIES
	jmp .fork
.lost:
	mov rsi, died
.on:
	call put_text
	mov rsi, rbx
	shl rsi, 6
	add rsi, names
	call put_text
	mov rsi, goes_on
	call put_text
	mov rax, [counter]
	call put_number
	call put_end
	call next_node
	jmp .fork
.done:
	xor edi, edi
	jmp leave_with

.worker:
	mov r13d, TERM
.count:
	mov rdi, step
	call pause_for
	inc qword [counter]
	mov rdi, counter
	mov esi, 8
	call sys_result
	call sys_worked
	cmp [counter], r14
	je .done
	dec r13
	jnz .count
	jmp .done

.usage:
	mov rsi, usage
	jmp give_usage

next_node:
	inc rbx
	cmp rbx, r12
	jb .there
	xor ebx, ebx
.there:
	ret
