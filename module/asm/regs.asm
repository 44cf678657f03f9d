; SPDX-License-Identifier: GPL-2.0
;
; Segment bases of the task that is running, as user mode left them.

%include "ctm_asm.inc"

; void ctm_asm_fsgs(u64 out[2]): out[0] = fs base, out[1] = gs base.
;
; Context: CR4.FSGSBASE set, FRED off, interrupts disabled. Between the two
; swapgs the kernel's own gs base is away: nothing here may fault, and an NMI
; copes, because its entry looks at the base itself instead of at where it
; came from. So the store waits until the base is back.
CTM_FUNC ctm_asm_fsgs
	rdfsbase rax
	swapgs
	rdgsbase rdx
	swapgs
	mov [rdi], rax
	mov [rdi + 8], rdx
	CTM_RET
CTM_END ctm_asm_fsgs
