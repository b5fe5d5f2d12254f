// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's end of the line described in agent.h: runs what it is told with
 * "sh -c" and sends back output and status. Any number of commands up to COMMANDS at
 * a time. Output is read only as fast as the line takes it, so a talkative command
 * waits in its pipe and takes no memory. It is deflated on the way, one stream for
 * each command: every byte on the line is an exit to the VMM.
 *
 * usage: agent TTY
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <zlib.h>

#include "agent.h"

#define COMMANDS 64
#define OUTPUT_MAX 8192	/* what is read, and flushed, at a time */

struct command {
	bool used;
	uint16_t id;
	pid_t pid;	/* 0: its text is not complete, or it has ended */
	int fd;		/* the end of the pipe that it prints to, or -1 */
	bool ended;
	uint8_t status;
	struct buffer text;
	struct buffer packed;	/* output on its way */
	z_stream zip;
};

static struct command commands[COMMANDS];
static struct link line;
static char boot_id[BOOT_ID_SIZE];

static struct command *command_find(uint16_t id, bool create)
{
	struct command *unused = NULL;

	for (int i = 0; i < COMMANDS; i++) {
		if (commands[i].used && commands[i].id == id)
			return &commands[i];
		if (!commands[i].used)
			unused = &commands[i];
	}
	if (!create || !unused)
		return NULL;
	*unused = (struct command){ .used = true, .id = id, .fd = -1 };
	/* 8 KiB of window and little else: there may be many commands. */
	if (deflateInit2(&unused->zip, 1, Z_DEFLATED, -13, 5, Z_DEFAULT_STRATEGY) != Z_OK) {
		unused->used = false;
		return NULL;
	}
	return unused;
}

static void command_free(struct command *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->text.data);
	free(c->packed.data);
	deflateEnd(&c->zip);
	c->used = false;
}

static void child(const char *text, int out)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A group of its own, so that all of a pipeline gets a hangup. */
	setsid();
	setpriority(PRIO_PROCESS, 0, 0);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execl("/bin/sh", "sh", "-c", text, (char *)NULL);
	dprintf(2, "agent: sh: %s\n", strerror(errno));
	_exit(126);
}

static void command_run(struct command *c)
{
	int fds[2];

	buffer_add(&c->text, "", 1);
	if (pipe2(fds, O_CLOEXEC)) {
		c->ended = true;
		c->status = 126;
		return;
	}
	c->pid = fork();
	if (!c->pid)
		child((char *)c->text.data, fds[1]);
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	c->fd = fds[0];
	if (c->pid < 0) {
		c->pid = 0;
		c->ended = true;
		c->status = 126;
	}
}

/* Read what the command printed meanwhile, pack it up; false if there was nothing. */
static bool command_read(struct command *c)
{
	uint8_t data[OUTPUT_MAX], packed[OUTPUT_MAX + 1024];
	ssize_t n = read(c->fd, data, sizeof(data));

	if (n == 0) {
		close(c->fd);
		c->fd = -1;
	}
	if (n <= 0)
		return false;
	c->zip.next_in = data;
	c->zip.avail_in = n;
	do {
		c->zip.next_out = packed;
		c->zip.avail_out = sizeof(packed);
		deflate(&c->zip, Z_SYNC_FLUSH);
		buffer_add(&c->packed, packed, sizeof(packed) - c->zip.avail_out);
	} while (!c->zip.avail_out);
	return true;
}

/* The line has room for a message: false if this command has none to send. */
static bool command_send(struct command *c)
{
	size_t n;

	while (c->packed.len < MESSAGE_MAX && c->fd >= 0 && command_read(c))
		;
	if (c->packed.len) {
		n = c->packed.len < MESSAGE_MAX ? c->packed.len : MESSAGE_MAX;
		link_send(&line, OP_OUTPUT, c->id, c->packed.data, n);
		buffer_drop(&c->packed, n);
		return true;
	}
	/* What it left running in the background may keep the pipe; it is not waited for. */
	if (c->ended) {
		link_send(&line, OP_END, c->id, &c->status, 1);
		command_free(c);
		return true;
	}
	return false;
}

