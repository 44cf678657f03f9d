; SPDX-License-Identifier: GPL-2.0
;
; inc.asm - what continuum.inc says, as a table for inc.c: names and values, by structure;
; and its routines, for inc.c to call

%include "continuum.inc"

section .rodata
	global inc_table
	align 8

; entries of 48 bytes: the value, the name
%macro entry 2
	dq %1
%%name:	db %2, 0
	times 40 - ($ - %%name) db 0
%endmacro

%macro constants 1-*
%rep %0
%deftok symbol %1
	entry symbol, %1
%rotate 1
%endrep
%endmacro

%macro structure 2-*
%defstr struct %1
	entry %1_size, struct
%rotate 1
%rep %0 - 1
%defstr field %1
%strcat text struct, ".", field
%deftok symbol text
	entry symbol, text
%rotate 1
%endrep
%endmacro

inc_table:
	constants "CTM_NAME_MAX", "CTM_REASON_MAX", "CTM_RESULT_MAX", "CTM_COMM_MAX", "CTM_FORK_MAX", \
		"CTM_FORK_NODES_MAX", "CTM_BLOCK_NAME", "CTM_BLOCK_MAX", "CTM_BLOCKS_MAX", \
		"CTM_BLOCK_COPIES", "CTM_BLOCK_COPIES_MAX", "CTM_TTL_MAX"
	constants "CTM_STATE_RUNNING", "CTM_STATE_SUSPENDED", "CTM_STATE_MOVING", "CTM_STATE_LIMBO", \
		"CTM_STATE_ENDED"
	constants "CTM_END_EXIT", "CTM_END_SIGNAL", "CTM_END_HOST_LOST", "CTM_END_TTL", "CTM_END_LEASE", \
		"CTM_END_DESTROYED"
	constants "CTM_MIGRATE_CLUSTER", "CTM_WAIT_NOHANG", "CTM_WAIT_CHILD", "CTM_SIGNAL_GROUP", \
		"CTM_SET_PIN", "CTM_SET_TTL", "CTM_SET_LEASE", "CTM_BLOCK_DEGRADED", "CTM_BLOCKS_PIN", \
		"CTM_BLOCKS_FAMILY", "CTM_BLOCKS_ALL"
	constants "CTM_IOC_INFO", "CTM_IOC_MIGRATE", "CTM_IOC_DIST_FORK", "CTM_IOC_WAIT", "CTM_IOC_SIGNAL", \
		"CTM_IOC_DESTROY", "CTM_IOC_SUSPEND", "CTM_IOC_RESUME", "CTM_IOC_PUT", "CTM_IOC_GET", \
		"CTM_IOC_PIN", "CTM_IOC_DROP", "CTM_IOC_LOCATE", "CTM_IOC_WORKED", "CTM_IOC_RESULT", \
		"CTM_IOC_EXPLAIN", "CTM_IOC_SET", "CTM_IOC_RECOVER"
	structure ctm_info, size, flags, gpid, home, host, state, pid, uid, epoch, hops, ttl, \
		cpu_ns, rss, comm, home_name, host_name, family, end, lease_ms
	structure ctm_migrate, size, flags, gpid, node, downtime_ns, total_ns, bytes, reason
	structure ctm_wait, size, flags, gpid, status, end, cpu_ns, host, result_len, result, \
		host_name
	structure ctm_result, size, flags, len, pad, data
	structure ctm_fork_child, gpid, node, error
	structure ctm_dist_fork, size, flags, count, nnodes, nodes, children, index, made, reason
	structure ctm_signal, size, flags, gpid, sig, timeout_ms, reason
	structure ctm_target, size, flags, gpid, reason
	structure ctm_set, size, flags, gpid, property, pad, value, reason
	structure ctm_worked, size, flags, ttl, pad
	structure ctm_block, name, buf, len, error, copies, flags
	structure ctm_blocks, size, flags, list, count, copies, done, pad, reason
	structure ctm_holder, node, pad, name
	structure ctm_locate, size, flags, name, holders, room, count, len, copies, reason
	dq 0
	times 40 db 0

section .text

; uint64_t inc_preserves(void (*routine)(), const uint64_t arguments[6], long *result)
; calls it with what it must keep set to known values.  0: all kept
	global inc_preserves:function
inc_preserves:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdx
	mov rax, rdi
	mov r11, rsi
	mov rbx, 0x1111111111
	mov rbp, 0x2222222222
	mov r12, 0x3333333333
	mov r13, rsp
	mov r14, 0x4444444444
	mov r15, 0x5555555555
	mov rdi, [r11]
	mov rsi, [r11 + 8]
	mov rdx, [r11 + 16]
	mov rcx, [r11 + 24]
	mov r8, [r11 + 32]
	mov r9, [r11 + 40]
	call rax
	xor r13, rsp
	mov rcx, 0x1111111111
	xor rbx, rcx
	mov rcx, 0x2222222222
	xor rbp, rcx
	mov rcx, 0x3333333333
	xor r12, rcx
	mov rcx, 0x4444444444
	xor r14, rcx
	mov rcx, 0x5555555555
	xor r15, rcx
	or rbx, rbp
	or rbx, r12
	or rbx, r13
	or rbx, r14
	or rbx, r15
	pop rdx
	mov [rdx], rax
	mov rax, rbx
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

ctm_routines

section .note.GNU-stack noalloc noexec nowrite progbits
