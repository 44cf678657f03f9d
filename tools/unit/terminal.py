#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""terminal.py [PROGRAM...]: does a command under PROGRAM behave in a shell as without it?

To be run on a node; PROGRAM is "continuumctl run" unless given.  Each test types
into an interactive bash on a terminal, first without PROGRAM, to see that the
test itself is right, then with it.  KTAP on standard output.
"""
import fcntl, os, pty, re, select, signal, struct, sys, tempfile, termios, time

SLOW = float(os.environ.get("SLOW", "20"))     # seconds that an answer may take
PROMPT = "READY$ "


class Shell:
    """An interactive bash on a pty of its own."""

    def __init__(self, prefix, directory):
        self.prefix, self.text = prefix, ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)   # Python ignores it, and that is inherited
            os.environ.update(PS1=PROMPT, PS2="", TERM="dumb", HISTFILE="/dev/null", RUN=prefix)
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        self.resize(40, 200)
        self.wait(PROMPT)

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def more(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def wait(self, what):
        """Reads until the regular expression, or text, was seen; returns and forgets all before its end."""
        pattern = what if hasattr(what, "search") else re.compile(re.escape(what))
        end = time.monotonic() + SLOW
        while True:
            found = pattern.search(self.text)
            if found:
                seen, self.text = self.text[:found.end()], self.text[found.end():]
                return seen
            left = end - time.monotonic()
            if left <= 0 or not self.more(left):
                raise AssertionError("no %r in %r" % (pattern.pattern, self.text))

    def type(self, text):
        os.write(self.fd, text.encode())

    def line(self, command):
        """A command; returns what it wrote, without its echo."""
        self.type(command + "\n")
        self.wait("\n")
        return self.wait(PROMPT)[:-len(PROMPT)].replace("\r", "")

    def status(self):
        return int(self.line("echo $?"))

    def settings(self):
        return self.line("stty -g").strip()

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def equal(found, wanted):
    if found != wanted:
        raise AssertionError("%r instead of %r" % (found, wanted))


def test_exit_status(s):
    s.line("$RUN sh -c 'exit 7'")
    equal(s.status(), 7)
    s.line("$RUN true")
    equal(s.status(), 0)


def test_death_by_signal(s):
    s.line("$RUN sh -c 'kill -9 $$'")
    equal(s.status(), 137)


def test_no_such_command(s):
    s.line("$RUN ./nonexistent")
    equal(s.status(), 127)
    s.line("echo : >plain; $RUN ./plain")
    equal(s.status(), 126)


def test_output(s):
    equal(s.line("$RUN echo hello"), "hello\n")
    equal(s.line("$RUN sh -c 'echo out; echo err >&2'"), "out\nerr\n")
    equal(s.line("$RUN seq 2000").split(), [str(i) for i in range(1, 2001)])


def test_order(s):
    equal(s.line("($RUN echo a; echo b; $RUN echo c) >log; cat log"), "a\nb\nc\n")


def test_pipes(s):
    equal(s.line("echo hi | $RUN cat"), "hi\n")
    equal(s.line("$RUN echo hi | tr h H"), "Hi\n")
    equal(s.line("echo hi | $RUN cat | $RUN tr h H | cat"), "Hi\n")
    equal(s.line("$RUN yes | head -2; echo ${PIPESTATUS[0]}"), "y\ny\n141\n")


def test_redirections(s):
    equal(s.line("echo in >in; $RUN cat <in >out 2>&1; cat out"), "in\n")
    equal(s.line("$RUN sh -c 'echo five >&5' 5>five; cat five"), "five\n")
    equal(s.line("$RUN sh -c 'echo err >&2' 2>err; cat err"), "err\n")
    equal(s.line("$RUN sh -c 'read a; echo $a' <&-; echo $?").splitlines()[-1], "0")


def test_inherited(s):
    equal(s.line("umask 027; $RUN sh -c umask"), "0027\n")
    equal(s.line("A='b  c' $RUN sh -c 'echo \"$A\"'"), "b  c\n")
    equal(s.line("ulimit -S -n 99; $RUN sh -c 'ulimit -n'"), "99\n")
    equal(s.line("mkdir -p d && cd d && $RUN sh -c 'basename $PWD'; cd .."), "d\n")
    equal(s.line("$RUN printf '%s.' '' 'a b' '*'"), ".a b.*.")
    equal(s.line("$RUN id -G"), s.line("id -G"))


def test_terminal(s):
    equal(s.line("$RUN sh -c 'test -t 0 && test -t 1 && test -t 2 && echo yes'"), "yes\n")
    equal(s.line("$RUN stty size"), "40 200\n")
    equal(s.line("$RUN sh -c 'echo x >/dev/tty'"), "x\n")
    equal(s.line("stty -echoctl; $RUN stty -a | grep -o .echoctl; stty echoctl"), "-echoctl\n")
    equal(s.line("$RUN sh -c 'test -t 1 || echo no' | cat"), "no\n")


def test_newlines_of_others(s):
    s.type("(sleep 1; printf 'one\\ntwo\\n' >&2; sleep 1) | $RUN cat\n")
    s.wait("one\r\ntwo\r\n")
    s.wait(PROMPT)


def test_settings_come_back(s):
    before = s.settings()
    s.line("$RUN true")
    equal(s.settings(), before)
    s.line("$RUN sh -c 'kill -9 $$'")
    equal(s.settings(), before)


def test_input(s):
    s.type("$RUN sh -c 'echo ask; read a; echo got $a'\n")
    s.wait("ask\r\n")
    s.type("answer\n")
    s.wait("got answer\r\n")
    s.wait(PROMPT)
    s.type("$RUN cat\n")
    s.wait("\n")
    s.type("one\n")
    s.wait(re.compile("one\r\none\r\n"))
    s.type("\x04")
    s.wait(PROMPT)
    equal(s.status(), 0)


def test_ctrl_c(s):
    s.type("$RUN sleep 100\n")
    s.wait("\n")
    time.sleep(1)
    s.type("\x03")
    s.wait(PROMPT)
    equal(s.status(), 130)
    s.type("$RUN sh -c 'trap \"echo caught; exit 3\" INT; echo go; while :; do sleep .1; done'\n")
    s.wait("go\r\n")
    s.type("\x03")
    s.wait("caught\r\n")
    s.wait(PROMPT)
    equal(s.status(), 3)


def test_ctrl_c_at_start(s):
    for delay in (0, .1, .3):
        s.type("$RUN sleep 777\n")
        s.wait("\n")
        time.sleep(delay)
        s.type("\x03")
        s.wait(PROMPT)
        equal(s.status(), 130)
    equal(s.line("for i in $(seq 50); do pgrep -f '^sleep 777' >/dev/null || break; sleep .1; done;"
                 " pgrep -cf '^sleep 777'"), "0\n")


def test_ctrl_c_redirected(s):
    # Who says "go" is who waits: a shell that is about to start the next program
    # notes SIGINT, and acts on it when that program, which has not got it, ends.
    s.line("mkfifo never; echo go >go")
    s.type("$RUN sh -c 'cat go never; echo after' </dev/null 2>&1 | cat\n")
    s.wait("go\r\n")
    s.type("\x03")
    s.wait(PROMPT)
    equal(s.line("echo ${PIPESTATUS[0]}"), s.line("echo 130"))


def test_ctrl_z(s):
    before = s.settings()
    s.type("$RUN cat\n")
    s.wait("\n")
    time.sleep(1)
    s.type("one\n")
    s.wait(re.compile("one\r\none\r\n"))
    s.type("\x1a")
    s.wait("Stopped")
    s.wait(PROMPT)
    equal(s.settings(), before)
    s.type("fg\n")
    s.wait("\n")
    time.sleep(1)
    s.type("two\n")
    s.wait(re.compile("two\r\ntwo\r\n"))
    s.type("\x04")
    s.wait(PROMPT)
    equal(s.status(), 0)
    equal(s.settings(), before)


def test_stop_and_background(s):
    s.type("$RUN sh -c 'echo go; sleep 4; echo done >file'\n")
    s.wait("go\r\n")
    time.sleep(.5)
    s.type("\x1a")
    s.wait("Stopped")
    s.wait(PROMPT)
    s.line("bg")
    s.line("wait %1")
    equal(s.line("cat file"), "done\n")


def test_background(s):
    before = s.settings()
    out = s.line("$RUN sh -c 'sleep 1; exit 5' & wait $!; echo st=$?")
    equal("st=5" in out, True)
    equal(s.settings(), before)


def test_background_to_foreground(s):
    s.line("$RUN sh -c 'sleep 3; read a; echo got $a' &")
    s.type("fg\n")
    s.wait("\n")
    time.sleep(1)
    s.type("answer\n")
    s.wait("got answer\r\n")
    s.wait(PROMPT)


def test_window_size(s):
    s.type("$RUN sh -c 'trap \"stty size\" WINCH; echo go; while :; do sleep .1; done'\n")
    s.wait("go\r\n")
    time.sleep(.5)
    s.resize(30, 90)
    s.wait("30 90\r\n")
    s.type("\x03")
    s.wait(PROMPT)
    s.resize(40, 200)


def test_killed_from_outside(s):
    before = s.settings()
    for sig in ("TERM", "HUP", "QUIT"):
        s.line("(sleep 3; pkill -%s -nf '^sleep 43') & disown" % sig)
        s.line("$RUN sleep 43; true")
        equal(s.settings(), before)


def test_nohup(s):
    out = s.line("nohup $RUN sh -c 'sleep 2; echo done >file' >/dev/null 2>&1 & sleep 1; kill -HUP $!; wait $!")
    equal(s.line("cat file"), "done\n")


def test_deputy_signalled(s):
    s.type("$RUN sh -c 'trap \"echo term; exit 4\" TERM; echo go; while :; do sleep .1; done' & p=$!\n")
    s.wait("go\r\n")
    s.line("")
    s.line("kill $p; wait $p; echo st=$? >file")
    equal(s.line("cat file"), "st=4\n")


def test_editor(s):
    before = s.settings()
    s.type("rm -f text; TERM=vt100 $RUN vi text\n")
    time.sleep(4)
    s.type("ihello\x1b:wq\n")
    s.wait(PROMPT)
    equal(s.line("cat text"), "hello\n")
    equal(s.settings(), before)


def run_test(name, function, prefix, directory):
    shell = None
    try:
        shell = Shell(prefix, directory)
        function(shell)
        return None
    except AssertionError as error:
        return str(error)
    finally:
        if shell:
            shell.close()


def main():
    program = " ".join(sys.argv[1:]) or "continuumctl run"
    only = os.environ.get("ONLY", "").split()
    tests = [(n[5:], f) for n, f in sorted(globals().items(), key=lambda x: getattr(x[1], "__code__", main.__code__).co_firstlineno)
             if n.startswith("test_") and (not only or n[5:] in only)]
    failed = 0
    print("KTAP version 1\n1..%d" % len(tests))
    for number, (name, function) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as directory:
            error = None if os.environ.get("ONLY_RUN") else run_test(name, function, "", directory)
            if error:
                print("ok %d %s # SKIP the test itself fails here: %s" % (number, name, error), flush=True)
                continue
            error = run_test(name, function, program, directory)
        failed += bool(error)
        if error:
            print("# " + error)
        print("%s %d %s" % ("not ok" if error else "ok", number, name), flush=True)
    return 1 if failed else 0


sys.exit(main())