static void message(const struct frame *f)
{
	struct command *c = command_find(message_id(f), f->payload[0] == OP_TEXT ||
							f->payload[0] == OP_RUN);

	switch (f->payload[0]) {
	case OP_TEXT:
		if (c && !c->pid)
			buffer_add(&c->text, f->payload + MESSAGE_HEAD, f->len - MESSAGE_HEAD);
		break;
	case OP_RUN:
		if (c && !c->pid)
			command_run(c);
		break;
	case OP_HANGUP:
		if (c && c->pid)
			kill(-c->pid, SIGHUP);
		break;
	}
}

static void new_session(uint32_t session)
{
	/* Nobody is left who could ask for what the last session started. */
	for (int i = 0; i < COMMANDS; i++) {
		if (!commands[i].used)
			continue;
		if (commands[i].pid)
			kill(-commands[i].pid, SIGHUP);
		command_free(&commands[i]);
	}
	link_start(&line, session);
}

static void frame(const struct frame *f)
{
	if (f->head.kind == FRAME_HELLO) {
		if (f->head.session != line.session)
			new_session(f->head.session);
		link_put(&line, FRAME_WELCOME, 0, boot_id, sizeof(boot_id));
	} else if (f->head.session != line.session || !line.session) {
		link_put(&line, FRAME_RESET, 0, NULL, 0);
	} else if (link_take(&line, f)) {
		message(f);
	}
}

static void read_line(void)
{
	uint8_t data[4096];
	struct frame f;
	ssize_t n;

	while ((n = read(line.fd, data, sizeof(data))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (link_byte(&line, data[i], &f))
				frame(&f);
	/* The carrier is ignored, so there is no end; a hung up line is for init to see. */
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		perror("agent: line");
		exit(1);
	}
}

static void reap(int sigfd)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(sigfd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < COMMANDS; i++) {
			struct command *c = &commands[i];

			if (!c->used || c->pid != pid)
				continue;
			c->pid = 0;
			c->ended = true;
			c->status = WIFEXITED(status) ? WEXITSTATUS(status) :
							128 + WTERMSIG(status);
		}
	}
}

/* Give every command its turn until none has anything or the line is full. */
static void send_output(void)
{
	bool any = true;

	while (any && link_can_send(&line)) {
		any = false;
		for (int i = 0; i < COMMANDS && link_can_send(&line); i++)
			if (commands[i].used)
				any |= command_send(&commands[i]);
	}
}

static void setup(const char *tty)
{
	struct termios t;
	int fd;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, boot_id, sizeof(boot_id)) != sizeof(boot_id)) {
		perror("agent: boot_id");
		exit(1);
	}
	close(fd);
	line.fd = open(tty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (line.fd < 0 || tcgetattr(line.fd, &t)) {
		perror(tty);
		exit(1);
	}
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&t, B115200);
	tcsetattr(line.fd, TCSANOW, &t);
	/* A busy guest still answers; what it runs is not favoured. */
	setpriority(PRIO_PROCESS, 0, -20);
}

int main(int argc, char **argv)
{
	struct pollfd fds[2 + COMMANDS];
	sigset_t chld;
	int sigfd;

	if (argc != 2) {
		fprintf(stderr, "usage: agent TTY\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	setup(argv[1]);
	/* Whoever had a session before the reboot need not find out by a lost question. */
	link_put(&line, FRAME_RESET, 0, NULL, 0);
	for (;;) {
		int n = 2, timeout;

		send_output();
		timeout = link_timer(&line, false);
		link_ack(&line);
		if (!link_flush(&line))
			return 1;
		fds[0] = (struct pollfd){ line.fd, POLLIN | (line.out.len ? POLLOUT : 0), 0 };
		fds[1] = (struct pollfd){ sigfd, POLLIN, 0 };
		for (int i = 0; i < COMMANDS && link_can_send(&line); i++)
			if (commands[i].used && commands[i].fd >= 0)
				fds[n++] = (struct pollfd){ commands[i].fd, POLLIN, 0 };
		if (poll(fds, n, timeout) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents & (POLLIN | POLLERR | POLLHUP))
			read_line();
		if (fds[1].revents)
			reap(sigfd);
	}
}
