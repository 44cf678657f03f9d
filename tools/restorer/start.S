/* SPDX-License-Identifier: GPL-2.0 */
/*
 * start.S - what C cannot say: entry, changes of stack, the last wait
 *
 * Position-independent: the restorer runs a copy of this at another address.
 */
	.text

	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	keeper_main
	ud2
	.size	_start, . - _start

/* void stack_jump(void *top, void (*fn)(void *), void *arg): fn never returns */
	.globl	stack_jump
	.type	stack_jump, @function
stack_jump:
	xorl	%ebp, %ebp
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	call	*%rsi
	ud2
	.size	stack_jump, . - stack_jump

/*
 * long thread_clone(struct clone_args *, size_t, void (*fn)(void *), void *arg)
 * clone3 with a stack of the child's own; fn never returns.
 */
	.globl	thread_clone
	.type	thread_clone, @function
thread_clone:
	movq	%rdx, %r8
	movq	%rcx, %r9
	movl	$435, %eax		/* clone3 */
	syscall
	testq	%rax, %rax
	jnz	1f
	xorl	%ebp, %ebp
	movq	%r9, %rdi
	call	*%r8
	ud2
1:	ret
	.size	thread_clone, . - thread_clone

/* void thread_sigreturn(struct ucontext *): loads the frame, and with it all registers */
	.globl	thread_sigreturn
	.type	thread_sigreturn, @function
thread_sigreturn:
	movq	%rdi, %rsp
	movl	$15, %eax		/* rt_sigreturn */
	syscall
	ud2
	.size	thread_sigreturn, . - thread_sigreturn

/*
 * Where the frame of thread_sigreturn() leads: rax, rdi, rsi, rdx hold an
 * lseek(2).  To the leader it may return the number of a signal, which it is to
 * queue to the process; the siginfo stands below its stack.  Otherwise it
 * returns here only when the landing was aborted.
 */
	.globl	thread_last_wait
	.type	thread_last_wait, @function
thread_last_wait:
	syscall
	decq	%rax
	cmpq	$64, %rax
	jae	1f
	leaq	1(%rax), %rbx
	movq	%rdi, %r12
	movq	%rsi, %r13
	movq	%rdx, %r14
	movl	$39, %eax		/* getpid */
	syscall
	movl	%eax, %edi
	movl	%ebx, %esi
	leaq	-256(%rsp), %rdx	/* CTM_SEEK_SIGINFO */
	movl	$129, %eax		/* rt_sigqueueinfo */
	syscall
	movq	%r12, %rdi
	movq	%r13, %rsi
	movq	%r14, %rdx
	movl	$8, %eax		/* lseek */
	jmp	thread_last_wait
1:	movl	$231, %eax		/* exit_group */
	xorl	%edi, %edi
	syscall
	ud2
	.size	thread_last_wait, . - thread_last_wait

	.section .note.GNU-stack,"",@progbits
